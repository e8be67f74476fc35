// Loss and partition by a direct-action filter of clsact. The filter outlives us, so it is found again by its name:
// "arashi:ID", and with ":m" behind it when clsact itself was made by a fault, so that the last one out takes it away.
#include "injector/core/json.hpp"
#include "injector/host/bpf.hpp"
#include "injector/host/impairment.hpp"
#include "injector/host/qdisc.hpp"

#include <algorithm>
#include <set>
#include <string>

namespace arashi {

extern const Backend bpf_backend;

namespace {

using netlink::Socket;

constexpr std::string_view prefix = "arashi:";
constexpr std::string_view made_suffix = ":m";
constexpr int most_tries = 3;

std::vector<Hook> hooks_of(const Traffic& traffic) {
  std::vector<Hook> hooks;
  if (traffic.egress) hooks.push_back(Hook::egress);
  if (traffic.ingress) hooks.push_back(Hook::ingress);
  return hooks;
}

std::string plain_name(const Impairment& impairment) { return std::string(prefix) + impairment.id; }
std::string made_name(const Impairment& impairment) { return plain_name(impairment) + std::string(made_suffix); }
bool is_ours(const Filter& filter, const Impairment& impairment) {
  return filter.kind == "bpf" && (filter.name == plain_name(impairment) || filter.name == made_name(impairment));
}

bool has_kind(const std::vector<Qdisc>& present, std::string_view kind) {
  return std::ranges::any_of(present, [kind](const Qdisc& qdisc) { return qdisc.kind == kind; });
}

Result<Json> prepare(const Host& host, const Impairment& impairment) {
  if (impairment.effects.delay > Duration{}) return fail(Blame::unsupported, "a filter can drop packets but not hold them");
  TRY(probe_bpf());
  auto socket = TRY(socket_in(host, impairment.netns));
  Json made = Json::array();
  for (const auto& device : impairment.devices) {
    const auto present = TRY(qdiscs(socket, device.index));
    if (has_kind(present, "ingress") && impairment.traffic.egress)
      return fail(Blame::unsupported, device.name, " has an 'ingress' qdisc in the place of clsact, which has no egress side");
    if (!has_kind(present, "clsact") && !has_kind(present, "ingress")) made.push_back(device.index);
  }
  return Json{{"clsact missing on", made}};
}

// Whether a fault that still lives here has made the clsact that we find.
Result<bool> made_by_a_fault(Socket& socket, std::int32_t device) {
  for (const auto hook : {Hook::egress, Hook::ingress})
    for (const auto& filter : TRY(filters(socket, device, hook)))
      if (filter.name.starts_with(prefix) && filter.name.ends_with(made_suffix)) return true;
  return false;
}

Result<void> attach_once(Socket& socket, const Impairment& impairment, std::int32_t device, Hook hook, int program, bool missing) {
  const bool made = missing || TRY(made_by_a_fault(socket, device));
  TRY(ensure_clsact(socket, device));
  return add_filter(socket, device, hook, program, made ? made_name(impairment) : plain_name(impairment));
}

// Another fault's revert may take clsact away between our making sure of it and our filter.
Result<void> attach(Socket& socket, const Impairment& impairment, std::int32_t device, Hook hook, int program, bool missing) {
  Result<void> outcome;
  for (int tries = 0; tries < most_tries; ++tries) {
    outcome = attach_once(socket, impairment, device, hook, program, missing);
    if (outcome || outcome.error().blame != Blame::missing) return outcome;
  }
  return outcome;
}

bool was_missing(const Json& notes, std::int32_t device) {
  const auto made = notes.find("clsact missing on");
  return made != notes.end() && std::find(made->begin(), made->end(), Json(device)) != made->end();
}

struct Found {
  std::set<std::uint32_t> programs;
  std::size_t filters = 0, wanted = 0;
};
Result<Found> find_filters(Socket& socket, const Impairment& impairment) {
  Found found;
  for (const auto& device : impairment.devices)
    for (const auto hook : hooks_of(impairment.traffic)) {
      ++found.wanted;
      for (const auto& filter : TRY(filters(socket, device.index, hook)))
        if (is_ours(filter, impairment)) {
          ++found.filters;
          found.programs.insert(filter.program);
        }
    }
  return found;
}

std::string places_text(const Impairment& impairment) {
  std::string text;
  for (const auto& device : impairment.devices) text += (text.empty() ? "" : ", ") + device.name;
  return text;
}

Result<Evidence> read_back(Socket& socket, const Impairment& impairment) {
  const auto found = TRY(find_filters(socket, impairment));
  Evidence evidence;
  evidence.in_place = found.filters == found.wanted;
  Counters sum;
  for (const auto program : found.programs) {
    const auto counters = TRY(counters_of(program));
    sum.seen += counters.seen;
    sum.matched += counters.matched;
    sum.affected += counters.affected;
  }
  evidence.seen = sum.seen;
  evidence.affected = sum.affected;
  evidence.bit = sum.affected > 0;
  evidence.values.push_back(loss_value(impairment, sum.matched, sum.affected));
  evidence.detail = "clsact on " + places_text(impairment) + ", " + std::to_string(found.filters) + " of " + std::to_string(found.wanted) +
                    " filters in place; " + evidence.values.front().note + " lost, " + std::to_string(sum.seen) + " seen";
  return evidence;
}

Result<Evidence> apply(const Host& host, const Impairment& impairment, const Json& notes) {
  auto socket = TRY(socket_in(host, impairment.netns));
  for (const auto hook : hooks_of(impairment.traffic)) {
    const auto classifier = TRY(Classifier::load(impairment, hook, {}));
    for (const auto& device : impairment.devices)
      TRY(attach(socket, impairment, device.index, hook, classifier.program(), was_missing(notes, device.index)));
  }
  auto evidence = TRY(read_back(socket, impairment));
  if (!evidence.in_place) return fail(Blame::system, "the filters of '", plain_name(impairment), "' are not there after adding them");
  return evidence;
}

Result<bool> is_bare(Socket& socket, std::int32_t device) {
  return TRY(filters(socket, device, Hook::egress)).empty() && TRY(filters(socket, device, Hook::ingress)).empty();
}

Result<void> clear(Socket& socket, const Impairment& impairment, std::int32_t device, bool missing_before) {
  bool made = missing_before;
  for (const auto hook : {Hook::egress, Hook::ingress})
    for (const auto& filter : TRY(filters(socket, device, hook))) {
      if (!is_ours(filter, impairment)) continue;
      made = made || filter.name == made_name(impairment);
      TRY(remove_filter(socket, device, hook, filter));
    }
  if (made && has_kind(TRY(qdiscs(socket, device)), "clsact") && TRY(is_bare(socket, device))) return remove_clsact(socket, device);
  return {};
}

Result<void> revert(const Host& host, const Impairment& impairment, const Json& notes) {
  auto socket = socket_in(host, impairment.netns);
  if (!socket && socket.error().blame == Blame::missing) return {};  // it took everything in it along
  if (!socket) return pass(socket.error());
  for (const auto& device : impairment.devices) TRY(clear(*socket, impairment, device.index, was_missing(notes, device.index)));
  return {};
}

Result<Evidence> observe(const Host& host, const Impairment& impairment, const Json& /*notes*/) {
  auto socket = TRY(socket_in(host, impairment.netns));
  return read_back(socket, impairment);
}

std::string undo(const Impairment& impairment) {
  return "remove the filter '" + plain_name(impairment) + "' from " + places_text(impairment) + ", and clsact if no one else uses it";
}

}  // namespace

const Backend bpf_backend{.name = "bpf", .prepare = prepare, .apply = apply, .revert = revert, .observe = observe, .undo = undo};

}  // namespace arashi
