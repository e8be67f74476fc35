#include "experiments/report/report.hpp"
#include "experiments/run/result.hpp"
#include "injector/core/json.hpp"

#include <algorithm>
#include <initializer_list>

namespace arashi::report {

namespace {

struct Member {
  const char* name;
  const char* about;
  Json schema;
};

Json object_of(std::initializer_list<Member> members) {
  Json properties = Json::object();
  Json required = Json::array();
  for (const auto& member : members) {
    properties[member.name] = member.schema;
    properties[member.name]["description"] = member.about;
    required.push_back(member.name);
  }
  return {{"type", "object"}, {"properties", std::move(properties)}, {"required", std::move(required)}};
}

Json list_of(Json items) { return {{"type", "array"}, {"items", std::move(items)}}; }
Json text() { return {{"type", "string"}}; }
Json number() { return {{"type", "number"}}; }
Json whole() { return {{"type", "integer"}, {"minimum", 0}}; }
Json yes_or_no() { return {{"type", "boolean"}}; }
Json time_or_null() { return {{"type", Json::array({"number", "null"})}}; }
Json one_of(std::initializer_list<const char*> names) { return {{"type", "string"}, {"enum", names}}; }

Json fault_schema() {
  const auto value = object_of({{"what", "the quantity", text()},
                                {"unit", "ns, fraction, count or empty", text()},
                                {"requested", "null where nothing was asked for", time_or_null()},
                                {"achieved", "null where it could not be read", time_or_null()},
                                {"note", "in words", text()}});
  const auto evidence = object_of({{"inPlace", "the effect was read back from the machine", yes_or_no()},
                                   {"bit", "it affected something", yes_or_no()},
                                   {"seen", "events that it could have affected", whole()},
                                   {"affected", "events that it did affect", whole()},
                                   {"values", "requested beside achieved", list_of(value)},
                                   {"detail", "one line for people", text()}});
  return object_of(
      {{"id", "the injection", text()},
       {"fault", "name of the fault", text()},
       {"target", "name of the target group", text()},
       {"victim", "who exactly", text()},
       {"agent", "which agent", text()},
       {"mechanism", "how", text()},
       {"askedAt", "when the agent was asked", time_or_null()},
       {"activeAt", "when its effect had been read back", time_or_null()},
       {"revertedAt", "when the agent confirmed that it is reverted", time_or_null()},
       {"step", "where it ended", one_of({"intended", "applying", "active", "lost", "reverting", "reverted", "drifted", "stuck"})},
       {"problem", "why lost, drifted or stuck", text()},
       {"evidence", "what it did", evidence}});
}

Json state_of_data() { return one_of({"fresh", "stale", "empty", "error", "partial", "late-born", "not-a-number", "silent"}); }

Json windows_schema() {
  return list_of(object_of({{"length", "seconds", number()},
                            {"burnRate", "in that window", number()},
                            {"threshold", "from where on it is an alert", number()}}));
}

Json counts_schema() { return object_of({{"total", "events", whole()}, {"bad", "of these bad", whole()}}); }

Json effect_schema() {
  auto schema = object_of({{"treated", "at the replicas with the fault", counts_schema()},
                           {"control", "at those without", counts_schema()},
                           {"ratio", "so many times as likely is a bad event with the fault", number()},
                           {"lowest", "of its 95% interval, right at all times at once", number()},
                           {"highest", "of its interval; null: nothing bounds it", time_or_null()},
                           {"logE", "log of the e-value against no harm", number()},
                           {"cause", "what the control group says", one_of({"unknown", "fault", "incident", "both"})},
                           {"text", "the same for a person on call", text()}});
  schema["type"] = Json::array({"object", "null"});
  return schema;
}

Json source_schema() {
  return object_of({{"name", "what measures it", text()},
                    {"authoritative", "the cap goes by it", yes_or_no()},
                    {"total", "events since the first injection", whole()},
                    {"bad", "of these bad", whole()},
                    {"budgetSpent", "share of the budget by this source", number()},
                    {"logE", "log of its e-value", number()},
                    {"state", "of its data", state_of_data()},
                    {"problem", "why not fresh", text()}});
}

Json slo_schema() {
  return object_of({{"name", "of the SLO", text()},
                    {"total", "events since the first injection", whole()},
                    {"bad", "of these bad", whole()},
                    {"lost", "of the bad ones, events that should have come and did not", whole()},
                    {"budgetSpent", "share of the whole window's budget", number()},
                    {"budgetCharged", "the same plus unknown time and rollback reserve", number()},
                    {"budgetLimit", "share that the experiment may spend", number()},
                    {"extrapolated", "the budget was not measured over a whole window", yes_or_no()},
                    {"period", "the SLO's window where it follows the calendar, such as: this calendar month, since …; else empty", text()},
                    {"burnRate", "over the last 10 s", number()},
                    {"lasts", "seconds until the limit at that rate", time_or_null()},
                    {"windows", "of the burn-rate rules", windows_schema()},
                    {"logE", "log of the e-value against the SLO", number()},
                    {"logThreshold", "where it would abort", number()},
                    {"logHeld", "log of the e-value for the SLO", number()},
                    {"logHeldThreshold", "from where on it counts as held", number()},
                    {"heldNeeds", "so many events without a bad one are evidence enough", whole()},
                    {"state", "of its source", state_of_data()},
                    {"sources", "each by itself", list_of(source_schema())},
                    {"effect", "of the fault, by the control group", effect_schema()}});
}

Json abort_schema() {
  auto schema = object_of({{"at", "seconds", number()},
                           {"reasons", "the strongest first",
                            list_of(object_of({{"slo", "which", text()},
                                               {"layer", "cap, e-process, burn rate or no data", text()},
                                               {"value", "what was found", number()},
                                               {"threshold", "what it was held against", number()},
                                               {"text", "for a person on call", text()}}))}});
  schema["type"] = Json::array({"object", "null"});
  return schema;
}

Json load_schema() {
  const auto second = object_of({{"at", "begin of this second", number()},
                                 {"intended", "requests meant to start", whole()},
                                 {"notSent", "of these, not sent in time by the runner itself: neither good nor bad", whole()},
                                 {"started", "requests started", whole()},
                                 {"good", "answered well and in time", whole()},
                                 {"failed", "error or no answer", whole()},
                                 {"slow", "too late", whole()},
                                 {"p50", "median latency from the intended start", number()},
                                 {"p99", "99th percentile", number()}});
  return object_of({{"name", "of the load", text()},
                    {"rateIntended", "per second", number()},
                    {"rateAchieved", "per second", number()},
                    {"total", "requests", whole()},
                    {"bad", "of these bad", whole()},
                    {"firstBad", "when the first was found bad", time_or_null()},
                    {"lastBad", "when the last was found bad", time_or_null()},
                    {"thresholds", "the same requests by each SLO's latency; the figures above are by the first",
                     list_of(object_of({{"latency", "longer is bad; 0: only failures and timeouts are", number()},
                                        {"total", "requests", whole()},
                                        {"bad", "of these bad", whole()},
                                        {"firstBad", "when the first was found bad", time_or_null()},
                                        {"lastBad", "when the last was found bad", time_or_null()}}))},
                    {"latencies", "of all answers and timeouts, from their intended times",
                     object_of({{"p50", "median", number()},
                                {"p90", "90th percentile", number()},
                                {"p99", "99th percentile", number()},
                                {"p999", "99.9th percentile", number()},
                                {"most", "the longest", number()}})},
                    {"failures", "why answers failed, and how many", Json{{"type", "object"}, {"additionalProperties", whole()}}},
                    {"notSent", "why the runner itself did not send requests in time, and how many; they count as unknown",
                     Json{{"type", "object"}, {"additionalProperties", whole()}}},
                    {"seconds", "one entry a second", list_of(second)}});
}

constexpr std::size_t largest_result = std::size_t{256} << 20U;  // bytes: a day at one row a second and a few SLOs

bool has_type(const Json& value, const std::string& type) {
  if (type == "object") return value.is_object();
  if (type == "array") return value.is_array();
  if (type == "string") return value.is_string();
  if (type == "boolean") return value.is_boolean();
  if (type == "integer") return value.is_number_integer();
  if (type == "number") return value.is_number();
  return value.is_null();
}

bool fits_type(const Json& value, const Json& type) {
  if (type.is_string()) return has_type(value, type.get<std::string>());
  for (const auto& each : type)
    if (has_type(value, each.get<std::string>())) return true;
  return type.is_null();
}

bool contains(const Json& list, const Json& value) {
  return std::any_of(list.begin(), list.end(), [&value](const Json& each) { return each == value; });
}

// The first place where the value does not fit the schema, in words; empty if it fits. Knows what this file's schema uses.
std::string misfit(const Json& schema, const Json& value, const std::string& path) {
  if (!fits_type(value, schema.value("type", Json()))) return path + " is not of type " + to_text(schema.at("type"));
  if (schema.contains("enum") && !contains(schema.at("enum"), value)) return path + " is " + to_text(value);
  if (value.is_null()) return {};
  for (const auto& name : schema.value("required", Json::array()))
    if (!value.contains(name.get<std::string>())) return path + " lacks \"" + name.get<std::string>() + "\"";
  const auto properties = schema.value("properties", Json::object());
  for (const auto& [name, part] : properties.items())
    if (auto found = misfit(part, value.at(name), path + "." + name); !found.empty()) return found;
  if (!schema.contains("items")) return {};
  for (std::size_t i = 0; i < value.size(); ++i)
    if (auto found = misfit(schema.at("items"), value[i], path + "[" + std::to_string(i) + "]"); !found.empty()) return found;
  return {};
}

}  // namespace

Json result_schema() {
  auto schema =
      object_of({{"format", "of this document", Json{{"const", run::result_format}}},
                 {"run", "id of the run", text()},
                 {"experiment", "its name", text()},
                 {"hypothesis", "what was to be shown", text()},
                 {"started", "RFC 3339, UTC; all other times are seconds since then", text()},
                 {"outcome", "the verdict", one_of({"held", "refuted", "refused", "interrupted", "inconclusive", "left-behind"})},
                 {"exitCode", "of arashi run: held 0, refuted 1, refused 3, interrupted 4, inconclusive 5, left-behind 6", whole()},
                 {"reasons", "in words, the decisive one first", list_of(text())},
                 {"times", "what a team asks for after an abort",
                  object_of({{"firstInjection", "first fault active", time_or_null()},
                             {"firstBad", "first request found bad after it", time_or_null()},
                             {"decision", "the guard's, or who stopped it", time_or_null()},
                             {"lastRevert", "last fault reverted", time_or_null()},
                             {"recovered", "SLOs hold again", time_or_null()}})},
                 {"states", "when each state was entered", list_of(object_of({{"state", "name", text()}, {"at", "seconds", number()}}))},
                 {"faults", "each injection", list_of(fault_schema())},
                 {"checks", "each run of a check",
                  list_of(object_of({{"name", "of the check", text()},
                                     {"when", "before, during or after", text()},
                                     {"passed", "as expected", yes_or_no()},
                                     {"at", "seconds", number()},
                                     {"took", "seconds", number()},
                                     {"detail", "in words", text()}}))},
                 {"slos", "each SLO at the end", list_of(slo_schema())},
                 {"abort", "the guard's verdict that ended the run, or null", abort_schema()},
                 {"loads", "what the load generator sent and got", list_of(load_schema())},
                 {"guard", "budget and burn rate by second", list_of(Json{{"type", "object"}})},
                 {"events", "the event log",
                  list_of(object_of({{"at", "seconds", number()}, {"what", "event", text()}, {"detail", "in words", text()}}))},
                 {"plan", "as arashi plan --json prints it", Json{{"type", "object"}}}});
  schema["$schema"] = "https://json-schema.org/draft/2020-12/schema";
  schema["title"] = "Result of an Arashi run";
  return schema;
}

Result<Json> read(std::string_view text) {
  auto result = TRY(parse_json(text, largest_result));
  if (!result.is_object() || result.value("format", Json()) != run::result_format)
    return fail(Blame::input, R"(this is no result of a run: its "format" is not ")", run::result_format, "\"");
  if (const auto problem = misfit(result_schema(), result, "result"); !problem.empty())
    return fail(Blame::input, "this result of a run is damaged: ", problem);
  return result;
}

}  // namespace arashi::report
