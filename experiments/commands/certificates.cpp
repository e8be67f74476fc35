#include "experiments/commands/certificates.hpp"

#include "injector/core/fd.hpp"
#include "injector/core/id.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <array>
#include <fstream>
#include <iterator>
#include <memory>
#include <string_view>

namespace arashi::commands {
namespace {

namespace fs = std::filesystem;

struct Free {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(X509_EXTENSION* extension) const { X509_EXTENSION_free(extension); }
  void operator()(BIO* bio) const { BIO_free(bio); }
};
template <class T>
using Owned = std::unique_ptr<T, Free>;

constexpr int most_days = 3650;
constexpr long clock_skew = 300;  // seconds: valid from a little before now, for peers whose clocks are behind

template <class... Parts>
Unexpected<Error> ssl_fail(const Parts&... parts) {
  std::array<char, 256> text{};
  ERR_error_string_n(ERR_get_error(), text.data(), text.size());
  return fail(Blame::system, parts..., ": ", text.data());
}

struct Signer {
  X509* certificate;
  EVP_PKEY* key;
};

Result<Owned<EVP_PKEY>> new_key() {
  Owned<EVP_PKEY> key(EVP_EC_gen("P-256"));
  if (!key) return ssl_fail("make an EC P-256 key");
  return key;
}

Result<void> add_extension(X509* certificate, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const Owned<X509_EXTENSION> extension(X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str()));
  if (!extension || X509_add_ext(certificate, extension.get(), -1) != 1) return ssl_fail("add '", value, "' to a certificate");
  return {};
}

void add_name(X509_NAME* name, const char* field, const std::string& value) {
  X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8, reinterpret_cast<const unsigned char*>(value.c_str()), -1, -1, 0);
}

Result<void> set_serial(X509* certificate) {
  std::array<unsigned char, 16> random{};
  if (RAND_bytes(random.data(), static_cast<int>(random.size())) != 1) return ssl_fail("get random bytes for a serial number");
  random[0] &= 0x7F;  // positive (RFC 5280, 4.1.2.2)
  BIGNUM* number = BN_bin2bn(random.data(), static_cast<int>(random.size()), nullptr);
  BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate));
  BN_free(number);
  return {};
}

// Everything but the extensions and the signature.
Result<Owned<X509>> blank(const std::string& name, const std::string& unit, int days, EVP_PKEY* key) {
  Owned<X509> certificate(X509_new());
  if (!certificate) return ssl_fail("make a certificate");
  X509_set_version(certificate.get(), X509_VERSION_3);
  TRY(set_serial(certificate.get()));
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -clock_skew);
  X509_time_adj_ex(X509_getm_notAfter(certificate.get()), days, 0, nullptr);
  X509_set_pubkey(certificate.get(), key);
  auto* subject = X509_get_subject_name(certificate.get());
  add_name(subject, "O", "arashi");
  add_name(subject, "OU", unit);
  add_name(subject, "CN", name);
  return certificate;
}

Result<void> sign(X509* certificate, const Signer& signer) {
  X509_set_issuer_name(certificate, X509_get_subject_name(signer.certificate));
  if (X509_sign(certificate, signer.key, EVP_sha256()) == 0) return ssl_fail("sign a certificate");
  return {};
}

template <class Write>
Result<std::string> pem(Write write) {
  const Owned<BIO> memory(BIO_new(BIO_s_mem()));
  if (!memory || write(memory.get()) != 1) return ssl_fail("write PEM");
  char* data = nullptr;
  const auto size = BIO_get_mem_data(memory.get(), &data);
  return std::string(data, static_cast<std::size_t>(size));
}

Result<std::string> pem_of(X509* certificate) {
  return pem([certificate](BIO* out) { return PEM_write_bio_X509(out, certificate); });
}
Result<std::string> pem_of(EVP_PKEY* key) {
  return pem([key](BIO* out) { return PEM_write_bio_PKCS8PrivateKey(out, key, nullptr, nullptr, 0, nullptr, nullptr); });
}

