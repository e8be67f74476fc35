#include "injector/core/json.hpp"
#include "experiments/backtest/study.hpp"

namespace arashi::backtest {
namespace {

double share(std::size_t part, std::size_t of) { return of == 0 ? 0 : static_cast<double>(part) / static_cast<double>(of); }

Json json_of(const Series& series, const guard::SloTerms& terms) {
  return {{"name", series.slo},
          {"samples", series.samples.size()},
          {"step", seconds(series.step)},
          {"total", series.total()},
          {"bad", series.bad()},
          {"gaps", series.gaps()},
          {"leftOut", series.dropped},
          {"objective", terms.objective},
          {"windowEvents", terms.sources.front().window_events},
          {"budgetEvents", (1 - terms.objective) * terms.sources.front().window_events},
          {"window", seconds(terms.window)},
          {"period", terms.period},
          {"extrapolated", terms.sources.front().extrapolated}};
}

Json json_of(const guard::Reason& reason) {
  return {{"slo", reason.slo},
          {"layer", guard::name_of(reason.layer)},
          {"value", reason.value},
          {"threshold", reason.threshold},
          {"text", reason.text}};
}

Json json_of(const Incident& incident) {
  return {{"from", utc(incident.from)},
          {"to", utc(incident.to)},
          {"starts", incident.starts},
          {"rightly", incident.justified},
          {"spentMedian", incident.spent_median},
          {"unstoppedMost", incident.would_spend_most},
          {"reason", json_of(incident.reason)}};
}

Json list_of(const std::vector<Outcome>& outcomes, const guard::Config& config) {
  Json list = Json::array();
  for (const Outcome& each : outcomes)
    if (each.abort) list.push_back(to_json(config, each));
  return list;
}

}  // namespace

Json to_json(const guard::Config& config, const Outcome& outcome) {
  Json json = {{"start", utc(outcome.start)}, {"wouldStart", outcome.refused.empty()}};
  if (!outcome.refused.empty()) json["refused"] = outcome.refused;
  json["abortAfter"] = outcome.abort ? Json(seconds(*outcome.abort)) : Json();
  json["limitCrossed"] = outcome.cap_crossed;
  json["burned"] = outcome.burned;
  json["reasons"] = Json::array();
  for (const auto& reason : outcome.why) json["reasons"].push_back(json_of(reason));
  json["slos"] = Json::array();
  for (std::size_t i = 0; i < outcome.slos.size(); ++i)
    json["slos"].push_back({{"name", config.slos[i].name}, {"spent", outcome.slos[i].spent}, {"unstopped", outcome.slos[i].would_spend}});
  return json;
}

Json to_json(const Record& record, const guard::Config& config, const Shape& shape, const Study& study,
             const std::vector<Outcome>& outcomes) {
  Json series = Json::array(), incidents = Json::array();
  for (std::size_t i = 0; i < record.series.size(); ++i) series.push_back(json_of(record.series[i], config.slos[i]));
  for (const Incident& each : study.incidents) incidents.push_back(json_of(each));
  return {{"record", {{"from", utc(record.begin())}, {"to", utc(record.end())}, {"slos", series}}},
          {"experiment",
           {{"length", seconds(shape.length)}, {"faults", seconds(shape.faults)}, {"budget", config.budget}, {"alpha", config.alpha}}},
          {"starts", {{"asked", study.starts}, {"ran", study.ran}, {"refused", study.refused}}},
          {"aborted",
           {{"count", study.aborted},
            {"rightly", study.justified},
            {"layers", study.layers},
            {"spentMost", study.spent_most},
            {"forNothing",
             {{"count", study.false_aborts},
              {"share", share(study.false_aborts, study.ran)},
              {"low", study.false_share.low},
              {"high", study.false_share.high},
              {"confidence", confidence},
              {"independent", study.independent},
              {"groundTruth",
               "the recorded burn rate was not above the threshold, and without the abort the limit would not have been reached by the "
               "planned end"}}}}},
          {"missed", study.missed},
          {"quiet", {{"spentMedian", study.quiet_median}, {"spentMost", study.quiet_most}}},
          {"incidents", incidents},
          {"aborts", list_of(outcomes, config)}};
}

}  // namespace arashi::backtest
