#include "agent/channel.hpp"

#include <sys/socket.h>

#include <array>

namespace arashi {

namespace {

void put_number(std::string& out, std::uint64_t number, unsigned bytes) {
  for (unsigned shift = bytes * 8; shift > 0;) {
    shift -= 8;
    out += static_cast<char>((number >> shift) & 0xffU);
  }
}

void put_text(std::string& out, std::string_view text) {
  put_number(out, text.size(), 4);
  out += text;
}

std::string framed(const std::string& content) {
  std::string frame;
  frame.reserve(content.size() + 4);
  put_text(frame, content);
  return frame;
}

std::uint64_t number_at(std::string_view bytes, std::size_t at, unsigned length) {
  std::uint64_t number = 0;
  for (unsigned index = 0; index < length; ++index) number = number << 8U | static_cast<unsigned char>(bytes[at + index]);
  return number;
}

// Takes pieces off the front; once something was too short all that follows is empty and `whole` false.
class Pieces {
 public:
  explicit Pieces(std::string_view frame) : rest_(frame) {}

  std::uint64_t number(unsigned bytes) {
    if (!take(bytes)) return 0;
    const auto value = number_at(rest_, 0, bytes);
    rest_.remove_prefix(bytes);
    return value;
  }

  std::string text() {
    const auto length = number(4);
    if (!take(length)) return {};
    std::string value(rest_.substr(0, length));
    rest_.remove_prefix(length);
    return value;
  }

  [[nodiscard]] bool used_up() const { return whole_ && rest_.empty(); }

 private:
  bool take(std::uint64_t bytes) {
    whole_ = whole_ && rest_.size() >= bytes;
    return whole_;
  }
  std::string_view rest_;
  bool whole_ = true;
};

}  // namespace

std::string encode(const Call& call) {
  std::string content;
  put_number(content, call.id, 8);
  for (const auto* text : {&call.method, &call.path, &call.body, &call.peer, &call.reached}) put_text(content, *text);
  return framed(content);
}

std::string encode(const Answer& answer) {
  std::string content;
  put_number(content, answer.id, 8);
  put_number(content, static_cast<std::uint64_t>(answer.status), 4);
  put_text(content, answer.type);
  put_text(content, answer.body);
  return framed(content);
}

Result<Call> decode_call(std::string_view frame) {
  Pieces pieces(frame);
  Call call;
  call.id = pieces.number(8);
  for (auto* text : {&call.method, &call.path, &call.body, &call.peer, &call.reached}) *text = pieces.text();
  if (!pieces.used_up()) return fail(Blame::system, "a call frame of ", frame.size(), " bytes is malformed");
  return call;
}

Result<Answer> decode_answer(std::string_view frame) {
  Pieces pieces(frame);
  Answer answer;
  answer.id = pieces.number(8);
  const auto status = pieces.number(4);
  answer.type = pieces.text();
  answer.body = pieces.text();
  if (!pieces.used_up() || status < 100 || status > 599)
    return fail(Blame::system, "an answer frame of ", frame.size(), " bytes is malformed");
  answer.status = static_cast<int>(status);
  return answer;
}

Result<std::optional<std::string>> Frames::next() {
  const auto there = bytes_.size() - start_;
  if (there < 4) return std::optional<std::string>();
  const auto length = number_at(bytes_, start_, 4);
  if (length > largest) return fail(Blame::system, "a frame of ", length, " bytes: at most ", largest, " are accepted");
  if (there - 4 < length) return std::optional<std::string>();
  auto frame = bytes_.substr(start_ + 4, length);
  start_ += 4 + length;
  if (start_ == bytes_.size() || start_ > largest) {  // moved down seldom, so that many small frames cost no copying
    bytes_.erase(0, start_);
    start_ = 0;
  }
  return std::optional(std::move(frame));
}

Result<std::pair<Fd, Fd>> channel_pair() {
  std::array<int, 2> fds{};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds.data()) != 0) return sys_fail("make a socketpair");
  return std::pair(Fd(fds[0]), Fd(fds[1]));
}

Result<bool> receive_into(Frames& frames, int fd) {
  std::array<char, 16384> buffer;
  for (;;) {
    const auto got = recv(fd, buffer.data(), buffer.size(), MSG_DONTWAIT);
    const int problem = got < 0 ? errno : 0;
    if (problem == EINTR) continue;
    if (problem == EAGAIN) return true;
    if (got == 0 || problem == ECONNRESET) return false;
    if (got < 0) return sys_fail("read from the agent's channel");
    frames.add({buffer.data(), static_cast<std::size_t>(got)});
    if (static_cast<std::size_t>(got) < buffer.size()) return true;
  }
}

Result<void> send_from(std::string& pending, int fd) {
  std::size_t sent = 0;
  while (sent < pending.size()) {
    const auto wrote = send(fd, pending.data() + sent, pending.size() - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0 && errno == EAGAIN) break;
    if (wrote < 0) return sys_fail("write to the agent's channel");
    sent += static_cast<std::size_t>(wrote);
  }
  pending.erase(0, sent);
  return {};
}

}  // namespace arashi
