#include "injector/network/impairment.hpp"

#include "injector/core/json.hpp"
#include "injector/network/bpf.hpp"
#include "injector/network/names.hpp"
#include "injector/network/network_scope.hpp"

#include <algorithm>
#include <functional>
#include <string>

namespace arashi {

namespace {

std::string reasons_text(const std::vector<std::string>& reasons) {
  std::string text;
  for (const auto& reason : reasons) text += (text.empty() ? "" : "; ") + reason;
  return text;
}

Result<Choice> the_named(const Host& host, const Impairment& impairment, std::string_view wanted) {
  const Backend* backend = find_backend(wanted);
  if (backend == nullptr) return fail(Blame::input, "there is no backend '", wanted, "'");
  auto notes = backend->prepare(host, impairment);
  if (!notes) return because(notes.error(), "backend ", wanted);
  return Choice{backend, std::move(*notes), "asked for"};
}

// What a filter corrupts may get a right checksum afterwards, from the device, and reach the application: only if nothing else is here.
std::vector<const Backend*> in_order(const Effects& effects) {
  std::vector<const Backend*> order(backends().begin(), backends().end());
  const auto is_filter = [](const Backend* backend) { return backend->name == "bpf"; };
  if (effects.corrupt.share > 0) std::stable_partition(order.begin(), order.end(), std::not_fn(is_filter));
  return order;
}

// The ports at which one cgroup is served now: what only receives does not tell of itself, nor does what has been closed. What is known is
// asked for first: a port that is learned meanwhile stays.
Result<void> follow_sockets(const Host& host, const Backend* backend, const Impairment& impairment) {
  if (!impairment.cgroup || !impairment.traffic.ingress) return {};
  for (const auto program : TRY(backend->programs(host, impairment))) {
    const auto known = TRY(known_ports(program));
    TRY(change_ports(program, known, served_ports(host, impairment)));
  }
  return {};
}

}  // namespace

Result<const Backend*> AsText<const Backend*>::parse(std::string_view name) {
  const auto* found = find_backend(name);
  if (found != nullptr) return found;
  return fail(Blame::input, "there is no backend '", name, "'");
}

Result<void> ImpairmentChange::check() const { return backend->readable(notes); }

Result<Evidence> apply_impairment(const Host& host, const ImpairmentChange& change) {
  auto evidence = TRY(change.backend->apply(host, change.impairment, change.notes));
  if (!change.impairment.traffic.has_names()) return evidence;
  const auto programs = TRY(change.backend->programs(host, change.impairment));
  TRY(follow_names(host, change.impairment, programs));
  add_names(host, change.impairment, evidence);
  return evidence;
}

Result<void> revert_impairment(const Host& host, const ImpairmentChange& change) {
  auto stopped = stop_following(host, change.impairment);
  TRY(change.backend->revert(host, change.impairment, change.notes));
  return stopped;
}

Result<Evidence> observe_impairment(const Host& host, const ImpairmentChange& change) {
  auto evidence = TRY(change.backend->observe(host, change.impairment, change.notes));
  TRY(follow_sockets(host, change.backend, change.impairment));
  add_names(host, change.impairment, evidence);
  return evidence;
}

const Backend* find_backend(std::string_view name) {
  for (const Backend* backend : backends())
    if (backend->name == name) return backend;
  return nullptr;
}

Result<Choice> choose_backend(const Host& host, const Impairment& impairment, std::string_view wanted) {
  if (wanted != "auto") return the_named(host, impairment, wanted);
  std::vector<std::string> reasons;
  for (const Backend* backend : in_order(impairment.effects)) {
    auto notes = backend->prepare(host, impairment);
    if (notes) {
      const auto why = !reasons.empty()                       ? reasons_text(reasons)
                       : impairment.effects.corrupt.share > 0 ? "with it the receiver sees a wrong checksum, as after a faulty link"
                                                              : "it does all that is asked and leaves the device's qdisc as it is";
      return Choice{backend, std::move(*notes), why};
    }
    if (notes.error().blame != Blame::unsupported) return pass(notes.error());
    reasons.push_back("no " + std::string(backend->name) + ": " + notes.error().message);
  }
  return fail(Blame::unsupported, reasons_text(reasons));
}

std::vector<std::string> claims_of(const Impairment& impairment) {
  std::vector<std::string> claims;
  for (const auto& device : impairment.devices) {
    const auto start = "netns:" + std::to_string(impairment.netns.inode) + "/" + device.name + "/";
    const auto end = impairment.cgroup && !device.loopback ? "/" + impairment.cgroup->path : std::string();
    if (impairment.traffic.egress || device.loopback) claims.push_back(start + "egress" + end);
    if (impairment.traffic.ingress || device.loopback) claims.push_back(start + "ingress" + end);
  }
  return claims;
}

std::string with_scope(std::string because, const Impairment& impairment) {
  if (!impairment.cgroup) return because;
  const auto& traffic = impairment.traffic;
  const bool meets_icmp = traffic.protocol == Protocol::any && traffic.ports.empty() && traffic.local_ports.empty();
  const char* beyond = traffic.ingress && meets_icmp ? ", but no incoming icmp, which does not tell whose it is" : "";
  return "others share the network namespace, so only sockets of cgroup '" + impairment.cgroup->path + "' are hit" + beyond + "; " +
         because;
}

Achieved matched_value(std::uint64_t matched, std::uint64_t seen) {
  return {.what = "matched packets",
          .unit = "count",
          .requested = {},
          .achieved = static_cast<double>(matched),
          .note = std::to_string(matched) + " of " + std::to_string(seen) + " packets seen are of this traffic"};
}

namespace {

Achieved share_value(const char* what, double asked, std::optional<std::uint64_t> count, std::uint64_t matched) {
  Achieved share{.what = what, .unit = "fraction", .requested = asked, .achieved = {}, .note = {}};
  if (count && matched > 0) share.achieved = static_cast<double>(*count) / static_cast<double>(matched);
  share.note = count ? std::to_string(*count) + " of " + std::to_string(matched) + " matching packets" : "the kernel does not count these";
  return share;
}

}  // namespace

std::vector<Achieved> fate_values(const Effects& effects, const Fates& fates) {
  std::vector<Achieved> values;
  if (effects.loses()) values.push_back(share_value("loss", long_run_loss(effects), fates.lost, fates.matched));
  const auto add = [&](const char* what, const Chance& chance, std::optional<std::uint64_t> count) {
    if (chance.share > 0) values.push_back(share_value(what, chance.share, count, fates.matched));
  };
  add("duplicate", effects.duplicate, fates.duplicated);
  add("corrupt", effects.corrupt, fates.corrupted);
  // Every gap-th may overtake, and does so with its share.
  const auto& reorder = effects.reorder;
  const double overtaking = reorder.share / (1 + reorder.share * (effects.gap > 0 ? effects.gap - 1 : 0));
  add("reorder", {overtaking, reorder.correlation}, fates.reordered);
  return values;
}

}  // namespace arashi
