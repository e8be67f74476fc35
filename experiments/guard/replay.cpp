// guard.jsonl: what the guard was told, in whole nanoseconds and shortest exact decimals, so that a replay gives equal bits.
#include "experiments/guard/fields.hpp"
#include "experiments/guard/guard.hpp"

namespace arashi::guard {
namespace {

constexpr std::array all_freshness{Freshness::fresh, Freshness::stale, Freshness::empty, Freshness::error, Freshness::partial};
constexpr std::array all_layers{Layer::cap, Layer::e_process, Layer::burn_rate, Layer::no_data};
constexpr std::array all_policies{OnNoData::charge, OnNoData::abort, OnNoData::hold};

template <class T>
Json list_of(const std::vector<T>& items, Json (*write)(const T&)) {
  Json list = Json::array();
  for (const T& item : items) list.push_back(write(item));
  return list;
}

Json write_terms(const SloTerms& slo) {
  return {{"name", slo.name},
          {"objective", slo.objective},
          {"window", slo.window.count()},
          {"windowEvents", slo.window_events},
          {"extrapolated", slo.extrapolated},
          {"rateMost", slo.rate_most}};
}

Result<SloTerms> read_terms(const Json& json) {
  SloTerms slo;
  Fields fields(json);
  fields.read("name", slo.name);
  fields.read("objective", slo.objective);
  fields.read("window", slo.window);
  fields.read("windowEvents", slo.window_events);
  fields.read("extrapolated", slo.extrapolated);
  fields.read("rateMost", slo.rate_most);
  TRY(fields.result());
  return slo;
}

Json write_slice(const Slice& slice) {
  return {{"begin", slice.begin.count()},  {"end", slice.end.count()},       {"total", slice.total},    {"bad", slice.bad},
          {"state", name_of(slice.state)}, {"newest", slice.newest.count()}, {"problem", slice.problem}};
}

Result<Slice> read_slice(const Json& json) {
  Slice slice;
  Fields fields(json);
  fields.read("begin", slice.begin);
  fields.read("end", slice.end);
  fields.read("total", slice.total);
  fields.read("bad", slice.bad);
  fields.read("state", slice.state, all_freshness);
  fields.read("newest", slice.newest);
  fields.read("problem", slice.problem);
  TRY(fields.result());
  return slice;
}

Json write_reason(const Reason& reason) {
  return {{"slo", reason.slo},
          {"layer", name_of(reason.layer)},
          {"value", reason.value},
          {"threshold", reason.threshold},
          {"text", reason.text}};
}

Result<Reason> read_reason(const Json& json) {
  Reason reason;
  Fields fields(json);
  fields.read("slo", reason.slo);
  fields.read("layer", reason.layer, all_layers);
  fields.read("value", reason.value);
  fields.read("threshold", reason.threshold);
  fields.read("text", reason.text);
  TRY(fields.result());
  return reason;
}

Json write_window(const Window& window) {
  return {{"length", window.length.count()}, {"burnRate", window.burn_rate}, {"threshold", window.threshold}};
}

Result<Window> read_window(const Json& json) {
  Window window;
  Fields fields(json);
  fields.read("length", window.length);
  fields.read("burnRate", window.burn_rate);
  fields.read("threshold", window.threshold);
  TRY(fields.result());
  return window;
}

Json write_state(const SloState& state) {
  return {{"name", state.name},
          {"total", state.total},
          {"bad", state.bad},
          {"budgetSpent", state.budget_spent},
          {"budgetCharged", state.budget_charged},
          {"burnRate", state.burn_rate},
          {"windows", list_of(state.windows, &write_window)},
          {"logE", state.log_e},
          {"logThreshold", state.log_threshold},
          {"logHeld", state.log_held},
          {"logHeldThreshold", state.log_held_threshold},
          {"state", name_of(state.state)},
          {"newest", state.newest.count()}};
}

Result<SloState> read_state(const Json& json) {
  SloState state;
  Fields fields(json);
  fields.read("name", state.name);
  fields.read("total", state.total);
  fields.read("bad", state.bad);
  fields.read("budgetSpent", state.budget_spent);
  fields.read("budgetCharged", state.budget_charged);
  fields.read("burnRate", state.burn_rate);
  fields.read("windows", state.windows, &read_window);
  fields.read("logE", state.log_e);
  fields.read("logThreshold", state.log_threshold);
  fields.read("logHeld", state.log_held);
  fields.read("logHeldThreshold", state.log_held_threshold);
  fields.read("state", state.state, all_freshness);
  fields.read("newest", state.newest);
  TRY(fields.result());
  return state;
}

}  // namespace

std::string_view name_of(Freshness freshness) {
  switch (freshness) {
    case Freshness::fresh:
      return "fresh";
    case Freshness::stale:
      return "stale";
    case Freshness::empty:
      return "empty";
    case Freshness::error:
      return "error";
    case Freshness::partial:
      return "partial";
  }
  return "error";
}

std::string_view name_of(OnNoData policy) {
  switch (policy) {
    case OnNoData::charge:
      return "charge";
    case OnNoData::abort:
      return "abort";
    case OnNoData::hold:
      return "hold";
  }
  return "charge";
}

std::string_view name_of(Layer layer) {
  switch (layer) {
    case Layer::cap:
      return "cap";
    case Layer::e_process:
      return "e-process";
    case Layer::burn_rate:
      return "burn-rate";
    case Layer::no_data:
      return "no-data";
  }
  return "cap";
}

Json to_json(const Config& config) {
  return {{"slos", list_of(config.slos, &write_terms)},
          {"budget", config.budget},
          {"alpha", config.alpha},
          {"burn", config.burn},
          {"onNoData", name_of(config.on_no_data)},
          {"hold", config.hold.count()},
          {"rollback", config.rollback.count()},
          {"length", config.length.count()}};
}

Result<Config> config_from(const Json& json) {
  Config config;
  Fields fields(json);
  fields.read("slos", config.slos, &read_terms);
  fields.read("budget", config.budget);
  fields.read("alpha", config.alpha);
  fields.read("burn", config.burn);
  fields.read("onNoData", config.on_no_data, all_policies);
  fields.read("hold", config.hold);
  fields.read("rollback", config.rollback);
  fields.read("length", config.length);
  if (!fields.ok()) return because(fields.result().error(), "stored guard configuration");
  return config;
}

Json to_json(const Input& input) {
  Json json = {{"now", input.now.count()}};
  if (input.injected) json["injected"] = true;
  if (input.reverted) json["reverted"] = true;
  if (input.slo) {
    json["slo"] = *input.slo;
    json["slice"] = write_slice(input.slice);
  }
  return json;
}

Result<Input> input_from(const Json& json) {
  Input input;
  Fields fields(json);
  fields.read("now", input.now);
  if (fields.has("injected")) fields.read("injected", input.injected);
  if (fields.has("reverted")) fields.read("reverted", input.reverted);
  if (fields.has("slo")) {
    std::uint64_t index = 0;
    fields.read("slo", index);
    input.slo = index;
    const Json* slice = fields.find("slice");
    if (slice != nullptr) input.slice = TRY(read_slice(*slice));
  }
  if (!fields.ok()) return because(fields.result().error(), "stored guard input");
  return input;
}

Json to_json(const Verdict& verdict) {
  return {{"at", verdict.at.count()},
          {"abort", verdict.abort},
          {"hold", verdict.hold},
          {"reasons", list_of(verdict.reasons, &write_reason)},
          {"slos", list_of(verdict.slos, &write_state)}};
}

Result<Verdict> verdict_from(const Json& json) {
  Verdict verdict;
  Fields fields(json);
  fields.read("at", verdict.at);
  fields.read("abort", verdict.abort);
  fields.read("hold", verdict.hold);
  fields.read("reasons", verdict.reasons, &read_reason);
  fields.read("slos", verdict.slos, &read_state);
  if (!fields.ok()) return because(fields.result().error(), "stored verdict");
  return verdict;
}

Result<std::vector<Verdict>> replay(const Config& config, const std::vector<Input>& inputs) {
  Guard guard = TRY(Guard::make(config));
  std::vector<Verdict> verdicts;
  for (const Input& input : inputs) {
    if (input.slo && *input.slo >= config.slos.size())
      return fail(Blame::input, "stored guard input: SLO number ", *input.slo, " of ", config.slos.size());
    if (input.injected) guard.injected(input.now);
    if (input.reverted) guard.reverted(input.now);
    if (input.slo) guard.observe(*input.slo, input.slice);
    if (!input.injected && !input.reverted && !input.slo) verdicts.push_back(guard.evaluate(input.now));
  }
  return verdicts;
}

}  // namespace arashi::guard
