#include "agent/protocol/fields.hpp"

namespace arashi::protocol {

void to_json(Json& json, const ResolveRequest& value) { json = {{"selector", value.selector}}; }
void from_json(const Json& json, ResolveRequest& value) { field(json, "selector", value.selector); }

// The struct holds the parameters as text so that its users need no JSON; on the wire they are an object as one would write it by hand.
// Text that is no JSON travels as a string, which the other side refuses by name.
void to_json(Json& json, const InjectRequest& value) {
  const auto params = value.params.empty() ? Result<Json>(Json::object()) : parse_json(value.params);
  json = {{"experiment", value.experiment},
          {"id", value.id},
          {"fault", value.fault},
          {"victim", value.victim},
          {"params", params ? *params : Json(value.params)},
          {"duration", value.duration.count()}};
}

void from_json(const Json& json, InjectRequest& value) {
  field(json, "experiment", value.experiment);
  field(json, "id", value.id);
  field(json, "fault", value.fault);
  field(json, "victim", value.victim);
  field(json, "duration", value.duration);
  const auto params = json.find("params");
  if (params == json.end()) throw Malformed{"params", "is missing"};
  if (!params->is_object()) throw Malformed{"params", "must be an object"};
  value.params = to_text(*params);
}

void to_json(Json& json, const LeaseRequest& value) { json = {{"experiment", value.experiment}, {"ttl", value.ttl.count()}}; }
void from_json(const Json& json, LeaseRequest& value) {
  field(json, "experiment", value.experiment);
  field(json, "ttl", value.ttl);
}

void to_json(Json& json, const RevertRequest& value) { json = {{"experiment", value.experiment}, {"id", value.id}}; }
void from_json(const Json& json, RevertRequest& value) {
  field(json, "experiment", value.experiment);
  field(json, "id", value.id);
}

void to_json(Json& json, const HaltRequest& value) { json = {{"experiment", value.experiment}}; }
void from_json(const Json& json, HaltRequest& value) { field(json, "experiment", value.experiment); }

}  // namespace arashi::protocol
