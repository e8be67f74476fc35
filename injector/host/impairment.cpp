#include "injector/host/impairment.hpp"

#include "injector/core/json.hpp"

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

}  // namespace

Json change_of(const Choice& choice, const Impairment& impairment) {
  return Json{{"backend", choice.backend->name}, {"impairment", impairment}, {"notes", choice.notes}};
}

Result<Evidence> apply_impairment(const Host& host, const Json& change) {
  const auto read = TRY(read_change(change));
  return read.backend->apply(host, read.impairment, read.notes);
}

Result<void> revert_impairment(const Host& host, const Json& change) {
  const auto read = TRY(read_change(change));
  return read.backend->revert(host, read.impairment, read.notes);
}

Result<Evidence> observe_impairment(const Host& host, const Json& change) {
  const auto read = TRY(read_change(change));
  return read.backend->observe(host, read.impairment, read.notes);
}

const Backend* find_backend(std::string_view name) {
  for (const Backend* backend : backends())
    if (backend->name == name) return backend;
  return nullptr;
}

Result<Choice> choose_backend(const Host& host, const Impairment& impairment, std::string_view wanted) {
  if (wanted != "auto") return the_named(host, impairment, wanted);
  std::vector<std::string> reasons;
  for (const Backend* backend : backends()) {
    auto notes = backend->prepare(host, impairment);
    if (notes) {
      const auto why = reasons.empty() ? "it does all that is asked and leaves the device's qdisc as it is" : reasons_text(reasons);
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
    if (impairment.traffic.egress) claims.push_back(start + "egress");
    if (impairment.traffic.ingress) claims.push_back(start + "ingress");
  }
  return claims;
}

Achieved loss_value(const Impairment& impairment, std::uint64_t matched, std::uint64_t lost) {
  Achieved loss{.what = "loss", .unit = "fraction", .requested = impairment.effects.loss, .achieved = {}, .note = {}};
  if (matched > 0) loss.achieved = static_cast<double>(lost) / static_cast<double>(matched);
  loss.note = std::to_string(lost) + " of " + std::to_string(matched) + " matching packets";
  return loss;
}

void to_json(Json& json, const Impairment& impairment) {
  json = Json{{"id", impairment.id},
              {"netns", impairment.netns},
              {"devices", Json::array()},
              {"traffic", impairment.traffic},
              {"delay", impairment.effects.delay.count()},
              {"jitter", impairment.effects.jitter.count()},
              {"loss", impairment.effects.loss}};
  for (const auto& device : impairment.devices) json["devices"].push_back({{"name", device.name}, {"index", device.index}});
  if (impairment.seed) json["seed"] = *impairment.seed;
}

void from_json(const Json& json, Impairment& impairment) {
  impairment.id = json.at("id").get<std::string>();
  impairment.netns = json.at("netns").get<Netns>();
  impairment.devices.clear();
  for (const auto& device : json.at("devices"))
    impairment.devices.push_back({device.at("name").get<std::string>(), device.at("index").get<std::int32_t>()});
  impairment.traffic = json.at("traffic").get<Traffic>();
  impairment.effects.delay = Duration(json.at("delay").get<std::int64_t>());
  impairment.effects.jitter = Duration(json.at("jitter").get<std::int64_t>());
  impairment.effects.loss = json.at("loss").get<double>();
  impairment.seed.reset();
  if (json.contains("seed")) impairment.seed = json.at("seed").get<std::uint64_t>();
}

}  // namespace arashi
