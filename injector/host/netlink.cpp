#include "injector/host/netlink.hpp"

#include "injector/host/netns.hpp"

#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>

namespace arashi::netlink {

namespace {

constexpr std::size_t align(std::size_t length) { return (length + 3U) & ~std::size_t{3}; }

std::string extended_text(Bytes error_message, bool capped) {
  // struct nlmsgerr, then (unless capped) the request's payload, then attributes (NLM_F_ACK_TLVS)
  nlmsgerr head{};
  if (error_message.size() < sizeof head) return {};
  std::memcpy(&head, error_message.data(), sizeof head);
  std::size_t skip = sizeof head;
  if (!capped) skip += align(head.msg.nlmsg_len) - sizeof(nlmsghdr);
  if (skip > error_message.size()) return {};
  return std::string(text(find(error_message.subspan(skip), NLMSGERR_ATTR_MSG)));
}

int protocol_of(Socket::Family family) {
  switch (family) {
    case Socket::Family::route:
      return NETLINK_ROUTE;
    case Socket::Family::sock_diag:
      return NETLINK_SOCK_DIAG;
    case Socket::Family::netfilter:
      break;
  }
  return NETLINK_NETFILTER;
}

}  // namespace

std::optional<Attribute> cut_attribute(Bytes& rest) {
  nlattr head{};
  if (rest.size() < sizeof head) return std::nullopt;
  std::memcpy(&head, rest.data(), sizeof head);
  if (head.nla_len < sizeof head || head.nla_len > rest.size()) return std::nullopt;
  const auto value = rest.subspan(sizeof head, head.nla_len - sizeof head);
  rest = rest.subspan(std::min(rest.size(), align(head.nla_len)));
  return Attribute{static_cast<std::uint16_t>(head.nla_type & NLA_TYPE_MASK), value};
}

Message::Message(std::uint16_t type, std::uint16_t flags) {
  nlmsghdr head{};
  head.nlmsg_type = type;
  head.nlmsg_flags = static_cast<std::uint16_t>(flags | NLM_F_REQUEST);
  raw(std::as_bytes(std::span(&head, 1)));
}

Message& Message::raw(Bytes value) {
  bytes_.insert(bytes_.end(), value.begin(), value.end());
  bytes_.resize(align(bytes_.size()));
  return *this;
}

Message& Message::put(std::uint16_t type, Bytes value) {
  nlattr head{};
  head.nla_len = static_cast<std::uint16_t>(sizeof head + value.size());
  head.nla_type = type;
  raw(std::as_bytes(std::span(&head, 1)));
  return raw(value);
}

Message& Message::put_u32(std::uint16_t type, std::uint32_t value) { return put(type, std::as_bytes(std::span(&value, 1))); }

Message& Message::put_text(std::uint16_t type, std::string_view value) {
  const std::string terminated(value);
  return put(type, std::as_bytes(std::span(terminated.c_str(), terminated.size() + 1)));
}

std::size_t Message::nest(std::uint16_t type) {
  const auto start = bytes_.size();
  put(static_cast<std::uint16_t>(type | NLA_F_NESTED), {});
  return start;
}

void Message::end(std::size_t nested) {
  const auto length = static_cast<std::uint16_t>(bytes_.size() - nested);
  std::memcpy(&bytes_.at(nested), &length, sizeof length);
}

Bytes Message::bytes() const {
  const auto length = static_cast<std::uint32_t>(bytes_.size());
  std::memcpy(bytes_.data(), &length, sizeof length);
  return bytes_;
}

void Message::number(std::uint32_t sequence) { std::memcpy(&bytes_.at(offsetof(nlmsghdr, nlmsg_seq)), &sequence, sizeof sequence); }

void Message::flags(std::uint16_t flags) { std::memcpy(&bytes_.at(offsetof(nlmsghdr, nlmsg_flags)), &flags, sizeof flags); }

std::optional<Bytes> Reply::find(std::size_t skip, std::uint16_t type) const {
  const auto start = align(skip);
  if (start > payload_.size()) return std::nullopt;
  return netlink::find(Bytes(payload_).subspan(start), type);
}

std::optional<Bytes> find(Bytes attributes, std::uint16_t type) {
  while (const auto attribute = cut_attribute(attributes))
    if (attribute->type == type) return attribute->value;
  return std::nullopt;
}

std::string_view text(std::optional<Bytes> value) {
  if (!value) return {};
  const auto* start = reinterpret_cast<const char*>(value->data());
  return {start, strnlen(start, value->size())};
}

std::optional<std::uint32_t> u32(std::optional<Bytes> value) {
  std::uint32_t number = 0;
  if (!value || value->size() < sizeof number) return std::nullopt;
  std::memcpy(&number, value->data(), sizeof number);
  return number;
}

Unexpected<Error> ack_fail(const Ack& ack, std::string_view what) {
  auto blame = Blame::system;
  if (ack.code == ENOENT || ack.code == ENODEV) blame = Blame::missing;
  if (ack.code == EEXIST || ack.code == EBUSY || ack.code == EPERM) blame = Blame::refused;
  if (ack.code == EOPNOTSUPP) blame = Blame::unsupported;
  const std::string said = ack.said.empty() ? "" : " (" + ack.said + ")";
  return fail(blame, what, ": ", std::strerror(ack.code), said);
}

namespace {

// One row for all sockets: an answer that one of two that share a kernel socket has not waited for is nobody's.
std::uint32_t next_sequence() {
  static std::atomic<std::uint32_t> last = 0;
  return ++last;
}

}  // namespace

Result<Socket> Socket::open(Family family) {
  Fd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol_of(family)));
  if (!fd) return sys_fail("open a netlink socket");
  const int on = 1;
  // Both are for better messages and stricter dumps; kernels without them work as well.
  setsockopt(fd.get(), SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof on);
  setsockopt(fd.get(), SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on);
  const timeval patience{5, 0};
  setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  return Socket(std::move(fd));
}