// A new file with this mode; an existing one is never touched.
Result<void> write_new(const fs::path& path, const std::string& text, mode_t mode) {
  const Fd file(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
  if (!file && errno == EEXIST) return fail(Blame::refused, "'", path.string(), "' exists already; move it away first");
  if (!file) return sys_fail("create '", path.string(), "'");
  if (write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) return sys_fail("write '", path.string(), "'");
  return {};
}

Result<std::string> read_all(const fs::path& path) {
  std::ifstream file(path);
  if (!file)
    return fail(Blame::missing, "cannot read '", path.string(), "'; make the authority first: arashi pki init ",
                path.parent_path().string());
  return std::string(std::istreambuf_iterator<char>(file), {});
}

Result<Owned<X509>> read_certificate(const fs::path& path) {
  const auto text = TRY(read_all(path));
  const Owned<BIO> memory(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  Owned<X509> certificate(PEM_read_bio_X509(memory.get(), nullptr, nullptr, nullptr));
  if (!certificate) return ssl_fail("'", path.string(), "' holds no certificate");
  return certificate;
}

Result<Owned<EVP_PKEY>> read_key(const fs::path& path) {
  const auto text = TRY(read_all(path));
  const Owned<BIO> memory(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  Owned<EVP_PKEY> key(PEM_read_bio_PrivateKey(memory.get(), nullptr, nullptr, nullptr));
  if (!key) return ssl_fail("'", path.string(), "' holds no private key");
  return key;
}

bool is_ip(const std::string& text) {
  std::array<unsigned char, sizeof(in6_addr)> bytes{};
  return inet_pton(AF_INET, text.c_str(), bytes.data()) == 1 || inet_pton(AF_INET6, text.c_str(), bytes.data()) == 1;
}

Result<std::string> alternative_names(const std::vector<std::string>& addresses) {
  std::string names;
  for (const auto& address : addresses) {
    // What openssl would read as a list or another kind of name must not come through.
    if (address.empty() ||
        address.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-:*") != std::string::npos ||
        (!is_ip(address) && address.find(':') != std::string::npos))
      return fail(Blame::input, "'", address, "' is neither an IP address nor a DNS name");
    names += (names.empty() ? "" : ",") + std::string(is_ip(address) ? "IP:" : "DNS:") + address;
  }
  return names;
}

Result<void> check_days(int days) {
  if (days < 1 || days > most_days) return fail(Blame::input, "--days ", days, ": from 1 to ", most_days, " is possible");
  return {};
}

Result<void> add_leaf_extensions(X509* certificate, X509* issuer, const CertificateRequest& request) {
  const bool serves = request.role == "agent";
  TRY(add_extension(certificate, issuer, NID_basic_constraints, "critical,CA:FALSE"));
  TRY(add_extension(certificate, issuer, NID_key_usage, "critical,digitalSignature"));
  TRY(add_extension(certificate, issuer, NID_ext_key_usage, serves ? "serverAuth" : "clientAuth"));
  TRY(add_extension(certificate, issuer, NID_subject_key_identifier, "hash"));
  TRY(add_extension(certificate, issuer, NID_authority_key_identifier, "keyid"));
  const auto names = TRY(alternative_names(request.addresses));
  if (names.empty()) return {};
  return add_extension(certificate, issuer, NID_subject_alt_name, names);
}

Result<void> write_folder(const fs::path& folder, const std::string& ca, X509* certificate, EVP_PKEY* key) {
  TRY(write_new(folder / "ca.pem", ca, 0644));
  const auto certificate_text = TRY(pem_of(certificate));
  const auto key_text = TRY(pem_of(key));
  TRY(write_new(folder / "cert.pem", certificate_text, 0644));
  return write_new(folder / "key.pem", key_text, 0600);
}

}  // namespace

Result<void> make_authority(const fs::path& directory, int days) {
  TRY(check_days(days));
  std::error_code error;
  fs::create_directories(directory, error);
  if (error) return fail(Blame::system, "make '", directory.string(), "': ", error.message());
  fs::permissions(directory, fs::perms::owner_all, error);
  for (const char* name : {"ca.pem", "ca-key.pem"})
    if (fs::exists(directory / name))
      return fail(Blame::refused, "'", (directory / name).string(), "' exists already; choose another folder");
  const auto key = TRY(new_key());
  const auto certificate = TRY(blank("arashi authority", "role=authority", days, key.get()));
  TRY(add_extension(certificate.get(), certificate.get(), NID_basic_constraints, "critical,CA:TRUE,pathlen:0"));
  TRY(add_extension(certificate.get(), certificate.get(), NID_key_usage, "critical,keyCertSign,cRLSign"));
  TRY(add_extension(certificate.get(), certificate.get(), NID_subject_key_identifier, "hash"));
  TRY(sign(certificate.get(), {certificate.get(), key.get()}));
  const auto certificate_text = TRY(pem_of(certificate.get()));
  const auto key_text = TRY(pem_of(key.get()));
  TRY(write_new(directory / "ca-key.pem", key_text, 0600));
  return write_new(directory / "ca.pem", certificate_text, 0644);
}

Result<fs::path> make_certificate(const fs::path& directory, const CertificateRequest& request) {
  TRY(check_days(request.days));
  if (!is_name(request.name)) return fail(Blame::input, "name '", request.name, "': lower-case letters, digits and dashes, at most 63");
  const auto issuer = TRY(read_certificate(directory / "ca.pem"));
  const auto issuer_key = TRY(read_key(directory / "ca-key.pem"));
  const auto ca = TRY(read_all(directory / "ca.pem"));
  const auto key = TRY(new_key());
  const auto certificate = TRY(blank(request.name, "role=" + request.role, request.days, key.get()));
  TRY(add_leaf_extensions(certificate.get(), issuer.get(), request));
  TRY(sign(certificate.get(), {issuer.get(), issuer_key.get()}));
  const auto folder = directory / request.name;
  std::error_code error;
  if (!fs::create_directory(folder, error))
    return fail(Blame::refused, "'", folder.string(), "' ", error ? error.message() : "exists already; move it away first");
  fs::permissions(folder, fs::perms::owner_all, error);
  if (auto written = write_folder(folder, ca, certificate.get(), key.get()); !written) {
    fs::remove_all(folder, error);
    return pass(written.error());
  }
  return folder;
}

}  // namespace arashi::commands
