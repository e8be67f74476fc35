// Every impairment on every backend that this kernel has: what was asked beside what a sender and a receiver measured, as a table for the
// page injector/faults/impairments.md, and the pictures of that page. `bench_impair [table|pictures] [BACKEND…]`; for netem in a guest:
// tests/uml/uml-run.sh build/…/bin/bench_impair table netem
#include "agent/workers/tap_worker.hpp"
#include "injector/fault.hpp"
#include "injector/network/delay_distribution.hpp"
#include "tests/bench/network.hpp"
#include "tests/support/forked_workers.hpp"
#include "tests/support/udp_probe.hpp"

#include <cmath>
#include <cstdarg>
#include <functional>

using namespace arashi;
using namespace arashi::bench;
using test::Probe;
using test::Probed;

namespace {

std::string text(const char* format, ...) {
  std::array<char, 256> buffer{};
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(buffer.data(), buffer.size(), format, arguments);
  va_end(arguments);
  return buffer.data();
}

// The fault is there as long as this is. Empty where the backend can't do it.
class Faulted {
 public:
  Faulted(const Wire& wire, Json asked, const std::string& backend) : fault_(*find_fault("network.impair")) {
    host_.workers = &workers_;
    asked["backend"] = backend;
    Victim victim;
    victim.kind = "netns";
    victim.scope = Scope::netns;
    victim.label = wire.here;
    victim.netns = wire.inode();
    victim.netns_path = wire.path();
    const auto checked = check_params(fault_.params, asked);
    for (const auto& problem : checked.problems) std::fprintf(stderr, "%s: %s\n", problem.name.c_str(), problem.message.c_str());
    const auto prepared = fault_.prepare(host_, {.id = "benchimp", .experiment = "bench", .victim = victim, .params = checked.canonical});
    if (!prepared) return;
    change_ = prepared->change;
    const auto applied = fault_.apply(host_, change_);
    if (applied) return;
    std::fprintf(stderr, "%s\n", applied.error().message.c_str());
    std::exit(1);
  }
  ~Faulted() {
    if (there()) (void)fault_.revert(host_, change_);
  }
  Faulted(const Faulted&) = delete;
  Faulted& operator=(const Faulted&) = delete;
  [[nodiscard]] bool there() const { return !change_.is_null(); }

