// Serves HTTP/1.1 over a unix socket and over TCP, there with mutual TLS where keys are given. One thread; the handler must not block: it
// keeps `respond` and calls it when it knows the answer.
#pragma once

#include "injector/core/result.hpp"
#include "injector/core/units.hpp"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace arashi::http {

// Who asks. Over the unix socket: the user id, by SO_PEERCRED. Over TLS: what its verified certificate says.
struct Peer {
  std::string address;  // "10.0.0.9"; empty over the unix socket
  std::string reached;  // our own address that it has reached; likewise
  std::optional<std::uint32_t> user;
  std::string name;                // the certificate's common name
  std::vector<std::string> roles;  // "role=…" of its subject's organisational units and its URI alternative names
};

struct Request {
  std::string method, target, body;
  Peer peer;
};

struct Response {
  int status = 200;
  std::string type = "application/json", body;
  std::vector<std::string> allow;  // methods, for a 405
};

using Respond = std::function<void(Response)>;  // once, from the serving thread
using Handler = std::function<void(Request, Respond)>;

struct Limits {
  std::uint64_t body = std::uint64_t{1} << 20U;
  std::uint32_t header = 16384;
  std::size_t connections = 256;                 // of each listener: one that is full does not close the other
  Duration handshake = std::chrono::seconds(5);  // TLS
  Duration request = std::chrono::seconds(10);   // from a request's first byte to its last
  Duration idle = std::chrono::seconds(60);      // between requests
  Duration reply = std::chrono::seconds(30);     // until the peer has taken it
};

struct Tls {
  std::string ca, certificate, key;  // PEM texts; a peer must show a certificate of this CA
};

class Server {
 public:
  Server(Limits limits, Handler handler);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Takes the place of a socket file that nobody listens on any more; one that is served is an error.
  Result<void> listen_unix(const std::filesystem::path& path, unsigned mode);
  // `address` is a literal; port 0 takes a free one. Returns "ADDRESS:PORT" ("[::1]:7340").
  Result<std::string> listen_tcp(const std::string& address, std::uint16_t port, const std::optional<Tls>& tls);

  // Calls `ready` each time `fd` is readable or at its end, until it returns false. The descriptor stays the caller's.
  void watch(int fd, const std::function<bool()>& ready);

  void run();   // until stop()
  void stop();  // from the serving thread

 private:
  struct Inside;
  std::unique_ptr<Inside> inside_;
};

}  // namespace arashi::http
