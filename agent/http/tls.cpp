#include "agent/http/tls.hpp"

#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <boost/asio/buffer.hpp>

#include <algorithm>
#include <string_view>

namespace arashi::http {

namespace {

namespace asio = boost::asio;
using Code = boost::system::error_code;

constexpr std::string_view role_mark = "role=";

std::string text_of(const ASN1_STRING* string) {
  const auto* data = ASN1_STRING_get0_data(string);
  return {reinterpret_cast<const char*>(data), static_cast<std::size_t>(ASN1_STRING_length(string))};
}

std::vector<std::string> entries(X509* certificate, int nid) {
  std::vector<std::string> texts;
  const auto* subject = X509_get_subject_name(certificate);
  for (int at = X509_NAME_get_index_by_NID(subject, nid, -1); at >= 0; at = X509_NAME_get_index_by_NID(subject, nid, at))
    texts.push_back(text_of(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at))));
  return texts;
}

std::vector<std::string> uri_names(X509* certificate) {
  std::vector<std::string> texts;
  auto* names = static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  for (int index = 0; index < sk_GENERAL_NAME_num(names); ++index) {  // -1 of none
    const auto* name = sk_GENERAL_NAME_value(names, index);
    if (name->type == GEN_URI) texts.push_back(text_of(name->d.uniformResourceIdentifier));
  }
  GENERAL_NAMES_free(names);
  return texts;
}

}  // namespace

Result<std::unique_ptr<asio::ssl::context>> tls_context(const Tls& tls) {
  Code error;
  auto context = std::make_unique<asio::ssl::context>(asio::ssl::context::tls_server);
  auto* native = context->native_handle();
  SSL_CTX_set_min_proto_version(native, TLS1_3_VERSION);
  SSL_CTX_set_session_cache_mode(native, SSL_SESS_CACHE_OFF);  // each connection proves itself; nothing is kept in memory
  SSL_CTX_set_num_tickets(native, 0);
  context->add_certificate_authority(asio::buffer(tls.ca), error);
  if (error) return fail(Blame::input, "the CA certificate is not usable: ", error.message());
  context->use_certificate_chain(asio::buffer(tls.certificate), error);
  if (error) return fail(Blame::input, "the agent's certificate is not usable: ", error.message());
  context->use_private_key(asio::buffer(tls.key), asio::ssl::context::pem, error);
  if (error || SSL_CTX_check_private_key(native) != 1)
    return fail(Blame::input, "the agent's key is not usable with its certificate", error ? ": " + error.message() : "");
  context->set_verify_mode(asio::ssl::verify_peer | asio::ssl::verify_fail_if_no_peer_cert, error);
  if (error) return fail(Blame::system, "TLS set-up: ", error.message());
  return context;
}

Subject peer_certificate(SSL* connection) {
  Subject subject;
  auto* certificate = SSL_get1_peer_certificate(connection);
  if (certificate == nullptr) return subject;
  const auto names = entries(certificate, NID_commonName);
  if (!names.empty()) subject.name = names.front();
  auto marks = entries(certificate, NID_organizationalUnitName);
  for (auto& uri : uri_names(certificate)) marks.push_back(std::move(uri));
  for (const auto& mark : marks)
    if (mark.starts_with(role_mark)) subject.roles.push_back(mark.substr(role_mark.size()));
  X509_free(certificate);
  return subject;
}

}  // namespace arashi::http
