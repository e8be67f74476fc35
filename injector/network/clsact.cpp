#include "injector/network/clsact.hpp"

#include "injector/host/netns.hpp"
#include "injector/host/tcx.hpp"

#include <algorithm>

namespace arashi::clsact {

using netlink::Socket;

namespace {

constexpr std::string_view prefix = "arashi:";
constexpr std::string_view made_suffix = ":m";
constexpr int most_tries = 3;

bool has_kind(const std::vector<Qdisc>& present, std::string_view kind) {
  return std::ranges::any_of(present, [kind](const Qdisc& qdisc) { return qdisc.kind == kind; });
}

std::string made_name(std::string_view id) { return filter_name(id) + std::string(made_suffix); }

std::string learner_name(std::string_view id) { return filter_name(id) + ":l"; }

// Whether a fault that still lives here has made the clsact that we find.
Result<bool> made_by_a_fault(Socket& socket, std::int32_t device) {
  for (const auto hook : {Hook::egress, Hook::ingress})
    for (const auto& filter : TRY(filters(socket, device, hook)))
      if (filter.name.starts_with(prefix) && filter.name.ends_with(made_suffix)) return true;
  return false;
}

Result<void> attach_once(Socket& socket, const Attach& wanted) {
  const bool made = wanted.made || TRY(made_by_a_fault(socket, wanted.device));
  const bool is_new = TRY(ensure_clsact(socket, wanted.device));
  const auto present = is_new ? std::vector<Filter>{} : TRY(filters(socket, wanted.device, wanted.hook));
  const auto name = wanted.learner ? learner_name(wanted.id) : made ? made_name(wanted.id) : filter_name(wanted.id);
  return add_filter(socket, wanted.device, wanted.hook, wanted.program, name, present);
}

Result<bool> is_bare(Socket& socket, std::int32_t device) {
  return TRY(filters(socket, device, Hook::egress)).empty() && TRY(filters(socket, device, Hook::ingress)).empty();
}

Result<void> is_reached_at(const Device& device, Hook hook) {
  const auto programs = tcx_programs(device.index, hook);
  if (!programs && programs.error().blame == Blame::unsupported) return {};
  if (!programs) return pass(programs.error());
  for (const auto id : *programs) {
    const auto name = name_of_program(id);
    if (name.starts_with("arashi_")) continue;  // lets everything go on
    return fail(Blame::unsupported, "TCX program ", id, " ('", name, "') of someone else is at the ",
                hook == Hook::egress ? "egress" : "ingress", " of ", device.name, ", which comes before clsact and may end the walk");
  }
  return {};
}

}  // namespace

Result<void> is_reached(const Host& host, const Impairment& impairment) {
  return inside(TRY(open_netns(host, impairment.netns)), [&impairment]() -> Result<void> {
    for (const auto& device : impairment.devices) {
      if (impairment.traffic.egress) TRY(is_reached_at(device, Hook::egress));
      if (impairment.traffic.ingress) TRY(is_reached_at(device, Hook::ingress));
    }
    return {};
  });
}

std::string filter_name(std::string_view id) { return std::string(prefix) + std::string(id); }

bool is_ours(const Filter& filter, std::string_view id) {
  return filter.kind == "bpf" && (filter.name == filter_name(id) || filter.name == made_name(id));
}

Result<Missing> missing_on(Socket& socket, const Impairment& impairment) {
  Missing missing;
  for (const auto& device : impairment.devices) {
    const auto present = TRY(qdiscs(socket, device.index));
    const bool has_ingress = has_kind(present, "ingress");
    if (has_ingress && impairment.traffic.egress)
      return fail(Blame::unsupported, device.name, " has an 'ingress' qdisc in the place of clsact, which has no egress side");
    if (!has_ingress && !has_kind(present, "clsact")) missing.push_back(device.index);
  }
  return missing;
}

bool was_missing(const Missing& missing, std::int32_t device) { return std::ranges::find(missing, device) != missing.end(); }

// Another fault's revert may take clsact away between our making sure of it and our filter.
Result<void> attach(Socket& socket, const Attach& wanted) {
  Result<void> outcome;
  for (int tries = 0; tries < most_tries; ++tries) {
    outcome = attach_once(socket, wanted);
    if (outcome || outcome.error().blame != Blame::missing) return outcome;
  }
  return outcome;
}

Result<void> attach_learner(Socket& socket, Attach like, const Classifier& classifier) {
  if (classifier.learn_program() < 0) return {};
  like.hook = Hook::egress;
  like.program = classifier.learn_program();
  like.learner = true;
  return attach(socket, like);
}

Result<void> clear(Socket& socket, std::string_view id, std::int32_t device, bool missing_before) {
  bool made = missing_before;
  for (const auto hook : {Hook::egress, Hook::ingress})
    for (const auto& filter : TRY(filters(socket, device, hook))) {
      if (!is_ours(filter, id) && (filter.kind != "bpf" || filter.name != learner_name(id))) continue;
      made = made || filter.name == made_name(id);
      TRY(remove_filter(socket, device, hook, filter));
    }
  if (made && has_kind(TRY(qdiscs(socket, device)), "clsact") && TRY(is_bare(socket, device))) return remove_clsact(socket, device);
  return {};
}

}  // namespace arashi::clsact
