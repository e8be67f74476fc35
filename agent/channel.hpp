// The socketpair between the api process, which strangers may talk to, and the injector process, which has the rights. Each frame is a
// length (4 bytes, big-endian) and that many bytes; in it numbers are 8 bytes big-endian and texts a length of 4 bytes and their bytes.
// The injector process believes nothing of what it reads here but the sizes that it has checked.
#pragma once

#include "injector/core/fd.hpp"
#include "injector/core/result.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace arashi {

// api → injector. Method "READY" (path = TCP address or empty) and "FAILED" (body = ErrorReply) are the api process's own; it
// sends one of them first.
struct Call {
  std::uint64_t id = 0;
  std::string method, path, body;
  std::string peer, reached;  // addresses: who asks, and at which of ours; empty over the unix socket
  bool operator==(const Call&) const = default;
};

// injector → api
struct Answer {
  std::uint64_t id = 0;
  int status = 200;
  std::string type, body;  // media type
  bool operator==(const Answer&) const = default;
};

std::string encode(const Call& call);  // with the frame's length in front
std::string encode(const Answer& answer);
Result<Call> decode_call(std::string_view frame);  // without
Result<Answer> decode_answer(std::string_view frame);

// Bytes as they come in → whole frames.
class Frames {
 public:
  static constexpr std::size_t largest = std::size_t{32} << 20U;

  void add(std::string_view bytes) { bytes_.append(bytes); }
  // The next whole frame if there is one; an error when what follows cannot be a frame: the channel is then of no further use.
  Result<std::optional<std::string>> next();

 private:
  std::string bytes_;
  std::size_t start_ = 0;
};

// A connected pair of stream sockets, close-on-exec and non-blocking.
Result<std::pair<Fd, Fd>> channel_pair();

// Reads what is there. False at the end of the stream.
Result<bool> receive_into(Frames& frames, int fd);
// Writes what fits and removes it from `pending`.
Result<void> send_from(std::string& pending, int fd);

}  // namespace arashi
