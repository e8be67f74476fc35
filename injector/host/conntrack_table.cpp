#include "injector/host/conntrack_table.hpp"

#include "injector/core/cidr.hpp"
#include "injector/core/crc.hpp"
#include "injector/host/files.hpp"
#include "injector/host/netns.hpp"

#include <arpa/inet.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace arashi {

using netlink::Message;
using netlink::Socket;

namespace {

constexpr std::uint16_t new_entry = NFNL_SUBSYS_CTNETLINK << 8U | IPCTNL_MSG_CT_NEW;
constexpr std::uint16_t delete_entry = NFNL_SUBSYS_CTNETLINK << 8U | IPCTNL_MSG_CT_DELETE;
constexpr std::uint16_t stats_of_cpus = NFNL_SUBSYS_CTNETLINK << 8U | IPCTNL_MSG_CT_GET_STATS_CPU;
constexpr std::size_t most_in_one_call = 200;
constexpr std::uint16_t first_port = 1024;
constexpr std::size_t ports_of_each = 60000;

struct Tuple {
  std::uint32_t source = 0, destination = 0;
  std::uint16_t source_port = 0, destination_port = 0;
};

// 198.18.0.0/15 to 192.0.2.1, port 9 (discard).
Tuple tuple_of(std::size_t number) {
  return {.source = 0xc6120000U + static_cast<std::uint32_t>(number / ports_of_each),
          .destination = 0xc0000201U,
          .source_port = static_cast<std::uint16_t>(first_port + number % ports_of_each),
          .destination_port = 9};
}

Tuple answer_to(const Tuple& tuple) {
  return {.source = tuple.destination,
          .destination = tuple.source,
          .source_port = tuple.destination_port,
          .destination_port = tuple.source_port};
}

void put_u16(Message& message, std::uint16_t type, std::uint16_t value) {
  const std::uint16_t wire = htons(value);
  message.put(type, std::as_bytes(std::span(&wire, 1)));
}

void put_tuple(Message& message, std::uint16_t type, const Tuple& tuple) {
  const auto whole = message.nest(type);
  const auto addresses = message.nest(CTA_TUPLE_IP);
  message.put_u32(CTA_IP_V4_SRC, htonl(tuple.source)).put_u32(CTA_IP_V4_DST, htonl(tuple.destination));
  message.end(addresses);
  const auto ports = message.nest(CTA_TUPLE_PROTO);
  const std::uint8_t udp = IPPROTO_UDP;  // no kernel puts an answered UDP entry out before its time
  message.put(CTA_PROTO_NUM, std::as_bytes(std::span(&udp, 1)));
  put_u16(message, CTA_PROTO_SRC_PORT, tuple.source_port);
  put_u16(message, CTA_PROTO_DST_PORT, tuple.destination_port);
  message.end(ports);
  message.end(whole);
}

Message about(std::uint16_t type, std::uint16_t flags, const Tuple& tuple, std::uint16_t zone) {
  nfgenmsg header{};
  header.nfgen_family = AF_INET;
  Message message(type, flags);
  message.header(header);
  put_tuple(message, CTA_TUPLE_ORIG, tuple);
  put_u16(message, CTA_ZONE, zone);
  return message;
}

Message living(std::uint16_t flags, std::size_t number, std::uint16_t zone) {
  const auto tuple = tuple_of(number);
  auto message = about(new_entry, flags, tuple, zone);
  put_tuple(message, CTA_TUPLE_REPLY, answer_to(tuple));
  message.put_u32(CTA_STATUS, htonl(IPS_CONFIRMED | IPS_ASSURED | IPS_SEEN_REPLY));
  message.put_u32(CTA_TIMEOUT,
                  htonl(static_cast<std::uint32_t>(std::chrono::seconds(Fillers::lifetime / std::chrono::seconds(1)).count())));
  return message;
}

bool is_for_want_of_room(int code) { return code == ENOMEM || code == ENOSPC || code == EAGAIN; }

Result<std::uint64_t> number_in(const std::filesystem::path& file) {
  const auto text = read_text(file);
  if (!text && text.error().blame == Blame::missing)
    return fail(Blame::unsupported, "there is no connection tracking in this kernel: no '", file.string(), "'");
  if (!text) return pass(text.error());
  std::uint64_t number = 0;
  std::from_chars(text->data(), text->data() + text->size(), number);
  return number;
}

// Sends one datagram to itself and looks for its entry, which it removes.
Result<bool> tracks_a_datagram() {
  const Fd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_in name{};
  name.sin_family = AF_INET;
  name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof name;
  auto* address = reinterpret_cast<sockaddr*>(&name);
  const bool sent = socket && ::bind(socket.get(), address, length) == 0 && ::getsockname(socket.get(), address, &length) == 0 &&
                    ::sendto(socket.get(), "", 1, MSG_DONTWAIT, address, length) == 1;
  if (!sent) return false;
  const auto port = ntohs(name.sin_port);
  auto netfilter = TRY(Socket::open(Socket::Family::netfilter));
  const Tuple tuple{.source = INADDR_LOOPBACK, .destination = INADDR_LOOPBACK, .source_port = port, .destination_port = port};
  const auto ack = TRY(netfilter.change(about(delete_entry, 0, tuple, 0)));
  return ack.code == 0;
}

}  // namespace

