// Verdicts as JSON, in whole nanoseconds and shortest exact decimals, so that they compare bit by bit.
#include "experiments/guard/fields.hpp"
#include "experiments/guard/guard.hpp"

namespace arashi::guard {
namespace {

constexpr std::array all_layers{Layer::cap, Layer::e_process, Layer::burn_rate, Layer::no_data};
constexpr std::array all_causes{Cause::unknown, Cause::fault, Cause::incident, Cause::both};

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

Json write_effect(const Effect& effect) {
  return {{"treated", write_counts(effect.treated)},
          {"control", write_counts(effect.control)},
          {"ratio", effect.ratio},
          {"lowest", effect.lowest},
          {"highest", effect.highest ? Json(*effect.highest) : Json(nullptr)},
          {"logE", effect.log_e},
          {"logIncident", effect.log_incident},
          {"cause", name_of(effect.cause)}};
}

Result<Effect> read_effect(const Json& json) {
  Effect effect;
  Fields fields(json);
  if (const Json* treated = fields.find("treated")) effect.treated = TRY(read_counts(*treated));
  if (const Json* control = fields.find("control")) effect.control = TRY(read_counts(*control));
  fields.read("ratio", effect.ratio);
  fields.read("lowest", effect.lowest);
  const Json* highest = fields.find("highest");
  if (highest != nullptr && !highest->is_null()) {
    effect.highest = 0;
    fields.read("highest", *effect.highest);
  }
  fields.read("logE", effect.log_e);
  fields.read("logIncident", effect.log_incident);
  fields.read("cause", effect.cause, all_causes);
  TRY(fields.result());
  return effect;
}

Json write_source(const SourceState& source) {
  return {{"name", source.name},
          {"authoritative", source.authoritative},
          {"total", source.total},
          {"bad", source.bad},
          {"budgetSpent", source.budget_spent},
          {"budgetCharged", source.budget_charged},
          {"burnRate", source.burn_rate},
          {"logE", source.log_e},
          {"state", name_of(source.state)},
          {"newest", source.newest.count()},
          {"problem", source.problem}};
}

Result<SourceState> read_source(const Json& json) {
  SourceState source;
  Fields fields(json);
  fields.read("name", source.name);
  fields.read("authoritative", source.authoritative);
  fields.read("total", source.total);
  fields.read("bad", source.bad);
  fields.read("budgetSpent", source.budget_spent);
  fields.read("budgetCharged", source.budget_charged);
  fields.read("burnRate", source.burn_rate);
  fields.read("logE", source.log_e);
  fields.read("state", source.state, all_freshness);
  fields.read("newest", source.newest);
  fields.read("problem", source.problem);
  TRY(fields.result());
  return source;
}

Json write_state(const SloState& state) {
  Json json = {{"name", state.name},
               {"total", state.total},
               {"bad", state.bad},
               {"lost", state.lost},
               {"budgetSpent", state.budget_spent},
               {"budgetCharged", state.budget_charged},
               {"budgetLimit", state.budget_limit},
               {"extrapolated", state.extrapolated},
               {"burnRate", state.burn_rate},
               {"windows", list_of(state.windows, &write_window)},
               {"logE", state.log_e},
               {"logThreshold", state.log_threshold},
               {"logHeld", state.log_held},
               {"logHeldThreshold", state.log_held_threshold},
               {"heldNeeds", state.held_needs},
               {"state", name_of(state.state)},
               {"newest", state.newest.count()},
               {"sources", list_of(state.sources, &write_source)}};
  if (!state.period.empty()) json["period"] = state.period;
  if (state.lasts) json["lasts"] = state.lasts->count();
  if (state.effect) json["effect"] = write_effect(*state.effect);
  return json;
}

Result<SloState> read_state(const Json& json) {
  SloState state;
  Fields fields(json);
  fields.read("name", state.name);
  fields.read("total", state.total);
  fields.read("bad", state.bad);
  fields.read("lost", state.lost);
  fields.read("budgetSpent", state.budget_spent);
  fields.read("budgetCharged", state.budget_charged);
  fields.read("budgetLimit", state.budget_limit);
  fields.read("extrapolated", state.extrapolated);
  fields.read("burnRate", state.burn_rate);
  fields.read("windows", state.windows, &read_window);
  fields.read("logE", state.log_e);
  fields.read("logThreshold", state.log_threshold);
  fields.read("logHeld", state.log_held);
  fields.read("logHeldThreshold", state.log_held_threshold);
  fields.read("heldNeeds", state.held_needs);
  fields.read("state", state.state, all_freshness);
  fields.read("newest", state.newest);
  fields.read("sources", state.sources, &read_source);
  if (fields.has("period")) fields.read("period", state.period);
  if (fields.has("lasts")) {
    state.lasts = Duration{};
    fields.read("lasts", *state.lasts);
  }
  if (fields.has("effect")) state.effect = TRY(read_effect(*fields.find("effect")));
  TRY(fields.result());
  return state;
}

}  // namespace

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

}  // namespace arashi::guard