Result<Socket> Socket::open(const Fd& netns, Family family) {
  Result<Socket> socket = fail(Blame::system, "not opened");
  TRY(inside(netns, [&socket, family]() -> Result<void> {
    socket = open(family);
    return socket ? Result<void>{} : pass(socket.error());
  }));
  return socket;
}

Result<Socket> Socket::share() const {
  Fd twin(fcntl(fd_.get(), F_DUPFD_CLOEXEC, 0));
  if (!twin) return sys_fail("share a netlink socket");
  return Socket(std::move(twin));
}

Result<void> Socket::send(Message& message) {
  sequence_ = next_sequence();
  message.number(sequence_);
  const auto bytes = message.bytes();
  if (::send(fd_.get(), bytes.data(), bytes.size(), 0) < 0) return sys_fail("send to netlink");
  return {};
}

Result<Bytes> Socket::receive() {
  constexpr std::size_t largest_answer = std::size_t{64} << 10U;
  buffer_.resize(largest_answer);
  for (;;) {
    const auto got = ::recv(fd_.get(), buffer_.data(), buffer_.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return sys_fail("receive from netlink");
    return Bytes(buffer_).first(static_cast<std::size_t>(got));
  }
}

namespace {

struct Part {
  nlmsghdr head;
  Bytes payload;
};
std::optional<Part> cut_message(Bytes& rest) {
  Part part{};
  if (rest.size() < sizeof part.head) return std::nullopt;
  std::memcpy(&part.head, rest.data(), sizeof part.head);
  if (part.head.nlmsg_len < sizeof part.head || part.head.nlmsg_len > rest.size()) return std::nullopt;
  part.payload = rest.subspan(sizeof part.head, part.head.nlmsg_len - sizeof part.head);
  rest = rest.subspan(std::min(rest.size(), align(part.head.nlmsg_len)));
  return part;
}

Ack ack_of(const Part& part) {
  int code = 0;
  if (part.payload.size() >= sizeof code) std::memcpy(&code, part.payload.data(), sizeof code);
  return {-code, extended_text(part.payload, (part.head.nlmsg_flags & NLM_F_CAPPED) != 0)};
}

}  // namespace

Result<Ack> Socket::change(Message message) {
  std::uint16_t flags = 0;
  std::memcpy(&flags, message.bytes().data() + offsetof(nlmsghdr, nlmsg_flags), sizeof flags);
  message.flags(static_cast<std::uint16_t>(flags | NLM_F_ACK));
  TRY(send(message));
  for (;;) {
    auto rest = TRY(receive());
    while (const auto part = cut_message(rest))
      if (part->head.nlmsg_seq == sequence_ && part->head.nlmsg_type == NLMSG_ERROR) return ack_of(*part);
  }
}

// The first refusal among the answers from `first` on, else the ack of `last`.
Result<Ack> Socket::batch_ack(std::uint32_t first, std::uint32_t last) {
  for (;;) {
    auto rest = TRY(receive());
    while (const auto part = cut_message(rest)) {
      if (part->head.nlmsg_type != NLMSG_ERROR || part->head.nlmsg_seq < first) continue;
      const auto ack = ack_of(*part);
      if (!ack || part->head.nlmsg_seq == last) return ack;
    }
  }
}

Result<Ack> Socket::change_all(std::vector<Message> messages) {
  std::vector<std::byte> all;
  std::uint32_t first = 0;
  std::uint32_t last = 0;  // that is answered
  for (std::size_t i = 0; i < messages.size(); ++i) {
    const bool is_frame = i == 0 || i + 1 == messages.size();  // NFNL_MSG_BATCH_BEGIN and _END are not answered
    std::uint16_t flags = 0;
    std::memcpy(&flags, messages[i].bytes().data() + offsetof(nlmsghdr, nlmsg_flags), sizeof flags);
    messages[i].flags(static_cast<std::uint16_t>(is_frame ? flags : flags | NLM_F_ACK));
    sequence_ = next_sequence();
    messages[i].number(sequence_);
    if (i == 0) first = sequence_;
    if (!is_frame) last = sequence_;
    const auto bytes = messages[i].bytes();
    all.insert(all.end(), bytes.begin(), bytes.end());
  }
  if (::send(fd_.get(), all.data(), all.size(), 0) < 0) return sys_fail("send to netlink");
  return batch_ack(first, last);
}

Result<std::map<int, std::size_t>> Socket::change_each(std::vector<Message> messages) {
  if (messages.empty()) return std::map<int, std::size_t>{};
  std::vector<std::byte> all;
  const auto first = sequence_ + 1;
  std::uint16_t flags = 0;
  std::memcpy(&flags, messages.back().bytes().data() + offsetof(nlmsghdr, nlmsg_flags), sizeof flags);
  messages.back().flags(static_cast<std::uint16_t>(flags | NLM_F_ACK));  // of the others only refusals are told
  for (auto& message : messages) {
    message.number(++sequence_);
    const auto bytes = message.bytes();
    all.insert(all.end(), bytes.begin(), bytes.end());
  }
  if (::send(fd_.get(), all.data(), all.size(), 0) < 0) return sys_fail("send to netlink");
  return refusals(first);
}

// By their code, among the answers from `first` on to the ack of the last message.
Result<std::map<int, std::size_t>> Socket::refusals(std::uint32_t first) {
  std::map<int, std::size_t> refused;
  for (;;) {
    auto rest = TRY(receive());
    while (const auto part = cut_message(rest)) {
      if (part->head.nlmsg_type != NLMSG_ERROR || part->head.nlmsg_seq < first) continue;
      if (const auto ack = ack_of(*part); !ack) ++refused[ack.code];
      if (part->head.nlmsg_seq == sequence_) return refused;
    }
  }
}

Result<std::vector<Reply>> Socket::dump(Message message) {
  message.flags(NLM_F_REQUEST | NLM_F_DUMP);
  TRY(send(message));
  std::vector<Reply> replies;
  for (;;) {
    auto rest = TRY(receive());
    while (const auto part = cut_message(rest)) {
      if (part->head.nlmsg_seq != sequence_) continue;
      if (part->head.nlmsg_type == NLMSG_DONE) return replies;
      if (part->head.nlmsg_type == NLMSG_ERROR) return ack_fail(ack_of(*part), "netlink dump");
      replies.emplace_back(part->head.nlmsg_type, std::vector(part->payload.begin(), part->payload.end()));
    }
  }
}

Result<std::optional<Reply>> Socket::get(Message message, Ack* ack) {
  message.flags(NLM_F_REQUEST);
  TRY(send(message));
  for (;;) {
    auto rest = TRY(receive());
    while (const auto part = cut_message(rest)) {
      if (part->head.nlmsg_seq != sequence_) continue;
      if (part->head.nlmsg_type != NLMSG_ERROR)
        return std::optional<Reply>(Reply(part->head.nlmsg_type, std::vector(part->payload.begin(), part->payload.end())));
      if (ack != nullptr) *ack = ack_of(*part);
      return std::optional<Reply>{};
    }
  }
}

}  // namespace arashi::netlink
