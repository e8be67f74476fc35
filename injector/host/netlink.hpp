// rtnetlink: messages are bytes that are made and read without a socket; one class sends them.
#pragma once

#include "injector/core/fd.hpp"
#include "injector/core/result.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace arashi::netlink {

using Bytes = std::span<const std::byte>;

// One request: netlink header, the family's own header (tcmsg, ifinfomsg, …), attributes.
class Message {
 public:
  Message(std::uint16_t type, std::uint16_t flags);  // NLM_F_REQUEST is added
  template <class Header>
  Message& header(const Header& header) {
    return raw(std::as_bytes(std::span(&header, 1)));
  }
  Message& body(Bytes bytes) { return raw(bytes); }  // family header and attributes, made or read elsewhere
  Message& put(std::uint16_t type, Bytes value);
  Message& put_u32(std::uint16_t type, std::uint32_t value);
  Message& put_text(std::uint16_t type, std::string_view text);  // with its terminating zero
  std::size_t nest(std::uint16_t type);                          // opens a nested attribute …
  void end(std::size_t nested);                                  // … and closes it
  [[nodiscard]] Bytes bytes() const;                             // with the length filled in
  void number(std::uint32_t sequence);
  void flags(std::uint16_t flags);

 private:
  Message& raw(Bytes value);
  mutable std::vector<std::byte> bytes_;
};

// One answer to a dump or a get.
class Reply {
 public:
  Reply(std::uint16_t type, std::vector<std::byte> payload) : type_(type), payload_(std::move(payload)) {}
  [[nodiscard]] std::uint16_t type() const { return type_; }
  [[nodiscard]] Bytes payload() const { return payload_; }
  template <class Header>
  [[nodiscard]] Header header() const {
    Header header{};
    if (!payload_.empty()) std::memcpy(&header, payload_.data(), std::min(sizeof header, payload_.size()));
    return header;
  }
  // The attribute behind a header of `skip` bytes; empty if there is none.
  [[nodiscard]] std::optional<Bytes> find(std::size_t skip, std::uint16_t type) const;

 private:
  std::uint16_t type_;
  std::vector<std::byte> payload_;
};

// Reading attributes out of bytes (a nested one is bytes again).
struct Attribute {
  std::uint16_t type;
  Bytes value;
};
std::optional<Attribute> cut_attribute(Bytes& rest);  // the first one, off `rest`; nothing at the end or when the lengths lie
std::optional<Bytes> find(Bytes attributes, std::uint16_t type);
std::string_view text(std::optional<Bytes> value);  // empty if absent
std::optional<std::uint32_t> u32(std::optional<Bytes> value);

// The kernel's answer to a change: 0, or an errno and what the kernel said about it.
struct Ack {
  int code = 0;
  std::string said;
  explicit operator bool() const { return code == 0; }
};
// "what: No such file or directory (Cannot find specified qdisc)": ENOENT and ENODEV are Blame::missing, EEXIST and EBUSY refused,
// EOPNOTSUPP unsupported, EPERM refused, all others system.
Unexpected<Error> ack_fail(const Ack& ack, std::string_view what);

// A netlink socket. It belongs to the namespace it was opened in and works from any thread, one at a time.
class Socket {
 public:
  enum class Family { route, sock_diag, netfilter };
  static Result<Socket> open(Family family = Family::route);                   // in the calling thread's namespace
  static Result<Socket> open(const Fd& netns, Family family = Family::route);  // in that one
  // Another one on the same kernel socket, for the same thread: each asks and reads its answer before the other asks.
  [[nodiscard]] Result<Socket> share() const;
  Result<Ack> change(Message message);                    // waits for the kernel's ack
  Result<Ack> change_all(std::vector<Message> messages);  // nfnetlink's batch: all or nothing; the first refusal, else the last's ack
  // Each for itself, in one system call; how many of them the kernel refused, by errno.
  Result<std::map<int, std::size_t>> change_each(std::vector<Message> messages);
  Result<std::vector<Reply>> dump(Message message);
  Result<std::optional<Reply>> get(Message message, Ack* ack = nullptr);  // one object (a link, a route); none if the kernel refuses

 private:
  explicit Socket(Fd fd) : fd_(std::move(fd)) {}
  Result<void> send(Message& message);
  Result<Ack> batch_ack(std::uint32_t first, std::uint32_t last);
  Result<std::map<int, std::size_t>> refusals(std::uint32_t first);
  Result<Bytes> receive();  // until the next one
  Fd fd_;
  std::vector<std::byte> buffer_;  // one for all answers: to make and clear it for each costs more than the kernel takes to answer
  std::uint32_t sequence_ = 0;     // of the last message
};

}  // namespace arashi::netlink
