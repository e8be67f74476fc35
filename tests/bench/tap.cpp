// The tap backend: how exactly it delays (one way, kernel receive time against send time, the path without a fault taken off), and what it
// costs TCP, with and without a match. The worker is a fork of this program.
#include "agent/workers/tap_worker.hpp"
#include "injector/core/fd.hpp"
#include "injector/fault.hpp"
#include "injector/host/netns.hpp"
#include "tests/bench/network.hpp"
#include "tests/support/forked_workers.hpp"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <sys/socket.h>

#include <cmath>
#include <ctime>
#include <optional>
#include <string_view>
#include <thread>

using namespace arashi;
using namespace arashi::bench;

namespace {

std::int64_t wall_ns() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return now.tv_sec * 1000000000LL + now.tv_nsec;
}

[[noreturn]] void give_up(const std::string& why) {
  std::fprintf(stderr, "%s\n", why.c_str());
  std::exit(1);
}

Fd udp_in(const std::string& netns, const char* address) {
  Fd made;
  const Fd there = [&] {
    struct stat found {};
    const auto path = "/run/netns/" + netns;
    if (stat(path.c_str(), &found) != 0) give_up("no namespace " + netns);
    return std::move(*open_netns(Host{}, {path, found.st_ino}));
  }();
  const auto opened = inside(there, [&]() -> Result<void> {
    made.reset(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    const int on = 1;
    const int size = 32 << 20;
    setsockopt(made.get(), SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
    setsockopt(made.get(), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
    const timeval patience{1, 0};
    setsockopt(made.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(5001);
    inet_pton(AF_INET, address, &to.sin_addr);
    if (::bind(made.get(), reinterpret_cast<sockaddr*>(&to), sizeof to) != 0) return sys_fail("bind");
    return {};
  });
  if (!opened) give_up(opened.error().message);
  return made;
}

std::int64_t received_at(const msghdr& message) {
  for (const cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr;
       part = CMSG_NXTHDR(const_cast<msghdr*>(&message), const_cast<cmsghdr*>(part)))
    if (part->cmsg_level == SOL_SOCKET && part->cmsg_type == SCM_TIMESTAMPNS) {
      timespec at{};
      std::memcpy(&at, CMSG_DATA(part), sizeof at);
      return at.tv_sec * 1000000000LL + at.tv_nsec;
    }
  return 0;
}

// One-way times in microseconds of packets that carry when they were sent.
void receive(const Fd& socket, int expected, std::vector<double>& times) {
  std::array<char, 256> control{};
  for (int i = 0; i < expected; ++i) {
    std::int64_t sent = 0;
    iovec part{&sent, sizeof sent};
    msghdr message{.msg_name = nullptr,
                   .msg_namelen = 0,
                   .msg_iov = &part,
                   .msg_iovlen = 1,
                   .msg_control = control.data(),
                   .msg_controllen = control.size(),
                   .msg_flags = 0};
    if (recvmsg(socket.get(), &message, 0) < 0) return;
    times.push_back(static_cast<double>(received_at(message) - sent) / 1000);
  }
}

std::vector<double> one_way(const Wire& wire, int packets, int per_second) {
  const auto from = udp_in(wire.here, "10.77.0.1");
  const auto to = udp_in(wire.there, "10.77.0.2");
  std::vector<double> times;
  times.reserve(static_cast<std::size_t>(packets));
  std::thread receiver([&] { receive(to, packets, times); });
  sockaddr_in peer{};
  peer.sin_family = AF_INET;
  peer.sin_port = htons(5001);
  inet_pton(AF_INET, "10.77.0.2", &peer.sin_addr);
  const auto start = wall_ns();
  for (int i = 0; i < packets; ++i) {
    const auto due = start + static_cast<std::int64_t>(i) * 1000000000LL / per_second;
    if (const auto early = due - wall_ns(); early > 100000) {
      const timespec rest{0, static_cast<long>(early - 50000)};
      nanosleep(&rest, nullptr);
    }
    const auto now = wall_ns();
    sendto(from.get(), &now, sizeof now, 0, reinterpret_cast<sockaddr*>(&peer), sizeof peer);
  }
  receiver.join();
  return times;
}

class Faulted {
 public:
  Faulted(const Wire& wire, const Json& asked) : fault_(*find_fault("network.impair")) {
    host_.workers = &workers_;
    Victim victim;
    victim.kind = "netns";
    victim.scope = Scope::netns;
    victim.label = wire.here;
    victim.netns = wire.inode();
    victim.netns_path = wire.path();
    const auto checked = check_params(fault_.params, asked);
    const auto prepared = fault_.prepare(host_, {.id = "benchtap", .experiment = "bench", .victim = victim, .params = checked.canonical});
    if (!prepared) give_up(prepared.error().message);
    change_ = prepared->change;
    const auto applied = fault_.apply(host_, change_);
    if (!applied) give_up(applied.error().message);
  }
  ~Faulted() { (void)fault_.revert(host_, change_); }
  Faulted(const Faulted&) = delete;
  Faulted& operator=(const Faulted&) = delete;

 private:
  const Fault& fault_;
  test::ForkedWorkers workers_{workers::hold_packets};
  Host host_;
  Json change_;
};

double mean(const std::vector<double>& values) {
  double sum = 0;
  for (const auto value : values) sum += value;
  return values.empty() ? 0 : sum / static_cast<double>(values.size());
}

void accuracy(const Wire& wire, double path) {
  std::printf("\n%-26s %12s %12s %12s %10s\n", "delay error, us", "mean", "p50", "p99", "arrived");
  for (const int delay : {1, 10, 100})
    for (const int rate : {1600, 10000, 50000}) {
      const Faulted fault(wire, Json{{"delay", std::to_string(delay) + "ms"}, {"protocol", "udp"}, {"backend", "tap"}});
      const int packets = rate * 2;
      auto times = one_way(wire, packets, rate);
      for (auto& time : times) time -= delay * 1000.0 + path;
      const auto name = std::to_string(delay) + " ms at " + std::to_string(rate) + "/s";
      std::printf("%-26s %12.1f %12.1f %12.1f %9.2f%%\n", name.c_str(), mean(times), percentile(times, 0.5), percentile(times, 0.99),
                  100.0 * static_cast<double>(times.size()) / packets);
    }
}

struct Row {
  const char* name;
  Json asked;
  std::vector<double> rates{}, ratios{}, shares{}, costs{};
};

// What the kernel counts of our filters while somebody holds this: how often they ran, and for how long.
class Filters {
 public:
  struct Ran {
    std::uint64_t times = 0, nanoseconds = 0;
  };
  [[nodiscard]] Ran ran() const {
    Ran sum;
    for (std::uint32_t id = 0; bpf_prog_get_next_id(id, &id) == 0;) {
      const Fd program(bpf_prog_get_fd_by_id(id));
      bpf_prog_info info{};
      std::uint32_t length = sizeof info;
      if (!program || bpf_obj_get_info_by_fd(program.get(), &info, &length) != 0) continue;
      if (std::string_view(info.name).starts_with("arashi_")) sum = {sum.times + info.run_cnt, sum.nanoseconds + info.run_time_ns};
    }
    return sum;
  }

 private:
  Fd counting_{bpf_enable_stats(BPF_STATS_RUN_TIME)};
};

// Each turn with a fault beside one without right before it, so that what else the machine does meets both.
void throughput(const Wire& wire) {
  const IperfServer server(wire);
  const Filters filters;
  // A delay of next to nothing makes the tap hold packets for no time.
  std::vector<Row> rows{
      {"through the tap, 0 ms", {{"delay", "1us"}, {"protocol", "tcp"}, {"backend", "tap"}}},
      {"through the tap, 1 ms", {{"delay", "1ms"}, {"protocol", "tcp"}, {"backend", "tap"}}},
      {"untouched, beside a tap fault on a port", {{"delay", "1ms"}, {"protocol", "tcp"}, {"ports", {"6379"}}, {"backend", "tap"}}},
      {"untouched, beside a bpf fault on a port", {{"loss", "50%"}, {"protocol", "tcp"}, {"ports", {"6379"}}, {"backend", "bpf"}}},
  };
  for (int turn = 0; turn < turns; ++turn)
    for (auto& row : rows) {
      const double plain = gigabits(wire, 1);
      std::optional<Faulted> fault(std::in_place, wire, row.asked);
      const auto before = filters.ran();
      row.rates.push_back(gigabits(wire, 1));
      const auto after = filters.ran();
      row.shares.push_back(static_cast<double>(after.nanoseconds - before.nanoseconds) / 1e9 * 100);
      row.costs.push_back(static_cast<double>(after.nanoseconds - before.nanoseconds) / static_cast<double>(after.times - before.times));
      row.ratios.push_back(row.rates.back() / plain);
      fault.reset();
      output_of("sleep 1");  // what was in flight is lost with the worker, and the server waits for it
    }
  std::printf("\n%-44s %10s %8s  %-16s  %s\n", "TCP, one stream, medians of 25 turns", "Gbit/s", "ratio", "95 % interval",
              "filters: of a processor, per packet");
  for (const auto& row : rows) {
    const auto [low, high] = interval_of_median(row.ratios);
    std::printf("%-44s %10.2f %8.3f  %.3f to %.3f    %.2f %%, %.0f ns\n", row.name, percentile(row.rates, 0.5), percentile(row.ratios, 0.5),
                low, high, percentile(row.shares, 0.5), percentile(row.costs, 0.5));
  }
}

}  // namespace

int main(int count, char** arguments) {
  const std::string only = count > 1 ? arguments[1] : "";
  const Wire wire;
  const double path = mean(one_way(wire, 5000, 1600));
  std::printf("path without a fault: %.1f us\n", path);
  if (only != "throughput") accuracy(wire, path);
  if (only != "accuracy") throughput(wire);
  return 0;
}
