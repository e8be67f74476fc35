#include "agent/workers/tap_worker.hpp"

#include "agent/workers/channel.hpp"
#include "agent/workers/delay_line.hpp"
#include "agent/workers/worker_main.hpp"
#include "injector/host/netns.hpp"
#include "injector/host/tap.hpp"
#include "injector/host/tcx.hpp"
#include "injector/network/bpf.hpp"
#include "injector/network/clsact.hpp"
#include "injector/network/network_scope.hpp"

#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <optional>
#include <string>

namespace arashi::workers {

extern const Worker tap_worker;

namespace {

using namespace std::chrono_literals;

// Between a packet's way through the stack and our reading it, and back again: about this long, taken off the time that it is held.
constexpr Duration path_time = 50us;
constexpr Duration spin_time = 60us;  // the last part of a wait is spent awake: a sleeper wakes up to that much late
constexpr Duration beat_every = 50ms;
constexpr Duration stats_every = 200ms;
constexpr int priority = -10;
constexpr int burst = 64;  // frames read in one go, so that due ones need not wait
constexpr std::size_t memory_limit = std::size_t{256} << 20U;

Duration monotonic() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return std::chrono::seconds(now.tv_sec) + Duration(now.tv_nsec);
}

// One direction of one device: its classifier, its tap, and what is held.
struct Lane {
  Classifier classifier;
  Tap tap;
  std::vector<Fd> links;
  DelayLine line;
  std::uint32_t program = 0;
  std::uint64_t refused = 0;  // frames that the kernel did not take back
};

std::string tap_name(const Impairment& impairment, std::size_t number) {
  return "ar" + impairment.id.substr(0, 8) + "-" + std::to_string(number);
}

// Large segments are faster; but what happens to single packets, or counts them, must meet single packets.
Segments segments_for(const Effects& effects) {
  constexpr std::uint64_t fast = 2'000'000'000;  // bits per second; single packets would not come to that much
  const bool counted = effects.slot || effects.limit > 0 || (effects.rate.bits_per_second > 0 && effects.rate.bits_per_second < fast);
  return effects.chances() || counted ? Segments::single : Segments::large;
}

// netem's own where a rate is given without one: a queue without end would only grow.
Effects bounded(Effects effects) {
  if (effects.limit == 0 && effects.rate.bits_per_second > 0) effects.limit = queue_limit(effects);
  return effects;
}

Result<bool> is_there(netlink::Socket& socket, const TapConfig& site, std::int32_t device, Hook hook, std::uint32_t program) {
  if (site.missing) {
    const auto present = TRY(filters(socket, device, hook));
    return std::ranges::any_of(present, [program](const Filter& filter) { return filter.program == program; });
  }
  const auto present = TRY(tcx_programs(device, hook));
  return std::ranges::find(present, program) != present.end();
}

Result<void> attach(netlink::Socket& socket, const TapConfig& site, Lane& lane, std::int32_t device, Hook hook) {
  // The way back first: a packet that is taken must find it.
  if (site.missing) {
    TRY(ensure_clsact(socket, lane.tap.device.index));
    TRY(add_filter(socket, lane.tap.device.index, Hook::ingress, lane.classifier.back_program(), "arashi-back", {}));
    const clsact::Attach main{.id = site.impairment.id,
                              .device = device,
                              .hook = hook,
                              .program = lane.classifier.program(),
                              .made = clsact::was_missing(*site.missing, device)};
    TRY(clsact::attach(socket, main));
    return clsact::attach_learner(socket, main, lane.classifier);
  }
  lane.links.push_back(TRY(attach_tcx(lane.classifier.back_program(), lane.tap.device.index, Hook::ingress)));
  lane.links.push_back(TRY(attach_tcx(lane.classifier.program(), device, hook)));
  if (const int learn = lane.classifier.learn_program(); learn >= 0) lane.links.push_back(TRY(attach_tcx(learn, device, Hook::egress)));
  return {};
}

Result<Framing> framing_of(netlink::Socket& socket, const Device& device) {
  for (const auto& link : TRY(links(socket)))
    if (link.device.index == device.index) return link.bare ? Framing::bare : Framing::ethernet;
  return fail(Blame::missing, "device ", device.name, " is gone");
}

Result<Lane> open_lane(netlink::Socket& socket, const TapConfig& site, const Device& device, Hook hook, std::size_t number) {
  const auto framing = TRY(framing_of(socket, device));
  auto tap = TRY(open_tap(tap_name(site.impairment, number), segments_for(site.impairment.effects), framing));
  Impairment one = site.impairment;
  one.devices = {device};
  auto classifier = TRY(Classifier::load(Host{}, one, hook, {.act = OnMatch::Act::redirect, .tap = tap.device.index}));
  classifier.beat(monotonic());
  if (hook == Hook::ingress) TRY(classifier.know(served_ports(Host{}, one)));
  const auto seed = one.seed ? std::optional(*one.seed + number) : std::nullopt;
  Lane lane{std::move(classifier), std::move(tap), {}, DelayLine(bounded(one.effects), seed, memory_limit, monotonic(), path_time)};
  TRY(attach(socket, site, lane, device.index, hook));
  lane.program = TRY(id_of_program(lane.classifier.program()));
  if (!TRY(is_there(socket, site, device.index, hook, lane.program)))
    return fail(Blame::system, "the program is not on ", device.name, " after attaching it");
  return lane;
}

Result<std::vector<Lane>> open_lanes(const TapConfig& site) {
  auto socket = TRY(netlink::Socket::open());
  std::vector<Lane> lanes;
  for (const auto& device : site.impairment.devices)
    for (const auto hook : {Hook::egress, Hook::ingress})
      if (hook == Hook::egress ? site.impairment.traffic.egress : site.impairment.traffic.ingress)
        lanes.push_back(TRY(open_lane(socket, site, device, hook, lanes.size())));
  return lanes;
}

void say(int output, const char* kind, const TapStats& stats) {
  const auto text = to_text(Json{{kind, print_record(stats)}}) + "\n";
  // Whoever reads may be slow or gone; the packets matter more.
  [[maybe_unused]] const auto written = ::write(output, text.data(), text.size());
}

TapStats stats_of(const std::vector<Lane>& lanes) {
  TapStats sum;
  Duration held{}, most{};
  for (const auto& lane : lanes) {
    const auto& counts = lane.line.counts();
    sum.programs.push_back(lane.program);
    sum.taps.push_back(lane.tap.device.name);
    sum.taken += counts.taken;
    sum.lost += counts.lost;
    sum.overflow += counts.overflow;
    sum.over_limit += counts.over_limit;
    sum.duplicated += counts.duplicated;
    sum.corrupted += counts.corrupted;
    sum.overtaking += counts.overtaking;
    sum.busiest_second = std::max(sum.busiest_second, counts.busiest_second);
    sum.delivered += counts.delivered;
    sum.holding += counts.held_now;
    sum.refused += lane.refused;
    held += counts.held_sum;
    most = std::max(most, counts.held_most);
  }
  sum.most = most + path_time;
  if (sum.delivered > 0) sum.mean = held / static_cast<std::int64_t>(sum.delivered) + path_time;
  return sum;
}

class Loop {
 public:
  Loop(std::vector<Lane> lanes, int input, int output) : lanes_(std::move(lanes)), input_(input), output_(output) {
    for (const auto& lane : lanes_) waits_.push_back({.fd = lane.tap.fd.get(), .events = POLLIN, .revents = 0});
    waits_.push_back({.fd = input_, .events = POLLIN, .revents = 0});
  }