 private:
  const Fault& fault_;
  test::ForkedWorkers workers_{workers::hold_packets};
  Host host_;
  Json change_;
};

std::optional<Probed> measure(const Wire& wire, Json asked, const std::string& backend, Probe probe) {
  asked["protocol"] = "udp";
  const Faulted fault(wire, asked, backend);
  if (!fault.there()) return std::nullopt;
  probe.from = wire.path();
  probe.to = "/run/netns/" + wire.there;
  auto probed = test::run_probe(probe);
  if (probed) return std::move(*probed);
  std::fprintf(stderr, "%s\n", probed.error().message.c_str());
  std::exit(1);
}

struct Row {
  std::string asked;
  Json given;
  Probe probe;
  std::function<std::string(const Probed&)> say;
};

constexpr double ms = 1e3;

std::string say_delay(const Probed& probed) {
  const auto delays = probed.delays();
  return text("mean %.3f ms, p50 %.3f, p99 %.3f", test::mean_of(delays) * ms, test::percentile_of(delays, 0.5) * ms,
              test::percentile_of(delays, 0.99) * ms);
}

// With its 95 % confidence interval, as if the losses were independent.
std::string say_share(double share, std::size_t n) {
  constexpr double deviations = 1.96;
  return text("%.2f %% ± %.2f", share * 100, deviations * std::sqrt(share * (1 - share) / static_cast<double>(n)) * 100);
}

std::string say_loss(const Probed& probed) {
  const auto lost = probed.lost();
  return say_share(test::share_of(lost), lost.size()) +
         text(", bursts of %.2f, correlation %.2f", test::mean_burst_of(lost), test::correlation_of(lost));
}

std::string say_early(const Probed& probed) {
  int early = 0;
  for (const auto delay : probed.delays()) early += delay < 0.015 ? 1 : 0;
  return say_share(static_cast<double>(early) / probed.sent, static_cast<std::size_t>(probed.sent)) + " overtake";
}

std::string say_rate(const Probed& probed, std::size_t frame) {
  const auto& arrivals = probed.arrivals;
  const auto bits = static_cast<double>(frame * 8 * (arrivals.size() - 1));
  return text("%.3f Mbit/s", bits / (arrivals.back().received - arrivals.front().received) / 1e6);
}

std::string say_shape(const Probed& probed, std::vector<double> samples) {
  auto delays = probed.delays();
  for (auto* values : {&delays, &samples}) {
    const double mean = test::mean_of(*values);
    for (auto& value : *values) value -= mean;
  }
  return text("mean %.2f ms, deviation %.2f ms, K-S distance %.4f", test::mean_of(probed.delays()) * ms, test::deviation_of(delays) * ms,
              test::ks_distance(delays, samples));
}

std::vector<double> samples_of(Shape shape) {
  std::vector<double> samples;
  for (const auto value : delay_table(shape)) samples.push_back(value / table_scale * 0.02);
  for (int i = 0; samples.size() < 4096; ++i) samples.push_back(((i + 0.5) / 2048 - 1) * 0.02);
  return samples;
}

std::vector<Row> delay_rows(const Probe& probe) {
  std::vector<Row> all;
  for (const auto* delay : {"1ms", "10ms", "100ms"}) all.push_back({std::string("delay ") + delay, {{"delay", delay}}, probe, say_delay});
  for (const auto shape : {Shape::uniform, Shape::normal, Shape::pareto, Shape::paretonormal}) {
    const std::string name(name_of(shape));
    all.push_back({"delay 100ms, jitter 20ms, " + name,
                   {{"delay", "100ms"}, {"jitter", "20ms"}, {"distribution", name}},
                   probe,
                   [shape](const Probed& probed) { return say_shape(probed, samples_of(shape)); }});
  }
  return all;
}

std::vector<Row> loss_rows(const Probe& probe) {
  return {{"loss 0.1%", {{"loss", "0.1%"}}, probe, say_loss},
          {"loss 1%", {{"loss", "1%"}}, probe, say_loss},
          {"loss 20%", {{"loss", "20%"}}, probe, say_loss},
          {"loss 10%, lossCorrelation 50%", {{"loss", "10%"}, {"lossCorrelation", "50%"}}, probe, say_loss},
          {"gemodel [1%, 20%]: 4.76 %, bursts of 5", {{"gemodel", {"1%", "20%"}}}, probe, say_loss},
          {"lossState [5%, 30%, 20%, 40%, 2%]: 14.70 %", {{"lossState", {"5%", "30%", "20%", "40%", "2%"}}}, probe, say_loss}};
}

std::vector<Row> fate_rows(const Probe& probe) {
  const auto share = [](int count, const Probed& probed) {
    return say_share(static_cast<double>(count) / probed.sent, static_cast<std::size_t>(probed.sent));
  };
  const auto twice = [share](const Probed& probed) { return share(probed.duplicated(), probed); };
  const auto wrong = [share](const Probed& probed) { return share(probed.corrupted(), probed) + " seen by the application"; };
  Probe large = probe;
  large.size = 958;
  return {{"duplicate 5%", {{"duplicate", "5%"}}, probe, twice},
          {"duplicate 5%, duplicateCorrelation 50%", {{"duplicate", "5%"}, {"duplicateCorrelation", "50%"}}, probe, twice},
          {"corrupt 5%", {{"corrupt", "5%"}}, large, wrong},
          {"reorder 25%, delay 30ms", {{"reorder", "25%"}, {"delay", "30ms"}}, probe, say_early},
          {"reorder 100%, gap 5, delay 30ms: 20 %", {{"reorder", "100%"}, {"gap", 5}, {"delay", "30ms"}}, probe, say_early}};
}

// Packets of 1000 bytes with Ethernet's header; in ATM's cells each of them is 22 * 53 bytes.
std::vector<Row> rate_rows() {
  const Probe all_at_once{.packets = 500, .per_second = 100000, .size = 958};
  const auto say = [](const Probed& probed) { return say_rate(probed, 1000); };
  return {{"rate 1mbit", {{"rate", "1mbit"}}, all_at_once, say},
          {"rate 10mbit", {{"rate", "10mbit"}}, all_at_once, say},
          {"rate 100mbit", {{"rate", "100mbit"}}, all_at_once, say},
          {"rate 10mbit, packetOverhead 24, cellSize 48, cellOverhead 5: 8.576 Mbit/s",
           {{"rate", "10mbit"}, {"packetOverhead", 24}, {"cellSize", 48}, {"cellOverhead", 5}},
           all_at_once,
           say}};
}

std::vector<Row> rows(int packets, int per_second) {
  const Probe probe{.packets = packets, .per_second = per_second};
  std::vector<Row> all;
  for (auto& part : {delay_rows(probe), loss_rows(probe), fate_rows(probe), rate_rows()}) all.insert(all.end(), part.begin(), part.end());
  return all;
}

void table(const Wire& wire, const std::vector<std::string>& backends) {
  std::printf("| asked | backend | measured |\n|---|---|---|\n");
  for (const auto& row : rows(10000, 5000))
    for (const auto& backend : backends) {
      const auto probed = measure(wire, row.given, backend, row.probe);
      if (probed) std::printf("| `%s` | %s | %s |\n", row.asked.c_str(), backend.c_str(), row.say(*probed).c_str());
      std::fflush(stdout);
    }
}

// ---- pictures

std::string bar(double share) {
  constexpr double columns = 160;
  return std::string(static_cast<std::size_t>(std::lround(share * columns)), '#');
}

void histogram(const char* title, const std::vector<double>& delays, double first, double step, int bins) {
  std::printf("\n%s\n", title);
  for (int i = 0; i < bins; ++i) {
    const double low = first + i * step;
    int inside = 0;
    for (const auto delay : delays) inside += delay >= low && delay < low + step ? 1 : 0;
    const double share = static_cast<double>(inside) / static_cast<double>(delays.size());
    std::printf("%5.0f ms %5.1f%% %s\n", low * ms, share * 100, bar(share).c_str());
  }
}

// One sign a packet: . arrived, x lost
void strip(const char* title, const std::vector<bool>& lost) {
  std::printf("\n%s\n", title);
  constexpr std::size_t columns = 100;
  for (std::size_t i = 0; i < std::min<std::size_t>(lost.size(), 4 * columns); ++i)
    std::printf("%c%s", lost[i] ? 'x' : '.', (i + 1) % columns == 0 ? "\n" : "");
}

// How much arrived in each 50 ms.
void flow(const char* title, const Probed& probed) {
  std::printf("\n%s\n", title);
  constexpr double step = 0.05;
  constexpr int bins = 10;
  const double start = probed.arrivals.front().sent;
  for (int i = 0; i < bins; ++i) {
    int packets = 0;
    for (const auto& arrival : probed.arrivals) packets += std::floor((arrival.received - start) / step) == i ? 1 : 0;
    std::printf("%5.0f ms %4d packets %s\n", i * step * ms, packets, std::string(static_cast<std::size_t>(packets) / 2, '#').c_str());
  }
}

// The delay over time.
void course(const char* title, const Probed& probed, double step) {
  std::printf("\n%s\n", title);
  const double start = probed.arrivals.front().sent;
  const auto steps = static_cast<int>(std::ceil((probed.arrivals.back().sent - start) / step));
  for (int i = 0; i < steps; ++i) {
    const double at = i * step;
    std::vector<double> delays;
    for (const auto& arrival : probed.arrivals)
      if (arrival.sent - start >= at && arrival.sent - start < at + step) delays.push_back(arrival.received - arrival.sent);
    const double mean = test::mean_of(delays);
    std::printf("%5.0f ms %6.1f ms %s\n", at * ms, mean * ms, std::string(static_cast<std::size_t>(mean * ms / 2), '#').c_str());
  }
}

// Which packet arrived when: its number in the order of coming.
void order(const char* title, const Probed& probed) {
  std::printf("\n%s\n", title);
  for (std::size_t i = 0; i < std::min<std::size_t>(probed.arrivals.size(), 40); ++i) std::printf("%u ", probed.arrivals[i].number);
  std::printf("\n");
}

void pictures(const Wire& wire, const std::string& backend) {
  const Probe probe{.packets = 4000, .per_second = 4000};
  const auto get = [&](const Json& given, const Probe& how) { return measure(wire, given, backend, how).value_or(Probed{}); };
  histogram("delay: 20ms", get({{"delay", "20ms"}}, probe).delays(), 0.016, 0.002, 5);
  for (const auto* shape : {"uniform", "normal", "pareto", "paretonormal"})
    histogram((std::string("delay: 50ms, jitter: 10ms, distribution: ") + shape).c_str(),
              get({{"delay", "50ms"}, {"jitter", "10ms"}, {"distribution", shape}}, probe).delays(), 0.02, 0.005, 14);
  strip("loss: 10%", get({{"loss", "10%"}}, probe).lost());
  strip("loss: 10%, lossCorrelation: 60%", get({{"loss", "10%"}, {"lossCorrelation", "60%"}}, probe).lost());
  strip("gemodel: [2%, 18%]", get({{"gemodel", {"2%", "18%"}}}, probe).lost());
  strip("lossState: [3%, 20%, 30%, 30%, 1%]", get({{"lossState", {"3%", "20%", "30%", "30%", "1%"}}}, probe).lost());
  order("duplicate: 20%", get({{"duplicate", "20%"}}, {.packets = 40, .per_second = 1000}));
  order("delay: 5ms, reorder: 25%, 1000 packets a second",
        get({{"delay", "5ms"}, {"reorder", "25%"}}, {.packets = 40, .per_second = 1000}));
  const Probe thousand{.packets = 300, .per_second = 3000, .size = 958};
  flow("rate: 4mbit, 300 packets of 1000 bytes in 100 ms", get({{"rate", "4mbit"}}, thousand));
  flow("rate: 4mbit, burst: 64K, the same", get({{"rate", "4mbit"}, {"burst", "64K"}}, thousand));
  flow("slotMin: 100ms, 1000 packets a second", get({{"slotMin", "100ms"}}, {.packets = 450, .per_second = 1000}));
  course("delay: 100ms, ramp: 2s", get({{"delay", "100ms"}, {"ramp", "2s"}}, {.packets = 2500, .per_second = 1000}), 0.25);
}

// TCP's view of a loss of 1 % by where it happens.
void sides(const Wire& wire) {
  output_of("ip netns exec " + wire.there + " timeout 120 iperf3 -s -D");
  output_of("sleep 0.5");
  std::printf("\n| TCP, one stream of cubic, 3 s | Mbit/s | retransmitted |\n|---|---|---|\n");
  const auto row = [&](const char* name, const std::string& more) {
    const auto said = output_of("ip netns exec " + wire.here + " iperf3 -c 10.77.0.2 -t 3 -C cubic -J " + more +
                                " | jq -r '\"\\(.end.sum_received.bits_per_second / 1e6 | round) | \\(.end.sum_sent.retransmits)\"'");
    std::printf("| %s | %s |\n", name, said.substr(0, said.find('\n')).c_str());
    std::fflush(stdout);
  };
  row("no fault", "");
  for (const auto& [name, more, direction, backend] :
       {std::tuple{"`loss: 1%` at the sender, of segments before they are cut (bpf)", "", "egress", "bpf"},
        std::tuple{"`loss: 1%` at the receiver (bpf)", "-R", "ingress", "bpf"},
        std::tuple{"`loss: 1%` at the sender, of single packets (tap)", "", "egress", "tap"},
        std::tuple{"`loss: 1%` at the receiver, of single packets (tap)", "-R", "ingress", "tap"}}) {
    const Faulted fault(wire, Json{{"loss", "1%"}, {"protocol", "tcp"}, {"direction", direction}}, backend);
    if (fault.there()) row(name, more);
  }
}

}  // namespace

int main(int count, char** arguments) {
  const std::vector<std::string> words(arguments + 1, arguments + count);
  std::vector<std::string> backends(words.begin() + (words.empty() ? 0 : 1), words.end());
  if (backends.empty()) backends = {"bpf", "tap", "netem"};
  const std::string only = words.empty() ? "" : words.front();
  const Wire wire;
  if (only != "pictures" && only != "sides") table(wire, backends);
  if (only.empty() || only == "pictures") pictures(wire, backends.back() == "netem" && backends.size() == 1 ? "netem" : "tap");
  if (only.empty() || only == "sides") sides(wire);
  return 0;
}
