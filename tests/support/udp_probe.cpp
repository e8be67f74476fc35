#include "tests/support/udp_probe.hpp"

#include "injector/core/fd.hpp"
#include "injector/host/netns.hpp"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstring>
#include <ctime>
#include <set>
#include <thread>

namespace arashi::test {

namespace {

constexpr std::uint16_t port = 5001;

std::int64_t wall_ns() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return now.tv_sec * 1'000'000'000LL + now.tv_nsec;
}

sockaddr_in address_of(const std::string& text) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  inet_pton(AF_INET, text.c_str(), &address.sin_addr);
  return address;
}

Result<Fd> socket_at(const std::string& netns, const std::string& address) {
  struct stat found {};
  if (stat(netns.c_str(), &found) != 0) return sys_fail("find '", netns, "'");
  const auto there = TRY(open_netns(Host{}, {netns, found.st_ino}));
  Fd made;
  TRY(inside(there, [&]() -> Result<void> {
    made.reset(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    const int on = 1;
    const int size = 32 << 20;
    setsockopt(made.get(), SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
    setsockopt(made.get(), SOL_SOCKET, SO_NO_CHECK, &on, sizeof on);
    setsockopt(made.get(), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
    setsockopt(made.get(), SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size);
    const timeval wake{0, 50'000};
    setsockopt(made.get(), SOL_SOCKET, SO_RCVTIMEO, &wake, sizeof wake);
    const auto own = address_of(address);
    if (::bind(made.get(), reinterpret_cast<const sockaddr*>(&own), sizeof own) != 0) return sys_fail("bind to ", address);
    return {};
  }));
  return made;
}

struct Head {
  std::uint32_t number = 0, check = 0;
  std::int64_t sent = 0;
};

// What the rest of a packet looks like follows from its head, so that any wrong bit shows.
std::uint32_t check_of(const Head& head) {
  return head.number * 2654435761U ^ static_cast<std::uint32_t>(head.sent) ^ static_cast<std::uint32_t>(head.sent >> 32);
}

void fill(std::vector<char>& packet, Head head) {
  head.check = check_of(head);
  std::fill(packet.begin(), packet.end(), static_cast<char>(head.number));
  std::memcpy(packet.data(), &head, sizeof head);
}

bool is_whole(const std::vector<char>& packet, std::size_t length, const Head& head) {
  const auto rest = packet.begin() + sizeof head;
  const auto end = packet.begin() + static_cast<std::ptrdiff_t>(length);
  return length == packet.size() && head.check == check_of(head) &&
         std::all_of(rest, end, [&head](char byte) { return byte == static_cast<char>(head.number); });
}

std::int64_t received_at(msghdr& message) {
  for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr; part = CMSG_NXTHDR(&message, part))
    if (part->cmsg_level == SOL_SOCKET && part->cmsg_type == SCM_TIMESTAMPNS) {
      timespec at{};
      std::memcpy(&at, CMSG_DATA(part), sizeof at);
      return at.tv_sec * 1'000'000'000LL + at.tv_nsec;
    }
  return 0;
}

double in_seconds(std::int64_t nanoseconds) { return static_cast<double>(nanoseconds) / 1e9; }

// Until nothing has come for `patience` after the sender is done.
void receive(const Fd& socket, const Probe& probe, const std::atomic<bool>& done, std::vector<Arrival>& arrivals) {
  std::array<char, 256> control{};
  std::vector<char> packet(probe.size);
  auto last = wall_ns();
  while (!done || wall_ns() - last < probe.patience.count()) {
    if (!done) last = wall_ns();
    iovec part{packet.data(), packet.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const auto got = recvmsg(socket.get(), &message, 0);
    if (got < static_cast<ssize_t>(sizeof(Head))) continue;
    Head head{};
    std::memcpy(&head, packet.data(), sizeof head);
    last = wall_ns();
    // Times of this clock lose nothing that matters in a double when they are counted from a near one.
    arrivals.push_back(
        {head.number, in_seconds(head.sent), in_seconds(received_at(message)), is_whole(packet, static_cast<std::size_t>(got), head)});
  }
}

void send(const Fd& socket, const Probe& probe) {
  const auto peer = address_of(probe.to_address);
  std::vector<char> packet(std::max(probe.size, sizeof(Head)));
  const auto start = wall_ns();
  for (int i = 0; i < probe.packets; ++i) {
    const auto due = start + static_cast<std::int64_t>(i) * 1'000'000'000LL / probe.per_second;
    constexpr std::int64_t too_short = 100'000;  // to sleep for
    if (const auto early = due - wall_ns(); early > too_short) {
      const timespec rest{early / 1'000'000'000, early % 1'000'000'000};
      nanosleep(&rest, nullptr);
    }
    fill(packet, {.number = static_cast<std::uint32_t>(i), .sent = wall_ns()});
    sendto(socket.get(), packet.data(), packet.size(), 0, reinterpret_cast<const sockaddr*>(&peer), sizeof peer);
  }
}

}  // namespace

Result<Probed> run_probe(const Probe& probe) {
  const auto from = TRY(socket_at(probe.from, probe.from_address));
  const auto to = TRY(socket_at(probe.to, probe.to_address));
  Probed probed{.sent = probe.packets, .arrivals = {}};
  std::atomic<bool> done = false;
  std::thread receiver([&] { receive(to, probe, done, probed.arrivals); });
  send(from, probe);
  done = true;
  receiver.join();
  return probed;
}

std::vector<double> Probed::delays() const {
  std::vector<double> values;
  for (const auto& arrival : arrivals)
    if (arrival.whole) values.push_back(arrival.received - arrival.sent);
  return values;
}

std::vector<bool> Probed::lost() const {
  std::vector<bool> each(static_cast<std::size_t>(sent), true);
  for (const auto& arrival : arrivals)
    if (arrival.whole && arrival.number < each.size()) each[arrival.number] = false;
  return each;
}

int Probed::duplicated() const {
  std::set<std::uint32_t> seen;
  int again = 0;
  for (const auto& arrival : arrivals)
    if (arrival.whole && !seen.insert(arrival.number).second) ++again;
  return again;
}

int Probed::corrupted() const {
  return static_cast<int>(std::count_if(arrivals.begin(), arrivals.end(), [](const Arrival& arrival) { return !arrival.whole; }));
}

double mean_of(const std::vector<double>& values) {
  double sum = 0;
  for (const auto value : values) sum += value;
  return values.empty() ? 0 : sum / static_cast<double>(values.size());
}

double deviation_of(const std::vector<double>& values) {
  const double mean = mean_of(values);
  double squares = 0;
  for (const auto value : values) squares += (value - mean) * (value - mean);
  return values.empty() ? 0 : std::sqrt(squares / static_cast<double>(values.size()));
}

double percentile_of(std::vector<double> values, double share) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  return values[static_cast<std::size_t>(share * static_cast<double>(values.size() - 1))];
}

double share_of(const std::vector<bool>& events) {
  return events.empty() ? 0 : static_cast<double>(std::count(events.begin(), events.end(), true)) / static_cast<double>(events.size());
}

double mean_burst_of(const std::vector<bool>& events) {
  int runs = 0;
  for (std::size_t i = 0; i < events.size(); ++i) runs += events[i] && (i == 0 || !events[i - 1]) ? 1 : 0;
  return runs == 0 ? 0 : share_of(events) * static_cast<double>(events.size()) / runs;
}

double correlation_of(const std::vector<bool>& events) {
  const double share = share_of(events);
  if (share <= 0 || share >= 1) return 0;
  double both = 0;
  for (std::size_t i = 1; i < events.size(); ++i) both += events[i] && events[i - 1] ? 1 : 0;
  return (both / static_cast<double>(events.size() - 1) - share * share) / (share * (1 - share));
}

double ks_distance(std::vector<double> values, std::vector<double> samples) {
  std::sort(values.begin(), values.end());
  std::sort(samples.begin(), samples.end());
  double most = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto below = std::upper_bound(samples.begin(), samples.end(), values[i]) - samples.begin();
    const double expected = static_cast<double>(below) / static_cast<double>(samples.size());
    const double measured = static_cast<double>(i + 1) / static_cast<double>(values.size());
    most = std::max(most, std::abs(expected - measured));
  }
  return most;
}

double ks_bound(std::size_t n) {
  constexpr double once_in = 1e6;
  return std::sqrt(std::log(2 * once_in) / 2 / static_cast<double>(n));
}

double share_bound(double share, std::size_t n) {
  constexpr double deviations = 5;
  return deviations * std::sqrt(share * (1 - share) / static_cast<double>(n));
}

}  // namespace arashi::test
