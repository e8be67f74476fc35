#include "agent/protocol/fields.hpp"

namespace arashi {

void to_json(Json& json, const ParamText& value) {
  json = {{"name", value.name},         {"type", value.type},         {"summary", value.summary}, {"example", value.example},
          {"fallback", value.fallback}, {"required", value.required}, {"choices", value.choices}};
  json["least"] = value.least ? Json(*value.least) : Json();
  json["most"] = value.most ? Json(*value.most) : Json();
}

void from_json(const Json& json, ParamText& value) {
  using protocol::field;
  field(json, "name", value.name);
  field(json, "type", value.type);
  field(json, "summary", value.summary);
  field(json, "example", value.example);
  field(json, "fallback", value.fallback);
  field(json, "required", value.required);
  field(json, "choices", value.choices);
  field(json, "least", value.least);
  field(json, "most", value.most);
}

void to_json(Json& json, const Capability& value) {
  json = {{"name", value.name}, {"available", value.available}, {"detail", value.detail}, {"remedy", value.remedy}};
}

void from_json(const Json& json, Capability& value) {
  using protocol::field;
  field(json, "name", value.name);
  field(json, "available", value.available);
  field(json, "detail", value.detail);
  field(json, "remedy", value.remedy);
}

namespace protocol {

void to_json(Json& json, const FaultText& value) {
  Json scopes = Json::array();
  for (const auto scope : value.scopes) scopes.push_back(arashi::name_of(scope));
  json = {{"name", value.name},
          {"summary", value.summary},
          {"scopes", std::move(scopes)},
          {"targetKinds", value.target_kinds},
          {"reversible", value.reversible},
          {"params", value.params}};
}

void from_json(const Json& json, FaultText& value) {
  field(json, "name", value.name);
  field(json, "summary", value.summary);
  field(json, "scopes", value.scopes);
  field(json, "targetKinds", value.target_kinds);
  field(json, "reversible", value.reversible);
  field(json, "params", value.params);
}

void to_json(Json& json, const Ask& value) { json = {{"fault", value.fault}, {"params", value.params}}; }

void from_json(const Json& json, Ask& value) {
  field(json, "fault", value.fault);
  params_in(json, value.params);
}

void to_json(Json& json, const About& value) {
  json = {{"protocol", value.protocol}, {"release", value.release}, {"node", value.node},
          {"boot", value.boot},         {"kernel", value.kernel},   {"faults", value.faults}};
}

// The rest is left unread when the other side speaks another version: its caller compares the numbers and tells what to update,
// which is of more use than the name of a field that has changed.
void from_json(const Json& json, About& value) {
  field(json, "protocol", value.protocol);
  field(json, "release", value.release);
  if (value.protocol != version) return;
  field(json, "node", value.node);
  field(json, "boot", value.boot);
  field(json, "kernel", value.kernel);
  field(json, "faults", value.faults);
}

void to_json(Json& json, const CapabilitiesReply& value) { json = {{"capabilities", value.capabilities}}; }
void from_json(const Json& json, CapabilitiesReply& value) { field(json, "capabilities", value.capabilities); }

void to_json(Json& json, const ResolveReply& value) { json = {{"victims", value.victims}}; }
void from_json(const Json& json, ResolveReply& value) { field(json, "victims", value.victims); }

void to_json(Json& json, const PrepareReply& value) {
  json = {{"claims", value.claims},
          {"mechanism", value.mechanism},
          {"because", value.because},
          {"undo", value.undo},
          {"reversible", value.reversible}};
}

void from_json(const Json& json, PrepareReply& value) {
  field(json, "claims", value.claims);
  field(json, "mechanism", value.mechanism);
  field(json, "because", value.because);
  field(json, "undo", value.undo);
  field(json, "reversible", value.reversible);
}

void to_json(Json& json, const InjectReply& value) {
  json = {{"id", value.id}, {"evidence", value.evidence}, {"took", value.took.count()}};
}

void from_json(const Json& json, InjectReply& value) {
  field(json, "id", value.id);
  field(json, "evidence", value.evidence);
  field(json, "took", value.took);
}

void to_json(Json& json, const LeaseReply& value) { json = {{"ttl", value.ttl.count()}, {"live", value.live}}; }
void from_json(const Json& json, LeaseReply& value) {
  field(json, "ttl", value.ttl);
  field(json, "live", value.live);
}

void to_json(Json& json, const RevertOutcome& value) {
  json = {{"id", value.id},
          {"fault", value.fault},
          {"step", arashi::name_of(value.step)},
          {"problem", value.problem},
          {"took", value.took.count()}};
}

void from_json(const Json& json, RevertOutcome& value) {
  field(json, "id", value.id);
  field(json, "fault", value.fault);
  field(json, "step", value.step);
  field(json, "problem", value.problem);
  field(json, "took", value.took);
}

void to_json(Json& json, const RevertReply& value) { json = {{"outcomes", value.outcomes}}; }
void from_json(const Json& json, RevertReply& value) { field(json, "outcomes", value.outcomes); }

void to_json(Json& json, const InjectionStatus& value) {
  json = {{"id", value.id},
          {"experiment", value.experiment},
          {"fault", value.fault},
          {"step", arashi::name_of(value.step)},
          {"code", arashi::name_of(value.code)},
          {"mechanism", value.mechanism},
          {"problem", value.problem},
          {"victim", value.victim},
          {"age", value.age.count()},
          {"left", value.left.count()},
          {"evidence", value.evidence}};
}

void from_json(const Json& json, InjectionStatus& value) {
  field(json, "id", value.id);
  field(json, "experiment", value.experiment);
  field(json, "fault", value.fault);
  field(json, "step", value.step);
  field(json, "code", value.code);
  field(json, "mechanism", value.mechanism);
  field(json, "problem", value.problem);
  field(json, "victim", value.victim);
  field(json, "age", value.age);
  field(json, "left", value.left);
  field(json, "evidence", value.evidence);
}

void to_json(Json& json, const StatusReply& value) {
  json = {{"release", value.release}, {"node", value.node}, {"injections", value.injections}, {"leases", value.leases}};
}

void from_json(const Json& json, StatusReply& value) {
  field(json, "release", value.release);
  field(json, "node", value.node);
  field(json, "injections", value.injections);
  field(json, "leases", value.leases);
}

void to_json(Json& json, const ErrorReply& value) {
  json = {{"blame", name_of(value.blame)}, {"code", arashi::name_of(value.code)}, {"message", value.message}};
}

// An agent of protocol 1 sends no code; its refusals are understood all the same, so that it can be told apart and halted.
void from_json(const Json& json, ErrorReply& value) {
  std::string blame;
  field(json, "blame", blame);
  value.blame = blame_from(blame);
  if (json.contains("code")) field(json, "code", value.code);
  field(json, "message", value.message);
}

}  // namespace protocol
}  // namespace arashi
