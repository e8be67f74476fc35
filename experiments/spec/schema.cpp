#include "experiments/spec/schema.hpp"

#include "experiments/spec/objects.hpp"
#include "injector/core/json.hpp"
#include "injector/core/kinds.hpp"

#include <map>
#include <string>

namespace arashi::spec {
namespace {

constexpr const char* name_pattern = "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$";
constexpr const char* duration_pattern = "^(0|([0-9]+(\\.[0-9]+)?(ns|us|ms|s|m|h|d))+)$";
constexpr const char* rate_pattern = "^[0-9]+(\\.[0-9]+)?/[smh]$";
constexpr const char* percent_pattern = "^[0-9]+(\\.[0-9]+)?%$";

Json text() { return {{"type", "string"}}; }
Json scalar() { return {{"type", {"string", "number", "boolean"}}}; }
Json pattern(const char* regex) { return {{"type", "string"}, {"pattern", regex}}; }
Json either(const Json& one, const Json& other) { return {{"anyOf", {one, other}}}; }
Json reference(const Object& object) { return {{"$ref", "#/$defs/" + std::string(object.name)}}; }

Json one_of(std::span<const std::string_view> choices) {
  Json list = Json::array();
  for (const auto choice : choices) list.push_back(choice);
  return {{"enum", list}};
}

Json map_of(const Json& values) { return {{"type", "object"}, {"additionalProperties", values}}; }

Json zero_or(const Json& schema) { return either(schema, {{"const", 0}}); }

Json selector_schema(const SelectorKind& kind) {
  Json keys = Json::object();
  for (const auto& key : kind.keys) {
    const Json form = key.form == KeyForm::labels ? map_of(scalar())
                      : key.form == KeyForm::list ? Json{{"type", "array"}, {"items", {{"type", "object"}}}}
                                                  : Json{{"type", {"string", "integer"}}};
    keys[std::string(key.name)] = form;
  }
  Json schema{{"type", "object"}, {"additionalProperties", false}, {"properties", keys}};
  if (kind.keys.empty()) schema["type"] = {"object", "null"};
  return schema;
}

// Values that sections.cpp reads by a function of their own, by their keys; the others are texts.
const std::map<std::string_view, Json>& special_schemas() {
  static const Json boolean{{"type", "boolean"}};
  static const std::map<std::string_view, Json> schemas{
      {"pick", either({{"enum", {"all", "one"}}}, reference(count_object))},
      {"percent", either(pattern(percent_pattern), {{"type", "number"}, {"exclusiveMinimum", 0}, {"maximum", 100}})},
      {"seed", {{"type", "integer"}, {"minimum", 0}}},
      {"onNoData", either({{"enum", {"charge", "abort"}}}, reference(hold_object))},
      {"authoritative", boolean},
      {"countLost", {{"enum", {true, false, "control"}}}},
      {"exit", {{"type", "integer"}, {"minimum", 0}, {"maximum", 255}}},
      {"status", {{"type", "integer"}, {"minimum", 100}, {"maximum", 599}}},
      {"days", either(text(), {{"type", "array"}, {"items", text()}})},
      {"hours", pattern("^([01][0-9]|2[0-4]):[0-5][0-9]-([01][0-9]|2[0-4]):[0-5][0-9]$")},
      {"arrivals", either({{"enum", {"even", "poisson"}}}, reference(record_object))},
      {"speed", {{"type", "number"}, {"exclusiveMinimum", 0}}},
      {"repeat", boolean},
      {"insecure", boolean},
      {"with", {{"type", "object"}}},
  };
  return schemas;
}

Json special_schema(const Object& object, const Key& key) {
  for (const auto& kind : selector_kinds)
    if (&object == &target_object && kind.kind == key.name) return selector_schema(kind);
  const auto found = special_schemas().find(key.name);
  return found == special_schemas().end() ? text() : found->second;
}

Json key_schema(const Object& object, const Key& key) {
  switch (key.type) {
    case Type::text:
      return scalar();
    case Type::name:
      return pattern(name_pattern);
    case Type::url:
      return pattern("^https?://");
    case Type::duration:
      return key.zero ? zero_or(pattern(duration_pattern)) : pattern(duration_pattern);
    case Type::percent:
      return pattern(percent_pattern);
    case Type::rate:
      return key.name == "rate" && &object == &load_object ? either(pattern(rate_pattern), reference(ramp_object)) : pattern(rate_pattern);
    case Type::integer:
      return {{"type", "integer"}, {"minimum", 1}};
    case Type::choice:
      return one_of(key.choices);
    case Type::choices:
      return either(one_of(key.choices), {{"type", "array"}, {"items", one_of(key.choices)}, {"minItems", 1}});
    case Type::texts:
      return {{"type", "array"}, {"items", scalar()}, {"minItems", 1}};
    case Type::pairs:
      return map_of(scalar());
    case Type::object:
      return reference(*key.object);
    case Type::named:
      return {{"type", "object"}, {"propertyNames", {{"pattern", name_pattern}}}, {"additionalProperties", reference(*key.object)}};
    case Type::list:
      return {{"type", "array"}, {"items", reference(*key.object)}};
    case Type::special:
      return special_schema(object, key);
  }
  return Json::object();
}

Json object_schema(const Object& object) {
  Json properties = Json::object();
  Json required = Json::array();
  for (const Key& key : object.keys) {
    if (!key.unsupported.empty()) continue;
    Json schema = key_schema(object, key);
    schema["description"] = key.summary;
    if (!key.example.empty()) schema["description"] = std::string(key.summary) + "; such as " + std::string(key.example);
    if (!key.fallback.empty()) schema["default"] = key.fallback;
    properties[std::string(key.name)] = std::move(schema);
    if (key.required) required.push_back(key.name);
  }
  Json schema{{"type", "object"}, {"description", object.summary}, {"additionalProperties", false}, {"properties", properties}};
  if (!required.empty()) schema["required"] = required;
  return schema;
}

// `with` depends on `fault`: one if/then for each.
Json fault_rules(const std::vector<protocol::FaultText>& faults) {
  Json rules = Json::array();
  for (const auto& fault : faults) {
    Json then{{"properties", {{"with", params_schema(fault.params)}}}};
    for (const auto& param : fault.params)
      if (param.required) then["required"] = {"with"};
    rules.push_back({{"if", {{"properties", {{"fault", {{"const", fault.name}}}}}, {"required", {"fault"}}}}, {"then", then}});
  }
  return rules;
}

Json fault_names(const std::vector<protocol::FaultText>& faults) {
  Json names = Json::array();
  for (const auto& fault : faults) names.push_back(fault.name);
  return names;
}

Json exactly_one(std::initializer_list<const char*> keys) {
  Json ways = Json::array();
  for (const char* key : keys) ways.push_back({{"required", {key}}});
  return ways;
}

}  // namespace

Json schema(const std::vector<protocol::FaultText>& faults) {
  Json defs = Json::object();
  for (const Object* object : all_objects()) defs[std::string(object->name)] = object_schema(*object);
  if (!faults.empty()) {
    defs["step"]["properties"]["fault"]["enum"] = fault_names(faults);
    defs["step"]["allOf"] = fault_rules(faults);
  }
  for (const auto& kind : selector_kinds) defs["target"]["oneOf"].push_back({{"required", {kind.kind}}});
  defs["slo"]["oneOf"] = exactly_one(
      {"load", "prometheus", "metrics", "datadog", "mackerel", "cloudwatch", "newrelic", "command", "accessLog", "from", "sources"});
  defs["slo"]["anyOf"] = {{{"required", {"objective"}}}, {{"required", {"from"}}}, {{"required", {"sources"}}}};
  defs["slo"]["properties"]["sources"]["minItems"] = 1;
  defs["source"]["oneOf"] =
      exactly_one({"load", "prometheus", "metrics", "datadog", "mackerel", "cloudwatch", "newrelic", "command", "accessLog", "from"});
  defs["secret"]["oneOf"] = exactly_one({"env", "file", "command"});
  defs["mackerel"]["oneOf"] = exactly_one({"service", "host"});
  defs["metrics"]["oneOf"] = {{{"required", {"bad", "total"}}}, {{"required", {"good", "total"}}}, {{"required", {"histogram"}}}};
  defs["load"]["allOf"] = {{{"oneOf", exactly_one({"url", "requests"})}}, {{"anyOf", exactly_one({"rate", "arrivals"})}}};
  defs["check"]["oneOf"] = exactly_one({"command", "http"});
  defs["pick"]["oneOf"] = exactly_one({"count", "percent"});
  Json made = defs["experiment"];
  defs.erase("experiment");
  made["$schema"] = "https://json-schema.org/draft/2020-12/schema";
  made["title"] = "Arashi experiment";
  made["$defs"] = std::move(defs);
  return made;
}

}  // namespace arashi::spec
