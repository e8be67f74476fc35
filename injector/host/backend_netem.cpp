// All impairments by the kernel's own netem, on the matched packets alone (how: netem_message.hpp).
// A device's outgoing side is ours only while its root qdisc is the kernel's default: that one comes back by itself when ours is deleted,
// with nothing of it lost. A root that someone has set up is never touched; the other backends work beside it.
#include "injector/core/json.hpp"
#include "injector/host/bpf.hpp"
#include "injector/host/clsact.hpp"
#include "injector/host/command.hpp"
#include "injector/host/files.hpp"
#include "injector/host/impairment.hpp"
#include "injector/host/kernel_features.hpp"
#include "injector/host/netem_message.hpp"
#include "injector/host/network_scope.hpp"
#include "injector/host/qdisc.hpp"

#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

namespace arashi {

extern const Backend netem_backend;

namespace {

using netem::Standing;
using netlink::Message;
using netlink::Socket;

constexpr const char* missing_note = "clsact missing on";

Result<std::vector<Standing>> standing_on(Socket& socket, std::int32_t device) {
  tcmsg header{};
  header.tcm_ifindex = device;
  std::vector<Standing> found;
  for (const auto& reply : TRY(socket.dump(Message(RTM_GETQDISC, 0).header(header))))
    if (auto one = netem::standing(reply); one && one->device == device) found.push_back(std::move(*one));
  return found;
}

const Standing* root_of(const std::vector<Standing>& standing) {
  const auto found = std::ranges::find(standing, TC_H_ROOT, &Standing::parent);
  return found == standing.end() ? nullptr : &*found;
}

Result<std::optional<Link>> link_named(Socket& socket, std::string_view name) {
  for (auto& link : TRY(links(socket)))
    if (link.device.name == name) return std::optional<Link>(std::move(link));
  return std::optional<Link>{};
}

Result<void> change(Socket& socket, Message message, const std::string& what) {
  const auto ack = TRY(socket.change(std::move(message)));
  if (ack) return {};
  return netlink::ack_fail(ack, what);
}

// ---- prepare

bool is_at_clsact(const Standing& standing) { return standing.parent == TC_H_CLSACT; }

// The kernel gives its default qdiscs, and those below mq, handle 0; whatever an administrator adds has a number.
Result<void> has_default_root(const Host& host, Socket& socket, const Device& device) {
  const auto standing = TRY(standing_on(socket, device.index));
  const auto wanted = read_text(host.proc / "sys/net/core/default_qdisc");
  const auto name = wanted ? wanted->substr(0, wanted->find('\n')) : "";
  for (const auto& qdisc : standing) {
    if (is_at_clsact(qdisc)) continue;
    if (qdisc.handle != 0)
      return fail(Blame::unsupported, device.name, " has a qdisc of its own ('", qdisc.kind, "'), which netem would have to replace");
    if (qdisc.kind != "noqueue" && qdisc.kind != "mq" && !name.empty() && qdisc.kind != name)
      return fail(Blame::unsupported, "the qdisc of ", device.name, " is '", qdisc.kind, "', but the kernel would put '", name, "' back");
  }
  return {};
}

// With a queue length of 0 the kernel would change it to 1000 for good when a qdisc comes.
Result<void> has_queue_length(Socket& socket, const Device& device) {
  ifinfomsg header{};
  header.ifi_index = device.index;
  const auto reply = TRY(socket.get(Message(RTM_GETLINK, 0).header(header)));
  const auto length = reply ? netlink::u32(reply->find(sizeof header, IFLA_TXQLEN)) : std::nullopt;
  if (length && *length == 0) return fail(Blame::unsupported, device.name, " has a queue length of 0, which a qdisc would change");
  return {};
}

Result<Json> prepare(const Host& host, const Impairment& impairment) {
  TRY(netem::can_hold(impairment.effects));
  TRY(netem_works(impairment.traffic.ingress ? NetemUse::with_ingress : NetemUse::egress_only));
  auto socket = TRY(socket_in(host, impairment.netns));
  if (impairment.traffic.egress)
    for (const auto& device : impairment.devices) {
      TRY(has_default_root(host, socket, device));
      TRY(has_queue_length(socket, device));
    }
  return Json{{missing_note, TRY(clsact::missing_on(socket, impairment.devices))}};
}

// ---- apply

Result<void> hit_outgoing(Socket& socket, const Impairment& impairment, const Device& device, int program) {
  const auto handles = netem::handles_of(impairment.id);
  TRY(change(socket, netem::add_prio(device.index, handles), "make prio the root qdisc of " + device.name));
  TRY(change(socket, netem::add_netem(device.index, handles, netem::Place::band, impairment.effects, impairment.seed),
             "add netem to " + device.name));
  return change(socket, netem::classify(device.index, handles, program, clsact::filter_name(impairment.id)),
                "add the classifier to " + device.name);
}

// A kernel that loads the ifb module by itself makes ifb0 and ifb1 in the machine's own namespace; asked like this it makes none.
void load_ifb_module() {
  std::error_code ignored;
  if (std::filesystem::exists("/sys/module/ifb", ignored)) return;
  constexpr auto patience = std::chrono::seconds(5);
  constexpr std::size_t output_limit = 1024;
  // Built in, or no modprobe here: then adding the device tells.
  (void)run_command(Launch{.argv = {"/sbin/modprobe", "-q", "ifb", "numifbs=0"}}, patience, output_limit);
}

Result<std::int32_t> make_ifb(Socket& socket, const std::string& name) {
  TRY(change(socket, netem::add_ifb(name), "add the device '" + name + "'"));
  const auto link = TRY(link_named(socket, name));
  if (!link) return fail(Blame::system, "the device '", name, "' is not there after adding it");
  TRY(socket.change(netem::without_addresses(link->device.index)));  // a kernel without IPv6 refuses, which is as good
  return link->device.index;
}

Result<void> hit_incoming(Socket& socket, const Impairment& impairment, std::size_t ordinal, const Classifier& classifier,
                          const Json& notes) {
  const auto& device = impairment.devices.at(ordinal);
  const auto name = netem::ifb_name(impairment.id, ordinal);
  const auto ifb = TRY(make_ifb(socket, name));
  const auto handles = netem::handles_of(impairment.id);
  TRY(change(socket, netem::add_netem(ifb, handles, netem::Place::root, impairment.effects, impairment.seed), "add netem to " + name));
  TRY(change(socket, netem::set_up(ifb), "set up " + name));
  const bool made = clsact::was_missing(notes.value(missing_note, Json::array()), device.index);
  const clsact::Attach redirect{.id = impairment.id,
                                .device = device.index,
                                .hook = Hook::ingress,
                                .program = classifier.program(),
                                .made = made,
                                .redirect_to = ifb};
  TRY(clsact::attach(socket, redirect));
  return clsact::attach_learner(socket, redirect, classifier);
}

// ---- reading back

struct Readings {
  std::size_t wanted = 0, in_place = 0;  // device directions
  Counters counters;
  std::uint64_t drops = 0, overtaking = 0;
  netem::Settings held;
  std::string missing;  // the first thing that is not as it should be
};

void miss(Readings& readings, const std::string& what) {
  if (readings.missing.empty()) readings.missing = what;
}

Result<bool> read_netem(Socket& socket, const Impairment& impairment, std::int32_t device, Readings& readings) {
  const auto standing = TRY(standing_on(socket, device));
  const auto mine = std::ranges::find(standing, netem::handles_of(impairment.id).netem, &Standing::handle);
  if (mine == standing.end() || mine->kind != "netem") return false;
  readings.held = mine->settings;
  readings.drops += mine->drops;
  readings.overtaking += mine->requeues;
  return netem::settings_for(impairment.effects) == mine->settings;
}

Result<bool> read_filter(const std::vector<Filter>& present, const Impairment& impairment, Readings& readings) {
  for (const auto& filter : present) {
    if (!clsact::is_ours(filter, impairment.id)) continue;
    const auto counters = TRY(counters_of(filter.program));
    readings.counters.seen += counters.seen;
    readings.counters.matched += counters.matched;
    return true;
  }
  return false;
}

Result<void> read_outgoing(Socket& socket, const Impairment& impairment, const Device& device, Readings& readings) {
  ++readings.wanted;
  const auto handles = netem::handles_of(impairment.id);
  const auto standing = TRY(standing_on(socket, device.index));
  const auto* root = root_of(standing);
  if (root == nullptr || root->handle != handles.root || root->kind != "prio") {
    miss(readings, device.name + " has no root qdisc of ours");
    return {};
  }
  const bool netem_holds = TRY(read_netem(socket, impairment, device.index, readings));
  const auto present = TRY(filters_below(socket, device.index, handles.root));
  const bool filtered = TRY(read_filter(present, impairment, readings));
  if (!netem_holds) miss(readings, "netem on " + device.name + " is not as asked");
  if (!filtered) miss(readings, device.name + " has no classifier of ours");
  if (netem_holds && filtered) ++readings.in_place;
  return {};
}

Result<void> read_incoming(Socket& socket, const Impairment& impairment, std::size_t ordinal, Readings& readings) {
  ++readings.wanted;
  const auto& device = impairment.devices.at(ordinal);
  const auto name = netem::ifb_name(impairment.id, ordinal);
  const auto ifb = TRY(link_named(socket, name));
  const bool netem_holds = ifb && ifb->up && TRY(read_netem(socket, impairment, ifb->device.index, readings));
  const auto present = TRY(filters(socket, device.index, Hook::ingress));
  const bool filtered = TRY(read_filter(present, impairment, readings));
  if (!netem_holds) miss(readings, "netem on " + name + " is not as asked");
  if (!filtered) miss(readings, device.name + " has no redirect of ours");
  if (netem_holds && filtered) ++readings.in_place;
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
          .note = "as the kernel's netem holds it"};
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
  if (!readings.missing.empty()) evidence.detail += "; " + readings.missing;
  return evidence;
}

Result<Evidence> read_back(Socket& socket, const Impairment& impairment) {
  Readings readings;
  for (std::size_t i = 0; i < impairment.devices.size(); ++i) {
    if (impairment.traffic.egress) TRY(read_outgoing(socket, impairment, impairment.devices[i], readings));
    if (impairment.traffic.ingress) TRY(read_incoming(socket, impairment, i, readings));
  }
  return evidence_from(impairment, readings);
}

Result<Evidence> apply(const Host& host, const Impairment& impairment, const Json& notes) {
  auto socket = TRY(socket_in(host, impairment.netns));
  if (impairment.traffic.egress) {
    const auto classifier =
        TRY(Classifier::load(host, impairment, Hook::egress, {.act = OnMatch::Act::classify, .classid = netem::faulty_band}));
    for (const auto& device : impairment.devices) TRY(hit_outgoing(socket, impairment, device, classifier.program()));
  }
  if (impairment.traffic.ingress) {
    load_ifb_module();
    const auto classifier = TRY(Classifier::load(host, impairment, Hook::ingress, {.act = OnMatch::Act::tell}));
    TRY(classifier.know(served_ports(host, impairment)));
    for (std::size_t i = 0; i < impairment.devices.size(); ++i) TRY(hit_incoming(socket, impairment, i, classifier, notes));
  }
  auto evidence = TRY(read_back(socket, impairment));
  if (!evidence.in_place) return fail(Blame::system, "netem was added but does not stand as asked: ", evidence.detail);
  return evidence;
}

Result<Evidence> observe(const Host& host, const Impairment& impairment, const Json& /*notes*/) {
  auto socket = TRY(socket_in(host, impairment.netns));
  return read_back(socket, impairment);
}

// ---- revert

Result<void> clear_outgoing(Socket& socket, const Impairment& impairment, const Device& device) {
  const auto handles = netem::handles_of(impairment.id);
  const auto standing = TRY(standing_on(socket, device.index));
  const auto* root = root_of(standing);
  if (root == nullptr || root->handle == 0) return {};  // the device is gone, or the kernel's default stands there
  if (root->handle != handles.root || root->kind != "prio")
    return fail(Blame::refused, drift_mark, "the root qdisc of ", device.name, " was replaced by someone else's '", root->kind,
                "', left as it is");
  const auto ack = TRY(socket.change(netem::delete_root(device.index, handles.root)));
  if (ack || ack.code == ENOENT || ack.code == ENODEV) return {};
  return netlink::ack_fail(ack, "delete our root qdisc of " + device.name);
}

Result<void> clear_incoming(Socket& socket, const Impairment& impairment, std::size_t ordinal, const Json& notes) {
  const auto& device = impairment.devices.at(ordinal);
  TRY(clsact::clear(socket, impairment.id, device.index, clsact::was_missing(notes.value(missing_note, Json::array()), device.index)));
  const auto ifb = TRY(link_named(socket, netem::ifb_name(impairment.id, ordinal)));
  if (!ifb) return {};
  const auto ack = TRY(socket.change(netem::delete_link(ifb->device.index)));
  if (ack || ack.code == ENODEV) return {};
  return netlink::ack_fail(ack, "delete the device '" + ifb->device.name + "'");
}

Result<void> revert(const Host& host, const Impairment& impairment, const Json& notes) {
  auto socket = socket_in(host, impairment.netns);
  if (!socket && socket.error().blame == Blame::missing) return {};  // it took everything in it along
  if (!socket) return pass(socket.error());
  Result<void> outcome;  // the first problem; the other devices are cleared all the same
  const auto keep = [&outcome](Result<void> step) {
    if (outcome && !step) outcome = std::move(step);
  };
  for (std::size_t i = 0; i < impairment.devices.size(); ++i) {
    if (impairment.traffic.ingress) keep(clear_incoming(*socket, impairment, i, notes));
    if (impairment.traffic.egress) keep(clear_outgoing(*socket, impairment, impairment.devices[i]));
  }
  return outcome;
}

Result<std::vector<std::uint32_t>> programs(const Host& host, const Impairment& impairment) {
  auto socket = TRY(socket_in(host, impairment.netns));
  std::vector<std::uint32_t> found;
  const auto keep_ours = [&](const std::vector<Filter>& present) {
    for (const auto& filter : present)
      if (clsact::is_ours(filter, impairment.id)) found.push_back(filter.program);
  };
  for (const auto& device : impairment.devices) {
    if (impairment.traffic.egress) keep_ours(TRY(filters_below(socket, device.index, netem::handles_of(impairment.id).root)));
    if (impairment.traffic.ingress) keep_ours(TRY(filters(socket, device.index, Hook::ingress)));
  }
  std::ranges::sort(found);
  found.erase(std::unique(found.begin(), found.end()), found.end());
  return found;
}

std::string undo(const Impairment& impairment) {
  std::string places;
  for (const auto& device : impairment.devices) places += (places.empty() ? "" : ", ") + device.name;
  std::string text;
  if (impairment.traffic.egress) text = "delete our root qdisc of " + places + ", which brings the kernel's default back";
  if (!impairment.traffic.ingress) return text;
  return text + (text.empty() ? "" : "; ") + "delete our filter at clsact of " + places + " and the ifb devices behind it";
}

}  // namespace

const Backend netem_backend{
    .name = "netem", .prepare = prepare, .apply = apply, .revert = revert, .observe = observe, .undo = undo, .programs = programs};

}  // namespace arashi
