// Mutual TLS: the server's side of it. Private to this folder.
#pragma once

#include "agent/http/server.hpp"

#include <boost/asio/ssl/context.hpp>

#include <memory>

namespace arashi::http {

// TLS 1.3 only; a peer without a valid certificate of the CA does not get past the handshake.
Result<std::unique_ptr<boost::asio::ssl::context>> tls_context(const Tls& tls);

struct Subject {
  std::string name;
  std::vector<std::string> roles;
};
// Of the certificate the peer showed; only after the handshake, which has verified it.
Subject peer_certificate(SSL* connection);

}  // namespace arashi::http
