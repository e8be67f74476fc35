#include "experiments/run/result.hpp"

#include "experiments/guard/words.hpp"
#include "injector/core/json.hpp"

#include <array>

namespace arashi::run {

namespace {

struct StateName {
  State state;
  std::string_view name;
};
constexpr std::array state_names{StateName{State::preparing, "preparing"},   StateName{State::checking, "checking"},
                                 StateName{State::steady, "steady"},         StateName{State::injecting, "injecting"},
                                 StateName{State::observing, "observing"},   StateName{State::reverting, "reverting"},
                                 StateName{State::recovering, "recovering"}, StateName{State::done, "done"}};

struct OutcomeName {
  Outcome outcome;
  std::string_view name;
  int exit_code;
};
constexpr std::array outcome_names{OutcomeName{Outcome::held, "held", 0},
                                   OutcomeName{Outcome::refuted, "refuted", 1},
                                   OutcomeName{Outcome::refused, "refused", 3},
                                   OutcomeName{Outcome::interrupted, "interrupted", 4},
                                   OutcomeName{Outcome::inconclusive, "inconclusive", 5},
                                   OutcomeName{Outcome::left_behind, "left-behind", 6}};

const OutcomeName& entry(Outcome outcome) {
  for (const auto& each : outcome_names)
    if (each.outcome == outcome) return each;
  return outcome_names.back();
}

Json or_null(const std::optional<Duration>& time) { return time ? Json(seconds(*time)) : Json(nullptr); }

Json json_of(const FaultResult& fault) {
  return {{"id", fault.id},
          {"fault", fault.fault},
          {"target", fault.target},
          {"victim", fault.victim},
          {"agent", fault.agent},
          {"mechanism", fault.mechanism},
          {"askedAt", or_null(fault.asked_at)},
          {"activeAt", or_null(fault.active_at)},
          {"revertedAt", or_null(fault.reverted_at)},
          {"step", arashi::name_of(fault.step)},
          {"problem", fault.problem},
          {"evidence", fault.evidence}};
}

Json json_of(const CheckResult& check) {
  return {{"name", check.name},      {"when", check.when},          {"passed", check.passed},
          {"at", seconds(check.at)}, {"took", seconds(check.took)}, {"detail", check.detail}};
}

Json json_of(const guard::Counts& counts) { return {{"total", counts.total}, {"bad", counts.bad}}; }

Json json_of(const guard::Effect& effect) {
  return {{"treated", json_of(effect.treated)},
          {"control", json_of(effect.control)},
          {"ratio", effect.ratio},
          {"lowest", effect.lowest},
          {"highest", effect.highest ? Json(*effect.highest) : Json(nullptr)},
          {"logE", effect.log_e},
          {"cause", guard::name_of(effect.cause)},
          {"text", guard::cause_words(effect)}};
}

Json sources_of(const guard::SloState& slo) {
  Json rows = Json::array();
  for (const auto& source : slo.sources)
    rows.push_back({{"name", source.name},
                    {"authoritative", source.authoritative},
                    {"total", source.total},
                    {"bad", source.bad},
                    {"budgetSpent", source.budget_spent},
                    {"logE", source.log_e},
                    {"state", guard::name_of(source.state)},
                    {"problem", source.problem}});
  return rows;
}

Json windows_of(const guard::SloState& slo) {
  Json rows = Json::array();
  for (const auto& window : slo.windows)
    rows.push_back({{"length", seconds(window.length)}, {"burnRate", window.burn_rate}, {"threshold", window.threshold}});
  return rows;
}

Json json_of(const guard::SloState& slo) {
  return {{"name", slo.name},
          {"total", slo.total},
          {"bad", slo.bad},
          {"lost", slo.lost},
          {"budgetSpent", slo.budget_spent},
          {"budgetCharged", slo.budget_charged},
          {"budgetLimit", slo.budget_limit},
          {"extrapolated", slo.extrapolated},
          {"period", slo.period},
          {"burnRate", slo.burn_rate},
          {"lasts", or_null(slo.lasts)},
          {"windows", windows_of(slo)},
          {"logE", slo.log_e},
          {"logThreshold", slo.log_threshold},
          {"logHeld", slo.log_held},
          {"logHeldThreshold", slo.log_held_threshold},
          {"heldNeeds", slo.held_needs},
          {"state", guard::name_of(slo.state)},
          {"newest", seconds(slo.newest)},
          {"sources", sources_of(slo)},
          {"effect", slo.effect ? json_of(*slo.effect) : Json(nullptr)}};
}

Json json_of(const guard::Verdict& verdict) {
  Json reasons = Json::array();
  for (const auto& reason : verdict.reasons)
    reasons.push_back({{"slo", reason.slo},
                       {"layer", guard::name_of(reason.layer)},
                       {"value", reason.value},
                       {"threshold", reason.threshold},
                       {"text", reason.text}});
  Json slos = Json::array();
  for (const auto& slo : verdict.slos) slos.push_back(json_of(slo));
  return {{"at", seconds(verdict.at)},
          {"abort", verdict.abort},
          {"hold", verdict.hold},
          {"reasons", std::move(reasons)},
          {"slos", std::move(slos)}};
}

// One row a second and SLO: what the charts of budget and burn rate need, and no more.
Json trace_of(const std::vector<guard::Verdict>& verdicts) {
  Json rows = Json::array();
  for (const auto& verdict : verdicts) {
    Json slos = Json::array();
    for (const auto& slo : verdict.slos)
      slos.push_back({{"spent", slo.budget_spent},
                      {"charged", slo.budget_charged},
                      {"burnRate", slo.burn_rate},
                      {"logE", slo.log_e},
                      {"windows", windows_of(slo)}});
    rows.push_back({{"at", seconds(verdict.at)}, {"slos", std::move(slos)}});
  }
  return rows;
}

Json json_of(const load::Summary& load) {
  Json rows = Json::array();
  for (const auto& second : load.seconds)
    rows.push_back({{"at", seconds(second.begin)},
                    {"intended", second.intended},
                    {"notSent", second.not_sent},
                    {"started", second.started},
                    {"good", second.good},
                    {"failed", second.failed},
                    {"slow", second.slow},
                    {"p50", seconds(second.p50)},
                    {"p90", seconds(second.p90)},
                    {"p99", seconds(second.p99)},
                    {"most", seconds(second.most)}});
  Json thresholds = Json::array();
  for (const auto& by : load.thresholds)
    thresholds.push_back({{"latency", seconds(by.latency)},
                          {"total", by.total},
                          {"bad", by.bad},
                          {"firstBad", or_null(by.first_bad)},
                          {"lastBad", or_null(by.last_bad)}});
  return {{"name", load.name},
          {"rateIntended", load.rate_intended},
          {"rateAchieved", load.rate_achieved},
          {"total", load.total},
          {"bad", load.bad},
          {"firstBad", or_null(load.first_bad)},
          {"lastBad", or_null(load.last_bad)},
          {"thresholds", std::move(thresholds)},
          {"failures", load.failures},
          {"notSent", load.not_sent},
          {"latencies",
           {{"p50", seconds(load.latencies.p50)},
            {"p90", seconds(load.latencies.p90)},
            {"p99", seconds(load.latencies.p99)},
            {"p999", seconds(load.latencies.p999)},
            {"most", seconds(load.latencies.most)}}},
          {"seconds", std::move(rows)}};
}

template <class T>
Json list_of(const std::vector<T>& items) {
  Json list = Json::array();
  for (const auto& item : items) list.push_back(json_of(item));
  return list;
}

Json json_of(const Times& times) {
  return {{"firstInjection", or_null(times.first_injection)},
          {"firstBad", or_null(times.first_bad)},
          {"decision", or_null(times.decision)},
          {"lastRevert", or_null(times.last_revert)},
          {"recovered", or_null(times.recovered)}};
}

}  // namespace

std::string_view name_of(State state) {
  for (const auto& each : state_names)
    if (each.state == state) return each.name;
  return "?";
}

std::string_view name_of(Outcome outcome) { return entry(outcome).name; }
int exit_code(Outcome outcome) { return entry(outcome).exit_code; }

Json to_json(const RunResult& result) {
  Json states = Json::array();
  for (const auto& [state, at] : result.states) states.push_back({{"state", name_of(state)}, {"at", seconds(at)}});
  Json events = Json::array();
  for (const auto& event : result.events) events.push_back({{"at", seconds(event.at)}, {"what", event.what}, {"detail", event.detail}});
  return {{"format", result_format},
          {"run", result.run},
          {"experiment", result.experiment},
          {"hypothesis", result.hypothesis},
          {"started", result.started},
          {"outcome", name_of(result.outcome)},
          {"exitCode", exit_code(result.outcome)},
          {"reasons", result.reasons},
          {"times", json_of(result.times)},
          {"states", std::move(states)},
          {"faults", list_of(result.faults)},
          {"checks", list_of(result.checks)},
          {"slos", list_of(result.slos)},
          {"abort", result.abort ? json_of(*result.abort) : Json(nullptr)},
          {"loads", list_of(result.loads)},
          {"guard", trace_of(result.verdicts)},
          {"events", std::move(events)},
          {"plan", plan::to_json(result.plan)}};
}

}  // namespace arashi::run
