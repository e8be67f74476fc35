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

struct Change {
  const Backend* backend = nullptr;
  Impairment impairment;
  Json notes;
};

// Out of a journal, so it may be anything.
Result<Change> read_change(const Json& json) {
  try {
    Change change{.backend = find_backend(json.at("backend").get<std::string>()), .impairment = {}, .notes = json.at("notes")};
    if (change.backend == nullptr) return fail(Blame::input, "there is no backend '", json.at("backend").get<std::string>(), "'");
    change.impairment = json.at("impairment").get<Impairment>();
    return change;
  } catch (const Json::exception& error) {
    return fail(Blame::input, "not the change of a network fault: ", error.what());
  }
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

Json change_of(const Choice& choice, const Impairment& impairment) {
  return Json{{"backend", choice.backend->name}, {"impairment", impairment}, {"notes", choice.notes}};
}

Result<Evidence> apply_impairment(const Host& host, const Json& change) {
  const auto read = TRY(read_change(change));
  auto evidence = TRY(read.backend->apply(host, read.impairment, read.notes));
  if (!read.impairment.traffic.has_names()) return evidence;
  const auto programs = TRY(read.backend->programs(host, read.impairment));
  TRY(follow_names(host, read.impairment, programs));
  add_names(host, read.impairment, evidence);
  return evidence;
}

Result<void> revert_impairment(const Host& host, const Json& change) {
  const auto read = TRY(read_change(change));
  auto stopped = stop_following(host, read.impairment);
  TRY(read.backend->revert(host, read.impairment, read.notes));
  return stopped;
}

Result<Evidence> observe_impairment(const Host& host, const Json& change) {
  const auto read = TRY(read_change(change));
  auto evidence = TRY(read.backend->observe(host, read.impairment, read.notes));
  TRY(follow_sockets(host, read.backend, read.impairment));
  add_names(host, read.impairment, evidence);
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

void to_json(Json& json, const SocketCgroup& cgroup) { json = Json{{"path", cgroup.path}, {"id", cgroup.id}, {"level", cgroup.level}}; }

void from_json(const Json& json, SocketCgroup& cgroup) {
  cgroup = {
      .path = json.at("path").get<std::string>(), .id = json.at("id").get<std::uint64_t>(), .level = json.at("level").get<std::uint32_t>()};
}

void to_json(Json& json, const Impairment& impairment) {
  json = Json{{"id", impairment.id},
              {"netns", impairment.netns},
              {"devices", Json::array()},
              {"traffic", impairment.traffic},
              {"effects", impairment.effects}};
  for (const auto& device : impairment.devices)
    json["devices"].push_back({{"name", device.name}, {"index", device.index}, {"loopback", device.loopback}});
  if (impairment.cgroup) json["cgroup"] = *impairment.cgroup;
  if (impairment.seed) json["seed"] = *impairment.seed;
}

void from_json(const Json& json, Impairment& impairment) {
  impairment.id = json.at("id").get<std::string>();
  impairment.netns = json.at("netns").get<Netns>();
  impairment.devices.clear();
  for (const auto& device : json.at("devices"))
    impairment.devices.push_back(
        {device.at("name").get<std::string>(), device.at("index").get<std::int32_t>(), device.value("loopback", false)});
  impairment.cgroup.reset();
  if (json.contains("cgroup")) impairment.cgroup = json.at("cgroup").get<SocketCgroup>();
  impairment.traffic = json.at("traffic").get<Traffic>();
  impairment.effects = json.at("effects").get<Effects>();
  impairment.seed.reset();
  if (json.contains("seed")) impairment.seed = json.at("seed").get<std::uint64_t>();
}

}  // namespace arashi
