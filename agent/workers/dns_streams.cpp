#include "agent/workers/dns_streams.hpp"

#include <netinet/in.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <optional>
#include <system_error>
#include <thread>

namespace arashi::workers::dns {

namespace {

constexpr int original_dst = 80;  // SO_ORIGINAL_DST and IP6T_SO_ORIGINAL_DST, whose headers clash with <netinet/in.h>
constexpr timeval patience{10, 0};
constexpr int most_streams = 64;  // a connection more waits in the kernel

SocketName address_of(const AddressPort& endpoint) {
  SocketName peer;
  const auto* bytes = endpoint.address.address.data();
  if (endpoint.address.v4()) {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(endpoint.port);
    std::memcpy(&v4.sin_addr, bytes + 12, 4);
    std::memcpy(&peer.storage, &v4, peer.length = sizeof v4);
  } else {
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(endpoint.port);
    std::memcpy(&v6.sin6_addr, bytes, 16);
    std::memcpy(&peer.storage, &v6, peer.length = sizeof v6);
  }
  return peer;
}

bool read_whole(int fd, std::span<std::byte> into) {
  while (!into.empty()) {
    const auto got = ::recv(fd, into.data(), into.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    into = into.subspan(static_cast<std::size_t>(got));
  }
  return true;
}

// A message behind its length, RFC 1035 4.2.2.
std::optional<std::vector<std::byte>> read_message(int fd) {
  std::array<std::byte, 2> length{};
  if (!read_whole(fd, length)) return std::nullopt;
  std::vector<std::byte> message(std::to_integer<std::size_t>(length[0]) << 8U | std::to_integer<std::size_t>(length[1]));
  if (!read_whole(fd, message)) return std::nullopt;
  return message;
}

bool write_message(int fd, Bytes message) {
  std::vector<std::byte> framed{static_cast<std::byte>(message.size() >> 8U), static_cast<std::byte>(message.size() & 0xffU)};
  framed.insert(framed.end(), message.begin(), message.end());
  for (std::span<const std::byte> rest = framed; !rest.empty();) {
    const auto sent = ::send(fd, rest.data(), rest.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return false;
    rest = rest.subspan(static_cast<std::size_t>(sent));
  }
  return true;
}

std::optional<AddressPort> server_of(int fd) {
  SocketName server;
  const auto family = name_of_socket(fd).storage.ss_family;
  if (::getsockopt(fd, family == AF_INET ? SOL_IP : SOL_IPV6, original_dst, &server.storage, &server.length) != 0) return std::nullopt;
  return server.endpoint();
}

// To the server that was meant and back; the connection to it stays for the next query.
bool relay(int client, Bytes query, Fd& server) {
  if (!server) {
    const auto meant = server_of(client);
    auto connected = meant ? connect_to(*meant, SOCK_STREAM) : Result<Fd>(fail(Blame::missing, "no server"));
    if (!connected) return false;
    server = std::move(*connected);
  }
  if (!write_message(server.get(), query)) return false;
  const auto answer = read_message(server.get());
  return answer && write_message(client, *answer);
}

// Hit queries that get no answer leave the connection open, as a server that does not answer would.
void serve(const Fd& client, Rules& rules) {
  ::setsockopt(client.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  ::setsockopt(client.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  Fd server;
  while (const auto query = read_message(client.get())) {
    const auto fate = rules.fate_of(*query);
    if (fate.delay > Duration{}) std::this_thread::sleep_for(fate.delay);
    if (fate.act == Act::pass && !relay(client.get(), *query, server)) return;
    if (fate.act == Act::answer && !write_message(client.get(), fate.answer)) return;
  }
}

}  // namespace

Rules::Rules(const dns_answer::Rules& config) : rules_(config), chance_(config.seed ? *config.seed : std::random_device{}()) {}

bool Rules::is_meant(const arashi::dns::Question& question) const {
  if (!rules_.types.empty() && std::ranges::find(rules_.types, question.type) == rules_.types.end()) return false;
  return rules_.names.empty() ||
         std::ranges::any_of(rules_.names, [&](const auto& each) { return arashi::dns::fits(each, question.name); });
}

Fate Rules::fate_of(Bytes query) {
  const auto question = arashi::dns::read_question(query);
  const std::lock_guard lock(mutex_);
  ++stats_.queries;
  if (!question || !is_meant(*question)) return {};
  ++stats_.matched;
  if (rules_.share < 1 && std::generate_canonical<double, 53>(chance_) >= rules_.share) return {};
  ++stats_.affected;
  Fate fate{.act = Act::answer, .delay = rules_.delay, .answer = {}};
  using arashi::dns::Code;
  if (rules_.answer == "pass") fate.act = Act::pass;
  if (rules_.answer == "timeout") fate.act = Act::drop;
  const auto code = rules_.answer == "nxdomain" ? Code::no_such_name : rules_.answer == "servfail" ? Code::server_failure : Code::no_error;
  if (fate.act == Act::answer) fate.answer = arashi::dns::answer(query, *question, code, rules_.addresses);
  return fate;
}

dns_answer::Stats Rules::stats() const {
  const std::lock_guard lock(mutex_);
  return stats_;
}

AddressPort SocketName::endpoint() const {
  AddressPort found;
  if (storage.ss_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, &storage, sizeof v4);
    found.address.address = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    std::memcpy(found.address.address.data() + 12, &v4.sin_addr, 4);
    found.port = ntohs(v4.sin_port);
  } else {
    sockaddr_in6 v6{};
    std::memcpy(&v6, &storage, sizeof v6);
    std::memcpy(found.address.address.data(), &v6.sin6_addr, 16);
    found.port = ntohs(v6.sin6_port);
  }
  return found;
}

SocketName name_of_socket(int fd) {
  SocketName peer;
  ::getsockname(fd, peer.address(), &peer.length);
  return peer;
}

Result<Fd> listen_at(const AddressPort& here, int type) {
  const auto own = address_of(here);
  Fd socket(::socket(own.storage.ss_family, type | SOCK_CLOEXEC, 0));
  if (!socket) return fail(Blame::missing, "no sockets of this family: ", std::strerror(errno));
  const int on = 1;
  if (own.storage.ss_family == AF_INET6) ::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  if (::bind(socket.get(), own.address(), own.length) != 0) {
    const auto blame = errno == EADDRINUSE ? Blame::refused : errno == EADDRNOTAVAIL ? Blame::missing : Blame::system;
    return fail(blame, "listen at ", to_text(here.address), " port ", here.port, ": ", std::strerror(errno));
  }
  if (type == SOCK_STREAM && ::listen(socket.get(), SOMAXCONN) != 0) return sys_fail("listen at ", to_text(here.address));
  return socket;
}

Result<Fd> connect_to(const AddressPort& server, int type) {
  const auto there = address_of(server);
  Fd socket(::socket(there.storage.ss_family, type | SOCK_CLOEXEC, 0));
  if (!socket) return sys_fail("open a socket");
  ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  if (::setsockopt(socket.get(), SOL_SOCKET, SO_MARK, &mark, sizeof mark) != 0) return sys_fail("mark a socket");
  if (::connect(socket.get(), there.address(), there.length) != 0) return sys_fail("connect to ", to_text(server.address));
  return socket;
}

void serve_streams(Fd listener, Rules& rules) {
  static std::atomic<int> running = 0;
  std::thread([listener = std::move(listener), &rules] {
    while (true) {
      Fd client(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!client && errno != EINTR && errno != ECONNABORTED) std::this_thread::sleep_for(std::chrono::milliseconds(100));
      if (!client) continue;
      while (running >= most_streams) std::this_thread::sleep_for(std::chrono::milliseconds(20));
      ++running;
      try {
        std::thread([client = std::move(client), &rules] {
          serve(client, rules);
          --running;
        }).detach();
      } catch (const std::system_error&) {  // no thread to be had: this client is turned away
        --running;
      }
    }
  }).detach();
}

}  // namespace arashi::workers::dns
