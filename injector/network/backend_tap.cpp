// Delay without netem: a BPF program hands the matched packets to a tap device, and a worker (agent/workers/tap_worker.cpp) holds them and
// sends them on. Device, programs and links belong to the worker alone, so they go with it; a worker that is stopped misses its beat, and
// the program then passes everything by itself. Revert is the end of the worker. Before Linux 6.6 there is no TCX: then the program is a
// filter of clsact, which outlives the worker (and passes everything too, after a quarter of a second), and revert takes it away.
#include "injector/host/qdisc.hpp"
#include "injector/host/tap.hpp"
#include "injector/host/tcx.hpp"
#include "injector/host/worker_use.hpp"
#include "injector/network/bpf.hpp"
#include "injector/network/clsact.hpp"
#include "injector/network/loopback.hpp"
#include "injector/network/make_backend.hpp"
#include "injector/network/workers.hpp"

#include <algorithm>
#include <ctime>
#include <string>

namespace arashi {

extern const Backend tap_backend;

namespace {

using namespace std::chrono_literals;

// Attaching waits for the kernel's RCU, some 20 ms each, more under load.
constexpr WorkerUse worker{.engine = "tap", .patience = 10s, .ended = "the worker that holds packets has ended: traffic passes undelayed"};
constexpr std::size_t most_devices = 16;

struct Notes {
  std::optional<clsact::Missing> missing;  // none: by TCX
  loopback::Note loopback;
  static constexpr auto keys = std::tuple(key("clsactMissingOn", &Notes::missing), key("loopbackBefore", &Notes::loopback));
};

Result<void> check_devices(netlink::Socket& socket, const Impairment& impairment) {
  if (impairment.devices.size() > most_devices)
    return fail(Blame::unsupported, impairment.devices.size(), " devices are too many for it (at most ", most_devices,
                "): name the device");
  for (const auto& link : TRY(links(socket))) {
    if (std::ranges::find(impairment.devices, link.device) == impairment.devices.end()) continue;
    if (!link.ethernet && !link.bare)
      return fail(Blame::unsupported, link.device.name, " carries neither Ethernet frames nor bare IP packets");
    if (link.bare && impairment.effects.corrupt.share > 0)
      return fail(Blame::unsupported, link.device.name, " has no Ethernet frames, of which alone a worker knows where to corrupt them");
  }
  return {};
}

Result<bool> has_tcx(const Fd& netns, const Impairment& impairment) {
  const auto looked = inside(netns, [&impairment]() -> Result<void> {
    TRY(tcx_programs(impairment.devices.front().index, Hook::egress));
    return {};
  });
  if (!looked && looked.error().blame != Blame::unsupported) return pass(looked.error());
  return looked.has_value();
}

Result<clsact::Missing> clsact_missing(netlink::Socket& socket, const Impairment& impairment) {
  auto missing = clsact::missing_on(socket, impairment);
  if (!missing && missing.error().blame == Blame::unsupported)
    return fail(Blame::unsupported, missing.error().message, ", and this kernel has no TCX (Linux 6.6)");
  return missing;
}

Result<Notes> prepare(const Host& host, const Impairment& impairment) {
  TRY(probe_tun());
  TRY(probe_bpf());
  const auto netns = TRY(open_netns(host, impairment.netns));
  auto socket = TRY(netlink::Socket::open(netns));
  TRY(check_devices(socket, impairment));
  Notes notes;
  if (!TRY(has_tcx(netns, impairment))) notes.missing = TRY(clsact_missing(socket, impairment));
  notes.loopback = TRY(loopback::note(socket, impairment));
  return notes;
}

struct Seen {
  Counters counters;
  std::size_t programs = 0, beating = 0;
};

Seen look(const std::vector<std::uint32_t>& programs) {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  const Duration now = std::chrono::seconds(time.tv_sec) + Duration(time.tv_nsec);
  Seen seen;
  for (const auto program : programs) {
    ++seen.programs;
    const auto counters = counters_of(program);
    const auto beat = beat_of(program);
    if (!counters || !beat) continue;  // gone with its worker
    if (now - *beat < longest_silence) ++seen.beating;
    seen.counters.seen += counters->seen;
    seen.counters.matched += counters->matched;
    seen.counters.affected += counters->affected;
  }
  return seen;
}

void add_delay(Evidence& evidence, const Impairment& impairment, const TapStats& stats) {
  Achieved delay{
      .what = "delay", .unit = "ns", .requested = static_cast<double>(impairment.effects.delay.count()), .achieved = {}, .note = {}};
  if (stats.mean) {
    delay.achieved = static_cast<double>(stats.mean->count());
    delay.note = "mean of " + std::to_string(stats.delivered) + " packets, at most " + to_text(stats.most);
  }
  evidence.values.push_back(std::move(delay));
}

Achieved rate_value(const Effects& effects, std::uint64_t bytes) {
  constexpr double bits = 8;
  return {.what = "rate",
          .unit = "bit/s",
          .requested = static_cast<double>(effects.rate.bits_per_second),
          .achieved = bytes > 0 ? std::optional(static_cast<double>(bytes) * bits) : std::nullopt,
          .note = "the most that went through in one second"};
}

Evidence evidence_of(const Impairment& impairment, const TapStats& stats) {
  const auto seen = look(stats.programs);
  Evidence evidence;
  evidence.in_place = seen.programs > 0 && seen.beating == seen.programs;
  evidence.seen = seen.counters.seen;
  evidence.affected = seen.counters.affected;
  evidence.bit = seen.counters.affected > 0;
  if (impairment.effects.delay > Duration{}) add_delay(evidence, impairment, stats);
  const Fates fates{.matched = stats.taken,
                    .lost = stats.lost,
                    .duplicated = stats.duplicated,
                    .corrupted = stats.corrupted,
                    .reordered = stats.overtaking};
  for (auto& value : fate_values(impairment.effects, fates)) evidence.values.push_back(std::move(value));
  if (impairment.effects.rate.bits_per_second > 0) evidence.values.push_back(rate_value(impairment.effects, stats.busiest_second));
  evidence.values.push_back(matched_value(seen.counters.matched, seen.counters.seen));
  evidence.detail = std::to_string(seen.beating) + " of " + std::to_string(seen.programs) + " programs and taps alive; " +
                    std::to_string(seen.counters.affected) + " of " + std::to_string(seen.counters.matched) + " matching packets taken, " +
                    std::to_string(seen.counters.seen) + " seen";
  if (stats.over_limit > 0) evidence.detail += "; " + std::to_string(stats.over_limit) + " dropped as the limit was reached";
  const auto dropped = stats.overflow + stats.refused;
  if (dropped > 0) evidence.detail += "; " + std::to_string(dropped) + " more dropped for want of memory or by the kernel";
  return evidence;
}

Result<Evidence> apply(const Host& host, const Impairment& impairment, const Notes& notes) {
  if (host.workers == nullptr) return fail(Blame::system, "no worker processes can be started here");
  auto socket = TRY(socket_in(host, impairment.netns));  // so that one that has gone is told as such, and not as a worker that failed
  TRY(loopback::open_up(socket, impairment, notes.loopback));
  const TapConfig config{.impairment = impairment, .missing = notes.missing};
  auto evidence = evidence_of(impairment, TRY(start_worker<TapStats>(host, worker, impairment.id, config)));
  if (!evidence.in_place) return fail(Blame::system, "the tap worker is ready but its programs are not: ", evidence.detail);
  return evidence;
}

Result<void> clear_namespace(const Host& host, const Impairment& impairment, const Notes& notes) {
  if (!notes.missing && !notes.loopback) return {};
  auto socket = socket_in(host, impairment.netns);
  if (!socket && socket.error().blame == Blame::missing) return {};  // it took everything in it along
  if (!socket) return pass(socket.error());
  TRY(loopback::settle(*socket, impairment, notes.loopback));
  if (!notes.missing) return {};
  for (const auto& device : impairment.devices)
    TRY(clsact::clear(*socket, impairment.id, device.index, clsact::was_missing(*notes.missing, device.index)));
  return {};
}

Result<void> revert(const Host& host, const Impairment& impairment, const Notes& notes) {
  // Also without workers of our own (recover): theirs died with their holder, but their cgroup stays until someone takes it away.
  auto stopped = stop_processes(host, impairment.id);
  TRY(clear_namespace(host, impairment, notes));
  return stopped;
}

using Programs = std::vector<std::uint32_t>;

Result<bool> is_attached(netlink::Socket& socket, std::int32_t device, Hook hook, const Programs& programs, bool by_tcx) {
  std::vector<std::uint32_t> present;
  if (by_tcx) present = TRY(tcx_programs(device, hook));
  if (!by_tcx)
    for (const auto& filter : TRY(filters(socket, device, hook))) present.push_back(filter.program);
  return std::ranges::any_of(present, [&](std::uint32_t id) { return std::ranges::find(programs, id) != programs.end(); });
}

// A program lives as long as its worker, also when somebody has taken it off its device.
Result<void> check_attached(const Host& host, const Impairment& impairment, const Notes& notes, const Programs& programs) {
  const auto netns = TRY(open_netns(host, impairment.netns));
  auto socket = TRY(netlink::Socket::open(netns));
  const bool by_tcx = !notes.missing;
  return inside(netns, [&]() -> Result<void> {
    for (const auto& device : impairment.devices)
      for (const auto hook : {Hook::egress, Hook::ingress}) {
        const bool wanted = hook == Hook::egress ? impairment.traffic.egress : impairment.traffic.ingress;
        if (wanted && !TRY(is_attached(socket, device.index, hook, programs, by_tcx)))
          return fail(Blame::missing, "someone else has taken the program off ", device.name, ": its traffic passes undelayed");
      }
    return {};
  });
}

// The programs live as long as their worker, also when the device they were on has been deleted.
Result<void> check_devices_live(const Host& host, const Impairment& impairment) {
  auto socket = TRY(socket_in(host, impairment.netns));
  const auto present = TRY(links(socket));
  for (const auto& device : impairment.devices) {
    const bool lives = std::ranges::any_of(present, [&device](const Link& link) { return link.device.index == device.index; });
    if (!lives) return fail(Blame::missing, "device ", device.name, " has been deleted, and what was on it with it");
  }
  return {};
}

Result<Evidence> observe(const Host& host, const Impairment& impairment, const Notes& notes) {
  if (host.workers == nullptr) return fail(Blame::missing, "no worker of '", impairment.id, "' is known here");
  TRY(check_devices_live(host, impairment));
  const auto state = host.workers->state(impairment.id);
  const auto stats = TRY(last_stats<TapStats>(host, worker, impairment.id));
  auto evidence = evidence_of(impairment, stats);
  if (!state.alive) {
    evidence.in_place = false;
    evidence.detail = "the tap worker is gone (exit " + std::to_string(state.exit_code) + "): its traffic passes undelayed";
  } else if (!evidence.in_place) {
    evidence.detail += ": the tap worker (pid " + std::to_string(state.pid) + ") is stopped or starved, its traffic passes undelayed";
  } else {
    TRY(check_attached(host, impairment, notes, stats.programs));
  }
  return evidence;
}

// As its worker told when it was ready.
Result<Programs> programs(const Host& host, const Impairment& impairment) {
  return TRY(last_stats<TapStats>(host, worker, impairment.id)).programs;
}

std::string undo(const Impairment& impairment) {
  std::string text;
  for (const auto& device : impairment.devices) text += (text.empty() ? "" : ", ") + device.name;
  return "end the worker of " + impairment.id + "; its tap devices and BPF programs on " + text + " go with it";
}

}  // namespace

const Backend tap_backend = make_backend<prepare, apply, revert, observe, programs>("tap", undo);

}  // namespace arashi
