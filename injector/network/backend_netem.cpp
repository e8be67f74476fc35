// All impairments by the kernel's own netem, on the matched packets alone (how: netem_message.hpp).
//
// An ifb in place of the pair would be one device less, but the kernel marks what it gives back (tc_skip_classify): incoming packets then
// miss the filters that stand behind ours, and outgoing ones those of the host's end of a container's veth.
#include "injector/host/qdisc.hpp"
#include "injector/host/worker_use.hpp"
#include "injector/network/bpf.hpp"
#include "injector/network/clsact.hpp"
#include "injector/network/kernel_features.hpp"
#include "injector/network/loopback.hpp"
#include "injector/network/make_backend.hpp"
#include "injector/network/netem_message.hpp"
#include "injector/network/netem_ramp.hpp"
#include "injector/network/network_scope.hpp"
#include "injector/network/workers.hpp"

#include <linux/rtnetlink.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

namespace arashi {

extern const Backend netem_backend;

namespace {

using netem::End;
using netem::Standing;
using netlink::Message;
using netlink::Socket;

using namespace std::chrono_literals;

constexpr WorkerUse ramp_worker{.engine = "netem-ramp", .patience = 5s, .ended = "the worker that lets netem grow has ended"};
constexpr Duration longest_lag = 1s;  // of a ramp behind its time

struct Notes {
  clsact::Missing missing;
  loopback::Note loopback;
  static constexpr auto keys = std::tuple(key("clsactMissingOn", &Notes::missing), key("loopbackBefore", &Notes::loopback));
};

// One direction of one device.
struct Lane {
  Device device;
  Hook hook = Hook::egress;
  std::string near, far;  // the ends of its pair
};

std::vector<Lane> lanes_of(const Impairment& impairment) {
  std::vector<Lane> lanes;
  for (const auto& device : impairment.devices)
    for (const auto hook : {Hook::egress, Hook::ingress}) {
      if (hook == Hook::egress ? !impairment.traffic.egress : !impairment.traffic.ingress) continue;
      const auto number = lanes.size();
      lanes.push_back({device, hook, netem::end_name(impairment.id, number, End::near), netem::end_name(impairment.id, number, End::far)});
    }
  return lanes;
}

Result<std::vector<Standing>> standing_on(Socket& socket, std::int32_t device) {
  tcmsg header{};
  header.tcm_ifindex = device;
  std::vector<Standing> found;
  for (const auto& reply : TRY(socket.dump(Message(RTM_GETQDISC, 0).header(header))))
    if (auto one = netem::standing(reply); one && one->device == device) found.push_back(std::move(*one));
  return found;
}

const Link* link_named(const std::vector<Link>& present, std::string_view name) {
  const auto found = std::ranges::find_if(present, [name](const Link& link) { return link.device.name == name; });
  return found == present.end() ? nullptr : &*found;
}

Result<void> change(Socket& socket, Message message, const std::string& what) {
  const auto ack = TRY(socket.change(std::move(message)));
  if (ack) return {};
  return netlink::ack_fail(ack, what);
}

// ---- prepare

bool is_devices(const Link& link, const Impairment& impairment) {
  return std::ranges::find(impairment.devices, link.device) != impairment.devices.end();
}

Result<void> check_devices(Socket& socket, const Impairment& impairment) {
  constexpr std::uint64_t header = 18;  // Ethernet, VLAN
  const auto burst = impairment.effects.rate.burst;
  for (const auto& link : TRY(links(socket))) {
    if (!is_devices(link, impairment)) continue;
    if (!link.ethernet)
      return fail(Blame::unsupported, link.device.name, " has no Ethernet frames, which the pair of devices with netem needs");
    if (burst > 0 && burst < link.mtu + header)
      return fail(Blame::unsupported, "tbf loses every packet that is larger than its burst: on ", link.device.name, " it must be ",
                  link.mtu + header, " bytes or more");
  }
  return {};
}

Result<Notes> prepare(const Host& host, const Impairment& impairment) {
  TRY(netem::can_hold(impairment.effects));
  TRY(netem_works());
  if (impairment.effects.rate.burst > 0) TRY(tbf_works());
  TRY(clsact::is_reached(host, impairment));
  auto socket = TRY(socket_in(host, impairment.netns));
  TRY(check_devices(socket, impairment));
  Notes notes;
  notes.missing = TRY(clsact::missing_on(socket, impairment));
  notes.loopback = TRY(loopback::note(socket, impairment));
  return notes;
}

// ---- apply

struct Pair {
  std::int32_t near = 0, far = 0;
};

Result<Pair> make_pair(Socket& socket, const Lane& lane) {
  TRY(change(socket, netem::add_pair(lane.near, lane.far), "add the devices '" + lane.near + "' and '" + lane.far + "'"));
  const auto present = TRY(links(socket));
  const auto* near = link_named(present, lane.near);
  const auto* far = link_named(present, lane.far);
  if (near == nullptr || far == nullptr) return fail(Blame::system, "the device '", lane.near, "' is not there after adding it");
  for (const auto device : {near->device.index, far->device.index})
    TRY(socket.change(netem::without_addresses(device)));  // a kernel without IPv6 refuses, which is as good
  return Pair{near->device.index, far->device.index};
}

// From the far end to the near one, and the filter that sends packets there last: whatever comes finds its way.
Result<void> open_lane(const Host& host, Socket& socket, const Impairment& impairment, const Lane& lane, const Notes& notes) {
  const auto pair = TRY(make_pair(socket, lane));
  Impairment one = impairment;
  one.devices = {lane.device};
  const auto classifier = TRY(Classifier::load(host, one, lane.hook, {.act = OnMatch::Act::queue, .tap = pair.near}));
  if (lane.hook == Hook::ingress) TRY(classifier.know(served_ports(host, one)));
  TRY(ensure_clsact(socket, pair.far));
  TRY(add_filter(socket, pair.far, Hook::ingress, classifier.back_program(), "arashi-back", {}));
  const auto root = netem::handle_of(impairment.id);
  if (impairment.effects.rate.burst > 0)
    TRY(change(socket, netem::add_tbf(pair.near, root, impairment.effects.rate), "add tbf to " + lane.near));
  TRY(change(socket, netem::add_netem(pair.near, root, impairment.effects, impairment.seed), "add netem to " + lane.near));
  TRY(change(socket, netem::set_up(pair.far), "set up " + lane.far));
  TRY(change(socket, netem::set_up(pair.near), "set up " + lane.near));
  const clsact::Attach main{.id = impairment.id,
                            .device = lane.device.index,
                            .hook = lane.hook,
                            .program = classifier.program(),
                            .made = clsact::was_missing(notes.missing, lane.device.index)};
  TRY(clsact::attach(socket, main));
  return clsact::attach_learner(socket, main, classifier);
}

// ---- the ramp

bool grows(const Impairment& impairment) { return impairment.effects.ramp > Duration{}; }

Result<void> start_ramp(const Host& host, const Impairment& impairment) {
  if (!grows(impairment)) return {};
  RampConfig config{.impairment = impairment, .ends = {}};
  for (const auto& lane : lanes_of(impairment)) config.ends.push_back(lane.near);
  TRY(start_worker<RampStats>(host, ramp_worker, impairment.id, config));
  return {};
}

Duration step_length(const Impairment& impairment) {
  return impairment.effects.ramp / static_cast<std::int64_t>(netem::ramp_steps(impairment.effects));
}

// Since its worker began; none: there is no worker that could tell.
std::optional<Duration> time_in_ramp(const Host& host, const Impairment& impairment) {
  const auto said = last_stats<RampStats>(host, ramp_worker, impairment.id);
  return said ? std::optional(boot_now() - said->begin) : std::nullopt;
}

// What hinders it from going on; empty: nothing. Once it has arrived it needs no worker.
std::string ramp_problem(const Host& host, const Impairment& impairment, std::size_t step) {
  const auto steps = netem::ramp_steps(impairment.effects);
  if (step >= steps) return {};
  const auto place = " at " + std::to_string(100 * step / steps) + "% of its ramp";
  if (host.workers == nullptr || !host.workers->state(impairment.id).alive)
    return "the worker that lets netem grow is gone: it stays" + place;
  const auto reached = step_length(impairment) * static_cast<std::int64_t>(step + 1);
  const auto passed = time_in_ramp(host, impairment);
  if (passed && *passed > reached + longest_lag) return "the worker that lets netem grow is stopped or starved: it stays" + place;
  return {};
}

// ---- reading back

struct Readings {
  std::size_t expected_step = 0;         // of a ramp, by the time
  std::size_t step = 0;                  // the least of all lanes
  std::size_t wanted = 0, in_place = 0;  // lanes
  Counters counters;
  std::uint64_t drops = 0, overtaking = 0;
  netem::Settings held;
  std::string missing;  // the first thing that is not as it should be
};

// A burst is kept as a time in ticks of 64 ns: near is as good as equal.
bool holds_burst(const std::vector<Standing>& standing, const Impairment& impairment, Readings& readings) {
  const auto& rate = impairment.effects.rate;
  if (rate.burst == 0) return true;
  const auto mine = std::ranges::find(standing, netem::handle_of(impairment.id), &Standing::handle);
  if (mine == standing.end() || mine->kind != "tbf") return false;
  readings.held.bytes_per_second = mine->bytes_per_second;
  readings.drops += mine->drops;
  constexpr double near = 0.01;
  const auto differs = [](double held, double asked) { return std::abs(held - asked) > near * asked + 1; };
  constexpr double bits = 8;
  return !differs(static_cast<double>(mine->burst), static_cast<double>(rate.burst)) &&
         !differs(static_cast<double>(mine->bytes_per_second), static_cast<double>(rate.bits_per_second) / bits);
}

Result<bool> read_netem(Socket& socket, const Impairment& impairment, std::int32_t device, Readings& readings) {
  const auto standing = TRY(standing_on(socket, device));
  const auto handle = netem::netem_handle(netem::handle_of(impairment.id), impairment.effects);
  const auto mine = std::ranges::find(standing, handle, &Standing::handle);
  if (mine == standing.end() || mine->kind != "netem") return false;
  readings.held = mine->settings;
  readings.drops += mine->drops;
  readings.overtaking += mine->requeues;
  const bool burst_holds = holds_burst(standing, impairment, readings);
  const auto step = netem::step_of(impairment.effects, mine->settings, readings.expected_step);
  if (step) readings.step = std::min(readings.step, *step);
  return burst_holds && step.has_value();
}

// The near end, which is netem's, and the far one with the filter that brings packets back.
Result<bool> read_pair(Socket& socket, const Impairment& impairment, const Lane& lane, Readings& readings) {
  const auto present = TRY(links(socket));
  const auto* near = link_named(present, lane.near);
  const auto* far = link_named(present, lane.far);
  if (near == nullptr || far == nullptr || !near->up || !far->up) return false;
  const bool holds = TRY(read_netem(socket, impairment, near->device.index, readings));
  return holds && !TRY(filters(socket, far->device.index, Hook::ingress)).empty();
}

Result<bool> read_filter(Socket& socket, const Impairment& impairment, const Lane& lane, Readings& readings) {
  for (const auto& filter : TRY(filters(socket, lane.device.index, lane.hook))) {
    if (!clsact::is_ours(filter, impairment.id)) continue;
    const auto counters = TRY(counters_of(filter.program));
    readings.counters.seen += counters.seen;
    readings.counters.matched += counters.matched;
    return true;
  }
  return false;
}

Result<void> read_lane(Socket& socket, const Impairment& impairment, const Lane& lane, Readings& readings) {
  ++readings.wanted;
  const bool holds = TRY(read_pair(socket, impairment, lane, readings));
  const bool filtered = TRY(read_filter(socket, impairment, lane, readings));
  if (holds && filtered) ++readings.in_place;
  if (!readings.missing.empty()) return {};
  if (!holds) readings.missing = "netem on " + lane.near + " is not as asked";
  if (!filtered) readings.missing = lane.device.name + " has no filter of ours";
  return {};
}

Achieved time_value(const char* what, Duration asked, Duration held) {
  return {.what = what,
          .unit = "ns",
          .requested = static_cast<double>(asked.count()),
          .achieved = static_cast<double>(held.count()),
          .note = "as the kernel's netem holds it"};
}

Achieved rate_value(const Effects& asked, const netem::Settings& held) {
  constexpr double bits = 8;
  return {.what = "rate",
          .unit = "bit/s",
          .requested = static_cast<double>(asked.rate.bits_per_second),
          .achieved = static_cast<double>(held.bytes_per_second) * bits,
          .note = asked.rate.burst > 0 ? "as the kernel's tbf holds it" : "as the kernel's netem holds it"};
}

Evidence evidence_from(const Impairment& impairment, const Readings& readings) {
  Evidence evidence;
  evidence.in_place = readings.wanted > 0 && readings.in_place == readings.wanted;
  evidence.seen = readings.counters.seen;
  // What holds packets meets every one that matches; loss alone only those that are lost.
  evidence.affected = impairment.effects.holds() || !impairment.effects.loses() ? readings.counters.matched : readings.drops;
  evidence.bit = evidence.affected > 0;
  const auto& asked = impairment.effects;
  if (asked.delay > Duration{}) evidence.values.push_back(time_value("delay", asked.delay, readings.held.delay));
  if (asked.jitter > Duration{}) evidence.values.push_back(time_value("jitter", asked.jitter, readings.held.jitter));
  const Fates fates{
      .matched = readings.counters.matched, .lost = readings.drops, .duplicated = {}, .corrupted = {}, .reordered = readings.overtaking};
  for (auto& value : fate_values(asked, fates)) evidence.values.push_back(std::move(value));
  if (asked.rate.bits_per_second > 0) evidence.values.push_back(rate_value(asked, readings.held));
  evidence.values.push_back(matched_value(readings.counters.matched, readings.counters.seen));
  std::string places;
  for (const auto& device : impairment.devices) places += (places.empty() ? "" : ", ") + device.name;
  evidence.detail = "netem on " + places + ", " + std::to_string(readings.in_place) + " of " + std::to_string(readings.wanted) +
                    " in place; " + std::to_string(readings.counters.matched) + " of " + std::to_string(readings.counters.seen) +
                    " packets matched, " + std::to_string(readings.drops) + " lost";
  if (const auto steps = netem::ramp_steps(asked); readings.step < steps)
    evidence.detail += "; the ramp is at " + std::to_string(100 * readings.step / steps) + "%";
  if (!readings.missing.empty()) evidence.detail += "; " + readings.missing;
  return evidence;
}

void judge_ramp(const Host& host, const Impairment& impairment, Readings& readings) {
  if (!grows(impairment) || readings.in_place < readings.wanted) return;
  readings.missing = ramp_problem(host, impairment, readings.step);
  if (!readings.missing.empty()) readings.in_place = 0;
}

Result<Evidence> read_back(const Host& host, Socket& socket, const Impairment& impairment) {
  Readings readings;
  readings.step = netem::ramp_steps(impairment.effects);
  readings.expected_step = readings.step;
  if (const auto passed = grows(impairment) ? time_in_ramp(host, impairment) : std::nullopt)
    readings.expected_step = static_cast<std::size_t>(*passed / step_length(impairment));
  for (const auto& lane : lanes_of(impairment)) TRY(read_lane(socket, impairment, lane, readings));
  judge_ramp(host, impairment, readings);
  return evidence_from(impairment, readings);
}

Result<Evidence> apply(const Host& host, const Impairment& impairment, const Notes& notes) {
  auto socket = TRY(socket_in(host, impairment.netns));
  TRY(loopback::open_up(socket, impairment, notes.loopback));
  for (const auto& lane : lanes_of(impairment)) TRY(open_lane(host, socket, impairment, lane, notes));
  TRY(start_ramp(host, impairment));
  auto evidence = TRY(read_back(host, socket, impairment));
  if (!evidence.in_place) return fail(Blame::system, "netem was added but does not stand as asked: ", evidence.detail);
  return evidence;
}

Result<Evidence> observe(const Host& host, const Impairment& impairment, const Notes& /*notes*/) {
  auto socket = TRY(socket_in(host, impairment.netns));
  return read_back(host, socket, impairment);
}

// ---- revert

Result<void> delete_pair(Socket& socket, const std::vector<Link>& present, const Lane& lane) {
  const auto* end = link_named(present, lane.near);
  if (end == nullptr) return {};
  const auto ack = TRY(socket.change(netem::delete_link(end->device.index)));
  if (ack || ack.code == ENODEV) return {};
  return netlink::ack_fail(ack, "delete the device '" + end->device.name + "'");
}

// First the filters, so that nothing is sent into a pair that is going; the other devices are cleared also when one can't be.
Result<void> revert(const Host& host, const Impairment& impairment, const Notes& notes) {
  Result<void> outcome;
  if (grows(impairment)) outcome = stop_processes(host, impairment.id);
  auto socket = socket_in(host, impairment.netns);
  if (!socket && socket.error().blame == Blame::missing) return outcome;  // it took everything in it along
  if (!socket) return pass(socket.error());
  const auto keep = [&outcome](Result<void> step) {
    if (outcome && !step) outcome = std::move(step);
  };
  for (const auto& device : impairment.devices)
    keep(clsact::clear(*socket, impairment.id, device.index, clsact::was_missing(notes.missing, device.index)));
  const auto present = TRY(links(*socket));
  for (const auto& lane : lanes_of(impairment)) keep(delete_pair(*socket, present, lane));
  keep(loopback::settle(*socket, impairment, notes.loopback));
  return outcome;
}

Result<std::vector<std::uint32_t>> programs(const Host& host, const Impairment& impairment) {
  auto socket = TRY(socket_in(host, impairment.netns));
  std::vector<std::uint32_t> found;
  for (const auto& lane : lanes_of(impairment))
    for (const auto& filter : TRY(filters(socket, lane.device.index, lane.hook)))
      if (clsact::is_ours(filter, impairment.id)) found.push_back(filter.program);
  return found;
}

std::string undo(const Impairment& impairment) {
  std::string places;
  for (const auto& device : impairment.devices) places += (places.empty() ? "" : ", ") + device.name;
  return "remove the filter '" + clsact::filter_name(impairment.id) + "' from " + places +
         ", clsact if no one else uses it, and the pair of devices with netem behind it" +
         (grows(impairment) ? "; end the worker that lets netem grow" : "");
}

}  // namespace

const Backend netem_backend = make_backend<prepare, apply, revert, observe, programs>("netem", undo);

}  // namespace arashi
