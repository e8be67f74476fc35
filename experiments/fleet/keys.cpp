#include "experiments/fleet/keys.hpp"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <sys/stat.h>

#include <array>
#include <vector>

namespace arashi::fleet {
namespace {

template <auto free>
struct Freed {
  template <class T>
  void operator()(T* value) const {
    free(value);
  }
};
using Certificate = std::unique_ptr<X509, Freed<X509_free>>;
using Key = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;
using Store = std::unique_ptr<X509_STORE, Freed<X509_STORE_free>>;
using Bio = std::unique_ptr<BIO, Freed<BIO_free>>;

Unexpected<Error> not_usable(const char* what, const std::string& file) {
  const unsigned long code = ERR_peek_last_error();
  const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  auto failed =
      fail(Blame::input, "the ", what, " '", file, "' is not usable", reason == nullptr ? "" : ": ", reason == nullptr ? "" : reason);
  ERR_clear_error();
  return failed;
}

Result<Bio> open_pem(const char* what, const std::string& file) {
  Bio bio(BIO_new_file(file.c_str(), "r"));
  if (bio) return bio;
  auto failed = sys_fail("read the ", what, " '", file, "'");
  ERR_clear_error();
  return failed;
}

// What a file is, so that a change is seen: a new file, or new content in the old one.
struct Stamp {
  dev_t device = 0;
  ino_t inode = 0;
  off_t size = 0;
  std::int64_t changed = 0;  // nanoseconds
  bool operator==(const Stamp&) const = default;
};

Stamp stamp_of(const std::string& file) {
  struct stat found {};
  if (::stat(file.c_str(), &found) != 0) return {};
  return {found.st_dev, found.st_ino, found.st_size, found.st_ctim.tv_sec * 1'000'000'000 + found.st_ctim.tv_nsec};
}

struct Loaded {
  std::array<Stamp, 3> stamps;
  Store trusted;
  Certificate certificate;
  std::vector<Certificate> chain;
  Key key;
};

Result<void> load_certificate(const std::string& file, Loaded& into) {
  const Bio bio = TRY(open_pem("certificate", file));
  into.certificate.reset(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
  if (!into.certificate) return not_usable("certificate", file);
  while (Certificate next{PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)}) into.chain.push_back(std::move(next));
  ERR_clear_error();  // the end of the file counts as an error
  return {};
}

int no_passphrase(char*, int, int, void*) { return 0; }  // else OpenSSL asks on the terminal

Result<void> load_key(const std::string& file, Loaded& into) {
  const Bio bio = TRY(open_pem("key", file));
  into.key.reset(PEM_read_bio_PrivateKey(bio.get(), nullptr, &no_passphrase, nullptr));
  if (!into.key) return not_usable("key", file);
  return {};
}

Result<void> load_trusted(const std::string& file, Loaded& into) {
  TRY(open_pem("CA certificate", file));
  into.trusted.reset(X509_STORE_new());
  if (!into.trusted || X509_STORE_load_file(into.trusted.get(), file.c_str()) != 1) return not_usable("CA certificate", file);
  return {};
}

}  // namespace

struct Keys::Inside {
  std::string ca, certificate, key;
  std::unique_ptr<Loaded> loaded;

  [[nodiscard]] std::array<Stamp, 3> stamps() const { return {stamp_of(ca), stamp_of(certificate), stamp_of(key)}; }

  [[nodiscard]] Result<std::unique_ptr<Loaded>> load() const {
    auto fresh = std::make_unique<Loaded>();
    fresh->stamps = stamps();
    TRY(load_trusted(ca, *fresh));
    TRY(load_certificate(certificate, *fresh));
    TRY(load_key(key, *fresh));
    if (X509_check_private_key(fresh->certificate.get(), fresh->key.get()) != 1) {
      ERR_clear_error();
      return fail(Blame::input, "the key '", key, "' is not that of the certificate '", certificate, "'");
    }
    return fresh;
  }

  bool give_to(SSL_CTX* context) const {
    SSL_CTX_set1_cert_store(context, loaded->trusted.get());
    if (SSL_CTX_use_certificate(context, loaded->certificate.get()) != 1) return false;
    for (const auto& one : loaded->chain)
      if (SSL_CTX_add1_chain_cert(context, one.get()) != 1) return false;
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);  // a thousand connections are idle nearly all the time
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_post_handshake_auth(context, 0);
    return SSL_CTX_use_PrivateKey(context, loaded->key.get()) == 1;
  }

  static CURLcode on_context(CURL*, void* context, void* self) {
    return static_cast<const Inside*>(self)->give_to(static_cast<SSL_CTX*>(context)) ? CURLE_OK : CURLE_SSL_CERTPROBLEM;
  }
};

Keys::Keys(std::string ca, std::string certificate, std::string key)
    : inside_(std::make_unique<Inside>(Inside{std::move(ca), std::move(certificate), std::move(key), nullptr})) {}
Keys::~Keys() = default;

Result<void> Keys::refresh() {
  if (inside_->loaded && inside_->stamps() == inside_->loaded->stamps) return {};
  auto fresh = inside_->load();
  if (fresh) inside_->loaded = std::move(*fresh);
  if (!inside_->loaded) return pass(fresh.error());
  return {};
}

void Keys::use(CURL* easy) {
  curl_easy_setopt(easy, CURLOPT_CAINFO, nullptr);  // not the system's authorities: ours alone
  curl_easy_setopt(easy, CURLOPT_CAPATH, nullptr);
  curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, &Inside::on_context);
  curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, inside_.get());
}

}  // namespace arashi::fleet
