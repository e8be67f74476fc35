// A network device goes down, once or again and again, and comes back with all that the kernel drops meanwhile: IPv6 addresses, routes,
// permanent neighbours.
#include "injector/faults/network_down.hpp"

#include "injector/held_by_worker.hpp"
#include "injector/host/device_state.hpp"
#include "injector/host/qdisc.hpp"
#include "injector/network/network_place.hpp"
#include "injector/network/traffic_params.hpp"

#include <array>

namespace arashi {

extern const Fault network_down_fault;

namespace {

using namespace std::chrono_literals;

using network_down::Change;
using network_down::Stats;

constexpr WorkerUse worker{.engine = "down", .patience = 5s, .ended = "the worker that takes the device down has ended", .grace = {}};

constexpr std::array params{
    Param{.name = "device",
          .type = ParamType::text,
          .summary = "which device of the target's network namespace goes down",
          .example = "eth0",
          .required = true},
    Param{.name = "every",
          .type = ParamType::duration,
          .summary = "flapping: down again after this time, counted from one fall to the next; absent: it stays down",
          .example = "10s",
          .least = 2e8,
          .most = 3.6e12},
    Param{.name = "downFor",
          .type = ParamType::duration,
          .summary = "with every: how long it is down each time; absent: half of every",
          .example = "2s",
          .least = 5e7,
          .most = 3.6e12},
};

// How often and how long; zero: once, and it stays down.
struct Rhythm {
  Duration every{}, down{};
};

Result<Rhythm> rhythm_of(const Json& canonical) {
  const auto every = duration_param(canonical, "every");
  const auto down = duration_param(canonical, "downFor");
  if (down && !every) return fail(Blame::input, "downFor is for a device that goes down again and again: give every too");
  if (!every) return Rhythm{};
  const Rhythm rhythm{.every = *every, .down = down.value_or(*every / 2)};
  if (rhythm.down >= rhythm.every)
    return fail(Blame::input, "downFor ", to_text(rhythm.down), " is not less than every ", to_text(rhythm.every),
                ": it would never come up");
  return rhythm;
}

Result<Device> named(netlink::Socket& socket, const std::string& name) {
  std::string names;
  for (const auto& link : TRY(links(socket))) {
    names += (names.empty() ? "" : ", ") + link.device.name;
    if (link.device.name != name) continue;
    if (!link.up) return fail(Blame::missing, "device '", name, "' is down already");
    return link.device;
  }
  return fail(Blame::missing, "there is no device '", name, "' in the target's network namespace; it has ", names);
}

Result<void> check(const Json& canonical) {
  TRY(rhythm_of(canonical));
  return {};
}

Result<Prepared<Change>> prepare(const Host& host, const Request& request) {
  const auto rhythm = TRY(rhythm_of(request.params));
  const auto netns = TRY(netns_of(host, request.victim));
  auto socket = TRY(socket_in(host, netns));
  const auto device = TRY(named(socket, text_param(request.params, "device").value_or("")));
  TRY(spare_control_path(host, netns, socket, device));
  auto state = TRY(device_state(socket, device));
  Prepared<Change> prepared;
  prepared.change = {.id = request.id, .netns = netns, .state = std::move(state), .every = rhythm.every, .down_for = rhythm.down};
  prepared.claims = {"netns:" + std::to_string(netns.inode) + "/" + device.name + "/state"};
  prepared.mechanism = "rtnetlink";
  prepared.because = rhythm.every > Duration{} ? "down for " + to_text(rhythm.down) + " every " + to_text(rhythm.every) + " by a worker"
                                               : "the device is set down, as `ip link set down` does";
  prepared.undo = "bring " + device.name + " up, and restore the addresses, routes and neighbours that the kernel dropped";
  return prepared;
}

Evidence evidence_of(bool is_down, const Remains& remains, const std::string& name) {
  Evidence evidence{.in_place = is_down, .bit = is_down, .seen = 1, .affected = is_down ? 1ULL : 0ULL, .values = {}, .detail = {}};
  evidence.values.push_back({.what = "down", .unit = "count", .requested = 1, .achieved = is_down ? 1 : 0, .note = {}});
  evidence.detail = is_down ? name + " is down; " + std::to_string(remains.had - remains.has) + " of its " + std::to_string(remains.had) +
                                  " addresses, routes and neighbours went with it"
                            : name + " was brought up by someone else";
  return evidence;
}

Evidence evidence_of_falls(const Change& change, const Stats& stats) {
  Evidence evidence{
      .in_place = true, .bit = stats.falls > 0, .seen = stats.falls + stats.missed, .affected = stats.falls, .values = {}, .detail = {}};
  const bool is_known = stats.mean_down > Duration{};
  evidence.values.push_back({.what = "down for",
                             .unit = "ns",
                             .requested = static_cast<double>(change.down_for.count()),
                             .achieved = is_known ? std::optional(static_cast<double>(stats.mean_down.count())) : std::nullopt,
                             .note = "mean of the falls that are over"});
  evidence.detail = change.state.device.name + " went down " + std::to_string(stats.falls) + " times";
  if (stats.missed > 0) evidence.detail += "; " + std::to_string(stats.missed) + " times it could not be taken down or up";
  return evidence;
}

bool flaps(const Change& change) { return change.every > Duration{}; }

Result<Evidence> look(netlink::Socket& socket, const DeviceState& state) {
  const auto up = TRY(is_up(socket, state.device));
  if (!up) return fail(Blame::missing, "device '", state.device.name, "' is gone");
  return evidence_of(!*up, TRY(remains_of(socket, state)), state.device.name);
}

Result<Evidence> apply(const Host& host, const Change& change) {
  auto socket = TRY(socket_in(host, change.netns));
  const auto& device = change.state.device;
  if (!TRY(is_up(socket, device))) return fail(Blame::missing, "device '", device.name, "' is gone");
  if (flaps(change)) return apply_by_worker<worker, evidence_of_falls>(host, change);
  TRY(set_link(socket, device, LinkState::down));
  return look(socket, change.state);
}

Result<void> revert(const Host& host, const Change& change) {
  if (flaps(change)) TRY(revert_by_worker<worker>(host, change));
  auto socket = socket_in(host, change.netns);
  if (!socket && socket.error().blame == Blame::missing) return {};  // it took the device along
  if (!socket) return pass(socket.error());
  return restore_device(*socket, change.state);
}

Result<Evidence> observe(const Host& host, const Change& change) {
  if (flaps(change)) return observe_by_worker<worker, evidence_of_falls>(host, change);
  auto socket = TRY(socket_in(host, change.netns));
  return look(socket, change.state);
}

}  // namespace

const Fault network_down_fault =
    make_fault<prepare, apply, revert, observe>({.name = "network.down",
                                                 .summary = "a network device goes down, once or flapping, and comes back as it was",
                                                 .params = params,
                                                 .scopes = network_scopes,
                                                 .check = check});

}  // namespace arashi
