#include "tests/support/http_server.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <stdexcept>

namespace arashi::testing {
namespace {

Fd listen_tcp(int& port) {
  Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (::bind(fd.get(), generic, size) != 0 || ::listen(fd.get(), 1024) != 0) throw std::runtime_error("listen on 127.0.0.1");
  ::getsockname(fd.get(), generic, &size);
  port = ntohs(address.sin_port);
  return fd;
}

Fd listen_unix(const std::string& path) {
  Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 || ::listen(fd.get(), 64) != 0)
    throw std::runtime_error("listen on " + path);
  return fd;
}

void reset(int fd) {
  sockaddr nowhere{};
  nowhere.sa_family = AF_UNSPEC;
  ::connect(fd, &nowhere, sizeof nowhere);
}

std::size_t body_length(const std::string& head) {
  const auto at = head.find("Content-Length: ");
  return at == std::string::npos ? 0 : std::strtoul(head.c_str() + at + std::strlen("Content-Length: "), nullptr, 10);
}

}  // namespace

HttpServer::HttpServer(Decide decide, const std::string& unix_socket)
    : decide_(std::move(decide)), listener_(unix_socket.empty() ? listen_tcp(port_) : listen_unix(unix_socket)) {
  acceptor_ = std::thread([this] { accept_all(); });
}

HttpServer::~HttpServer() {
  stopping_ = true;
  ::shutdown(listener_.get(), SHUT_RDWR);
  acceptor_.join();
  {
    const std::lock_guard lock(mutex_);
    for (const Fd& client : clients_) ::shutdown(client.get(), SHUT_RDWR);
  }
  for (std::thread& thread : threads_) thread.join();
}

std::string HttpServer::url(const std::string& path) const { return "http://127.0.0.1:" + std::to_string(port_) + path; }

void HttpServer::accept_all() {
  while (!stopping_) {
    Fd client(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!client) return;
    ++accepted_;
    const int on = 1;
    ::setsockopt(client.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    const std::lock_guard lock(mutex_);
    clients_.push_back(std::move(client));
    threads_.emplace_back([this, fd = clients_.back().get()] { serve(fd); });
  }
}

void HttpServer::serve(int fd) {
  std::string data;
  int count = 0;
  std::array<char, 16384> block{};
  while (!stopping_) {
    const auto end = data.find("\r\n\r\n");
    const std::size_t need = end == std::string::npos ? std::string::npos : end + 4 + body_length(data.substr(0, end));
    if (data.size() < need || need == std::string::npos) {
      const auto got = ::recv(fd, block.data(), block.size(), 0);
      if (got <= 0) break;
      data.append(block.data(), static_cast<std::size_t>(got));
      continue;
    }
    Asked asked;
    asked.of_connection = ++count;
    asked.head = data.substr(0, end);
    asked.body = data.substr(end + 4, need - end - 4);
    asked.method = asked.head.substr(0, asked.head.find(' '));
    const auto target = asked.method.size() + 1;
    asked.target = asked.head.substr(target, asked.head.find(' ', target) - target);
    data.erase(0, need);
    if (!answer(fd, asked)) break;
  }
  ::shutdown(fd, SHUT_RDWR);
}

bool HttpServer::answer(int fd, const Asked& asked) {
  const Answered reply = decide_(asked);
  for (const auto until = boot_now() + reply.after; boot_now() < until && !stopping_;)
    std::this_thread::sleep_for(std::min<Duration>(until - boot_now(), std::chrono::milliseconds(5)));
  if (reply.cut && reply.reset) reset(fd);
  if (reply.cut || stopping_) return false;
  std::string text = "HTTP/1.1 " + std::to_string(reply.status) + " X\r\nContent-Length: " + std::to_string(reply.body.size()) + "\r\n" +
                     reply.headers + "\r\n";
  if (asked.method != "HEAD") text += reply.body;
  const bool sent = ::send(fd, text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size());
  if (!reply.then.empty()) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    ::send(fd, reply.then.data(), reply.then.size(), MSG_NOSIGNAL);
  }
  if (!reply.reset_later) return sent;
  std::this_thread::sleep_for(*reply.reset_later);
  reset(fd);
  return false;
}

int free_port() {
  int port = 0;
  const Fd fd = listen_tcp(port);
  return port;
}

}  // namespace arashi::testing
