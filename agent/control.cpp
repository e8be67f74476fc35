#include "agent/control.hpp"

#include <sys/socket.h>

#include <array>

namespace arashi {

Result<std::pair<Fd, Fd>> control_pair() {
  std::array<int, 2> fds{};
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds.data()) != 0) return sys_fail("make a socketpair");
  return std::pair(Fd(fds[0]), Fd(fds[1]));
}

void send_notice(int fd, const Notice& notice) {
  std::string packet;
  packet += static_cast<char>('0' + static_cast<int>(notice.kind));
  packet += static_cast<char>('0' + static_cast<int>(notice.blame));
  packet += notice.text.substr(0, 8000);
  (void)send(fd, packet.data(), packet.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
}

std::optional<Notice> receive_notice(int fd, bool& ended) {
  std::array<char, 8192> packet;
  const auto got = recv(fd, packet.data(), packet.size(), MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return std::nullopt;
  if (got < 2) {
    ended = true;
    return std::nullopt;
  }
  return Notice{.kind = static_cast<Notice::Kind>(packet[0] - '0'),
                .blame = static_cast<Blame>(packet[1] - '0'),
                .text = std::string(packet.data() + 2, static_cast<std::size_t>(got) - 2)};
}

}  // namespace arashi
