// A network device goes down, once or again and again, and comes back with all that the kernel drops meanwhile: IPv6 addresses, routes,
// permanent neighbours.
#include "injector/core/json.hpp"
#include "injector/fault.hpp"
#include "injector/host/device_state.hpp"
#include "injector/host/qdisc.hpp"
#include "injector/host/worker.hpp"
#include "injector/network/network_place.hpp"
#include "injector/network/traffic_params.hpp"

#include <array>

namespace arashi {

extern const Fault network_down_fault;

namespace {

using namespace std::chrono_literals;

constexpr Duration start_patience = 5s;

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

Result<Prepared> prepare(const Host& host, const Request& request) {
  const auto rhythm = TRY(rhythm_of(request.params));
  const auto netns = TRY(netns_of(host, request.victim));
  auto socket = TRY(socket_in(host, netns));
  const auto device = TRY(named(socket, text_param(request.params, "device").value_or("")));
  TRY(spare_control_path(host, netns, socket, device));
  const auto state = TRY(device_state(socket, device));
  Prepared prepared;
  prepared.change = {
      {"id", request.id}, {"netns", netns}, {"state", state}, {"every", rhythm.every.count()}, {"downFor", rhythm.down.count()}};
  prepared.claims = {"netns:" + std::to_string(netns.inode) + "/" + device.name + "/state"};
  prepared.mechanism = "rtnetlink";
  prepared.because = rhythm.every > Duration{} ? "down for " + to_text(rhythm.down) + " every " + to_text(rhythm.every) + " by a worker"
                                               : "the device is set down, as `ip link set down` does";
  prepared.undo = "bring " + device.name + " up, and put back the addresses, routes and neighbours that the kernel dropped";
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

Evidence evidence_of_falls(const Json& change, const Json& stats) {
  const auto falls = stats.is_object() ? stats.value("falls", std::uint64_t{0}) : 0;
  const auto missed = stats.is_object() ? stats.value("missed", std::uint64_t{0}) : 0;
  const auto down = Duration(stats.is_object() ? stats.value("meanDownNs", std::int64_t{0}) : 0);
  Evidence evidence{.in_place = true, .bit = falls > 0, .seen = falls + missed, .affected = falls, .values = {}, .detail = {}};
  evidence.values.push_back({.what = "down for",
                             .unit = "ns",
                             .requested = change.at("downFor").get<double>(),
                             .achieved = down > Duration{} ? std::optional(static_cast<double>(down.count())) : std::nullopt,
                             .note = "mean of the falls that are over"});
  evidence.detail = device_of(change.at("state")).name + " went down " + std::to_string(falls) + " times";
  if (missed > 0) evidence.detail += "; " + std::to_string(missed) + " times it could not be taken down or up";
  return evidence;
}

bool flaps(const Json& change) { return change.at("every").get<std::int64_t>() > 0; }

Result<Evidence> look(netlink::Socket& socket, const Json& state) {
  const auto device = device_of(state);
  const auto up = TRY(is_up(socket, device));
  if (!up) return fail(Blame::missing, "device '", device.name, "' is gone");
  return evidence_of(!*up, TRY(remains_of(socket, state)), device.name);
}

Result<Evidence> apply(const Host& host, const Json& change) {
  const auto& state = change.at("state");
  auto socket = TRY(socket_in(host, change.at("netns").get<Netns>()));
  if (!TRY(is_up(socket, device_of(state)))) return fail(Blame::missing, "device '", device_of(state).name, "' is gone");
  if (!flaps(change)) {
    TRY(set_link(socket, device_of(state), LinkState::down));
    return look(socket, state);
  }
  if (host.workers == nullptr) return fail(Blame::system, "no worker processes can be started here");
  return evidence_of_falls(change, TRY(host.workers->start(change.at("id").get<std::string>(), "down", change, start_patience)));
}

Result<void> revert(const Host& host, const Json& change) {
  if (flaps(change)) TRY(stop_processes(host, change.at("id").get<std::string>()));
  auto socket = socket_in(host, change.at("netns").get<Netns>());
  if (!socket && socket.error().blame == Blame::missing) return {};  // it took the device along
  if (!socket) return pass(socket.error());
  return restore_device(*socket, change.at("state"));
}

Result<Evidence> observe(const Host& host, const Json& change) {
  const auto id = change.at("id").get<std::string>();
  if (!flaps(change)) {
    auto socket = TRY(socket_in(host, change.at("netns").get<Netns>()));
    return look(socket, change.at("state"));
  }
  if (host.workers == nullptr || !host.workers->state(id).alive)
    return fail(Blame::missing, "the worker that takes the device down has ended");
  return evidence_of_falls(change, TRY(host.workers->stats(id)));
}

}  // namespace

const Fault network_down_fault{.name = "network.down",
                               .summary = "a network device goes down, once or flapping, and comes back as it was",
                               .params = params,
                               .target_kinds = network_target_kinds,
                               .prepare = prepare,
                               .apply = apply,
                               .revert = revert,
                               .observe = observe,
                               .check = check};

}  // namespace arashi