  void run() {
    while (!ended_) {
      const auto now = monotonic();
      keep_beating(now);
      bool busy = false;
      for (auto& lane : lanes_) busy = send_due(lane) || busy;
      for (auto& lane : lanes_) busy = read_burst(lane) || busy;
      if (!busy) wait();
    }
  }

 private:
  void keep_beating(Duration now) {
    if (now >= next_beat_) {
      for (const auto& lane : lanes_) lane.classifier.beat(now);
      next_beat_ = now + beat_every;
    }
    if (now < next_stats_) return;
    next_stats_ = now + stats_every;
    auto stats = stats_of(lanes_);
    if (stats == said_) return;
    say(output_, "stats", stats);
    said_ = std::move(stats);
  }

  static bool send_due(Lane& lane) {
    bool sent = false;
    for (int i = 0; i < burst; ++i) {
      const auto due = lane.line.next_due();
      const auto now = monotonic();
      if (!due || *due > now) return sent;
      const auto frame = lane.line.front();
      if (::write(lane.tap.fd.get(), frame.data(), frame.size()) < 0) ++lane.refused;
      lane.line.release(now);
      sent = true;
    }
    return sent;
  }

  static bool read_burst(Lane& lane) {
    for (int i = 0; i < burst; ++i) {
      const auto room = lane.line.room();
      const auto got = ::read(lane.tap.fd.get(), room.data(), room.size());
      if (got <= 0) return i > 0;
      lane.line.accept(static_cast<std::size_t>(got), monotonic());
    }
    return true;
  }

  // Until a frame is nearly due, a frame comes, it is time to beat, or our holder is gone.
  void wait() {
    auto until = next_beat_;
    for (const auto& lane : lanes_)
      if (const auto due = lane.line.next_due()) until = std::min(until, *due - spin_time);
    const auto left = until - monotonic();
    if (left <= Duration{}) return;
    const auto whole = std::chrono::floor<std::chrono::seconds>(left);
    const timespec timeout{whole.count(), (left - whole).count()};
    if (ppoll(waits_.data(), waits_.size(), &timeout, nullptr) <= 0) return;
    // A tap that someone has deleted holds nothing any more; it would be ready for ever.
    const auto broken = [](const pollfd& wait) { return (wait.revents & (POLLERR | POLLNVAL)) != 0; };
    if (std::any_of(waits_.begin(), waits_.end() - 1, broken)) ended_ = true;
    if (waits_.back().revents == 0) return;
    char ignored = 0;
    if (::read(input_, &ignored, 1) <= 0) ended_ = true;
  }

  std::vector<Lane> lanes_;
  int input_, output_;
  std::vector<pollfd> waits_;
  Duration next_beat_{}, next_stats_{};
  TapStats said_;
  bool ended_ = false;
};

Result<std::vector<Lane>> set_up(const TapConfig& site) {
  const auto netns = TRY(open_netns(Host{}, site.impairment.netns));
  if (setns(netns.get(), CLONE_NEWNET) != 0) return sys_fail("enter the network namespace '", site.impairment.netns.path, "'");
  prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
  // A network does not slow down because this machine is busy. Where it may not, it is only less exact.
  (void)setpriority(PRIO_PROCESS, 0, priority);
  return open_lanes(site);
}

}  // namespace

Result<void> hold_packets(const TapConfig& config, int input, int output) {
  auto lanes = TRY(set_up(config));
  for (const auto& lane : lanes) lane.classifier.beat(monotonic());  // making the lanes may have taken longer than a beat is good for
  say(output, "ready", stats_of(lanes));
  Loop(std::move(lanes), input, output).run();
  return {};
}

namespace {
Result<void> run(const TapConfig& config) { return hold_packets(config, Channel::input(), STDOUT_FILENO); }
}  // namespace

const Worker tap_worker = make_worker<run>("tap");

}  // namespace arashi::workers