Result<TrackingTable> tracking_table(const Host& host) {
  const auto folder = host.proc / "sys/net/netfilter";
  TrackingTable table;
  table.count = TRY(number_in(folder / "nf_conntrack_count"));
  table.most = TRY(number_in(folder / "nf_conntrack_max"));
  return table;
}

Result<TrackingTable> tracking_table(const Host& host, const Fd& netns) {
  Result<TrackingTable> table = TrackingTable{};
  TRY(inside(netns, [&]() -> Result<void> {  // /proc/sys/net shows the namespace of the thread that reads
    table = tracking_table(host);
    return {};
  }));
  return table;
}

Result<bool> is_tracking(const Host& host, const Fd& netns) {
  const auto table = TRY(tracking_table(host, netns));
  if (table.count > 0) return true;
  Result<bool> seen = false;
  TRY(inside(netns, [&]() -> Result<void> {
    seen = tracks_a_datagram();
    return {};
  }));
  return seen;
}

Result<std::uint64_t> tracking_refusals(Socket& socket) {
  nfgenmsg header{};
  std::uint64_t sum = 0;
  for (const auto& cpu : TRY(socket.dump(Message(stats_of_cpus, 0).header(header))))
    for (const std::uint16_t kind : {CTA_STATS_DROP, CTA_STATS_EARLY_DROP})
      sum += ntohl(netlink::u32(cpu.find(sizeof header, kind)).value_or(0));
  return sum;
}

Fillers::Fillers(Socket& socket, std::string_view id) : socket_(socket), zone_(static_cast<std::uint16_t>(crc32c(id) | 1U)) {}

namespace {

// In calls of a bearable size; what is refused for other reasons than those that `bear` knows is an error.
template <class Make, class Bear>
Result<std::size_t> in_calls(Socket& socket, std::size_t first, std::size_t count, Make make, Bear bear) {
  std::size_t borne = 0;
  for (const auto end = first + count; first < end;) {
    std::vector<Message> messages;
    for (; first < end && messages.size() < most_in_one_call; ++first) messages.push_back(make(first));
    for (const auto& [code, times] : TRY(socket.change_each(std::move(messages)))) {
      if (!bear(code)) return fail(Blame::system, "change the table of tracked connections: ", std::strerror(code));
      borne += times;
    }
  }
  return borne;
}

}  // namespace

Result<std::size_t> Fillers::put(std::size_t first, std::size_t count) {
  return in_calls(
      socket_, first, count, [this](std::size_t number) { return living(NLM_F_CREATE, number, zone_); }, is_for_want_of_room);
}

Result<std::size_t> Fillers::renew(std::size_t first, std::size_t count) {
  return in_calls(
      socket_, first, count, [this](std::size_t number) { return living(0, number, zone_); }, [](int code) { return code == ENOENT; });
}

Result<void> Fillers::remove(std::size_t first, std::size_t count) {
  TRY(in_calls(
      socket_, first, count, [this](std::size_t number) { return about(delete_entry, 0, tuple_of(number), zone_); },
      [](int code) { return code == ENOENT; }));
  return {};
}

Result<void> probe_fillers() {
  return in_new_netns([]() -> Result<void> {
    auto socket = TRY(Socket::open(Socket::Family::netfilter));
    const auto ack = TRY(socket.change(living(NLM_F_CREATE, 0, 1)));
    if (ack) return {};
    return fail(Blame::unsupported, "this kernel takes no entries into its table of tracked connections, or has no zones in it (",
                std::strerror(ack.code), "): `modprobe nf_conntrack_netlink`");
  });
}

}  // namespace arashi
