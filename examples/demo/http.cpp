#include "http.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <optional>
#include <sstream>
#include <thread>

namespace demo {
namespace {

constexpr std::size_t largest_request = std::size_t{16} * 1024;
constexpr int most_connections = 1000;

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

Request parse_head(const std::string& head) {
  Request request;
  std::istringstream lines(head);
  lines >> request.method >> request.path;
  std::string line;
  std::getline(lines, line);
  while (std::getline(lines, line)) {
    const auto colon = line.find(':');
    if (colon == std::string::npos) continue;
    const auto begin = line.find_first_not_of(" \t", colon + 1);
    const auto end = line.find_last_not_of(" \t\r");
    request.headers[lower(line.substr(0, colon))] = begin == std::string::npos || end < begin ? "" : line.substr(begin, end - begin + 1);
  }
  return request;
}

class Connection {
 public:
  explicit Connection(int socket) : socket_(socket) {}
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() { close(socket_); }

  // Absent at the end of the connection, or when what comes is too large or not HTTP.
  std::optional<Request> read() {
    auto end = std::string::npos;
    while ((end = buffer_.find("\r\n\r\n")) == std::string::npos)
      if (!more()) return std::nullopt;
    Request request = parse_head(buffer_.substr(0, end + 2));
    std::size_t length = 0;
    if (const auto given = request.headers.find("content-length"); given != request.headers.end())
      length = std::strtoul(given->second.c_str(), nullptr, 10);
    if (length > largest_request || request.method.empty()) return std::nullopt;
    while (buffer_.size() < end + 4 + length)
      if (!more()) return std::nullopt;
    request.body = buffer_.substr(end + 4, length);
    buffer_.erase(0, end + 4 + length);
    return request;
  }

  bool write(const Answer& answer) const {
    std::ostringstream text;
    text << "HTTP/1.1 " << answer.status << " -\r\nContent-Type: " << answer.type << "\r\nContent-Length: " << answer.body.size()
         << "\r\n\r\n"
         << answer.body;
    const std::string bytes = text.str();
    for (std::size_t sent = 0; sent < bytes.size();) {
      const ssize_t n = send(socket_, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
      if (n <= 0) return false;
      sent += static_cast<std::size_t>(n);
    }
    return true;
  }

 private:
  bool more() {
    std::array<char, 4096> bytes;
    const ssize_t n = recv(socket_, bytes.data(), bytes.size(), 0);
    if (n <= 0 || buffer_.size() + static_cast<std::size_t>(n) > 2 * largest_request) return false;
    buffer_.append(bytes.data(), static_cast<std::size_t>(n));
    return true;
  }

  int socket_;
  std::string buffer_;
};

void converse(int socket, const Handler& handler) {
  Connection connection(socket);
  while (auto request = connection.read())
    if (!connection.write(handler(*request)) || lower(request->headers["connection"]) == "close") return;
}

// A peer that vanished without a word (a partition, a killed machine) must not hold a thread for ever.
void notice_dead_peers(int socket) {
  const int on = 1, idle = 10, interval = 5, tries = 3;
  setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  setsockopt(socket, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  setsockopt(socket, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
  setsockopt(socket, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval);
  setsockopt(socket, IPPROTO_TCP, TCP_KEEPCNT, &tries, sizeof tries);
}

}  // namespace

std::string serve(int port, const Handler& handler) {
  const int listener = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_port = htons(static_cast<std::uint16_t>(port));
  if (bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 || listen(listener, 256) != 0)
    return std::string("listen on port ") + std::to_string(port) + ": " + std::strerror(errno);
  static std::atomic<int> connections{0};
  for (;;) {
    const int peer = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    if (peer < 0) continue;
    notice_dead_peers(peer);
    if (++connections > most_connections) {
      --connections;
      close(peer);
      continue;
    }
    std::thread([peer, &handler] {
      converse(peer, handler);
      --connections;
    }).detach();
  }
}

}  // namespace demo
