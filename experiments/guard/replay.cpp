// guard.jsonl: what the guard was told, in whole nanoseconds and shortest exact decimals, so that a replay gives equal bits.
#include "experiments/guard/fields.hpp"
#include "experiments/guard/guard.hpp"

namespace arashi::guard {
namespace {

constexpr std::array all_policies{OnNoData::charge, OnNoData::abort, OnNoData::hold};
constexpr std::array all_methods{Method::occurrences, Method::timeslices, Method::ratio_timeslices};
constexpr std::array all_empty{EmptySlice::good, EmptySlice::bad, EmptySlice::skip};
constexpr std::array all_lost{CountLost::no, CountLost::before, CountLost::control};

Json write_source(const SourceTerms& source) {
  return {{"name", source.name},
          {"windowEvents", source.window_events},
          {"windowBad", source.window_bad},
          {"extrapolated", source.extrapolated},
          {"rateMost", source.rate_most},
          {"patience", source.patience.count()},
          {"authoritative", source.authoritative},
          {"byChance", source.by_chance},
          {"lag", source.lag.count()}};
}

Result<SourceTerms> read_source(const Json& json) {
  SourceTerms source;
  Fields fields(json);
  fields.read("name", source.name);
  fields.read("windowEvents", source.window_events);
  fields.read("windowBad", source.window_bad);
  fields.read("extrapolated", source.extrapolated);
  fields.read("rateMost", source.rate_most);
  fields.read("patience", source.patience);
  fields.read("authoritative", source.authoritative);
  if (fields.has("byChance")) fields.read("byChance", source.by_chance);
  if (fields.has("lag")) fields.read("lag", source.lag);
  TRY(fields.result());
  return source;
}

Json write_terms(const SloTerms& slo) {
  Json json = {{"name", slo.name},
               {"objective", slo.objective},
               {"window", slo.window.count()},
               {"sources", list_of(slo.sources, &write_source)},
               {"method", name_of(slo.method)},
               {"slice", slo.slice.count()},
               {"sliceTarget", slo.slice_target},
               {"empty", name_of(slo.empty)},
               {"countLost", name_of(slo.count_lost)},
               {"promised", slo.promised},
               {"bearable", slo.bearable}};
  if (slo.period.empty()) return json;
  json["period"] = slo.period;
  json["nextPeriod"] = slo.next_period;
  return json;
}

Result<SloTerms> read_terms(const Json& json) {
  SloTerms slo;
  Fields fields(json);
  fields.read("name", slo.name);
  fields.read("objective", slo.objective);
  fields.read("window", slo.window);
  fields.read("sources", slo.sources, &read_source);
  fields.read("method", slo.method, all_methods);
  fields.read("slice", slo.slice);
  fields.read("sliceTarget", slo.slice_target);
  fields.read("empty", slo.empty, all_empty);
  fields.read("countLost", slo.count_lost, all_lost);
  fields.read("promised", slo.promised);
  if (fields.has("bearable")) fields.read("bearable", slo.bearable);
  if (fields.has("period")) {
    fields.read("period", slo.period);
    fields.read("nextPeriod", slo.next_period);
  }
  TRY(fields.result());
  return slo;
}

Json write_returned(const Returned& one) { return {{"begin", one.begin.count()}, {"end", one.end.count()}, {"share", one.share}}; }

Result<Returned> read_returned(const Json& json) {
  Returned one;
  Fields fields(json);
  fields.read("begin", one.begin);
  fields.read("end", one.end);
  fields.read("share", one.share);
  TRY(fields.result());
  return one;
}

Json write_slice(const Slice& slice) {
  Json json = {{"begin", slice.begin.count()},  {"end", slice.end.count()},       {"total", slice.total},    {"bad", slice.bad},
               {"state", name_of(slice.state)}, {"newest", slice.newest.count()}, {"problem", slice.problem}};
  if (slice.control) json["control"] = write_counts(*slice.control);
  if (slice.missing) json["missing"] = *slice.missing;
  if (slice.unknown) json["unknown"] = *slice.unknown;
  if (slice.ours > 0) json["ours"] = slice.ours;
  if (!slice.returned.empty()) json["returned"] = list_of(slice.returned, &write_returned);
  return json;
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
  if (fields.has("missing")) {
    slice.missing = 0;
    fields.read("missing", *slice.missing);
  }
  if (fields.has("unknown")) {
    slice.unknown = 0;
    fields.read("unknown", *slice.unknown);
  }
  if (fields.has("ours")) fields.read("ours", slice.ours);
  if (fields.has("returned")) fields.read("returned", slice.returned, &read_returned);
  if (fields.has("control")) slice.control = TRY(read_counts(*fields.find("control")));
  TRY(fields.result());
  return slice;
}

}  // namespace

Json to_json(const Config& config) {
  return {{"slos", list_of(config.slos, &write_terms)},
          {"budget", config.budget},
          {"reserve", config.reserve},
          {"alpha", config.alpha},
          {"burn", config.burn},
          {"onNoData", name_of(config.on_no_data)},
          {"hold", config.hold.count()},
          {"grace", config.grace.count()},
          {"rollback", config.rollback.count()},
          {"length", config.length.count()}};
}

Result<Config> config_from(const Json& json) {
  Config config;
  Fields fields(json);
  fields.read("slos", config.slos, &read_terms);
  fields.read("budget", config.budget);
  fields.read("reserve", config.reserve);
  fields.read("alpha", config.alpha);
  fields.read("burn", config.burn);
  fields.read("onNoData", config.on_no_data, all_policies);
  fields.read("hold", config.hold);
  fields.read("grace", config.grace);
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
    if (input.source != 0) json["source"] = input.source;
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
    std::uint64_t source = 0;
    if (fields.has("source")) fields.read("source", source);
    input.source = source;
    const Json* slice = fields.find("slice");
    if (slice != nullptr) input.slice = TRY(read_slice(*slice));
  }
  if (!fields.ok()) return because(fields.result().error(), "stored guard input");
  return input;
}

namespace {

Result<void> check(const Input& input, const Config& config) {
  if (!input.slo) return {};
  if (*input.slo >= config.slos.size())
    return fail(Blame::input, "stored guard input: SLO number ", *input.slo, " of ", config.slos.size());
  if (input.source >= config.slos[*input.slo].sources.size())
    return fail(Blame::input, "stored guard input: source number ", input.source, " of ", config.slos[*input.slo].sources.size());
  return {};
}

}  // namespace

Result<std::vector<Verdict>> replay(const Config& config, const std::vector<Input>& inputs) {
  Guard guard = TRY(Guard::make(config));
  std::vector<Verdict> verdicts;
  for (const Input& input : inputs) {
    TRY(check(input, config));
    if (input.injected) guard.injected(input.now);
    if (input.reverted) guard.reverted(input.now);
    if (input.slo) guard.observe(*input.slo, input.slice, input.source);
    if (!input.injected && !input.reverted && !input.slo) verdicts.push_back(guard.evaluate(input.now));
  }
  return verdicts;
}

}  // namespace arashi::guard
