#include "agent/protocol/fields.hpp"

namespace arashi::protocol {

void to_json(Json& json, const ResolveRequest& value) { json = {{"selector", value.selector}}; }
void from_json(const Json& json, ResolveRequest& value) { field(json, "selector", value.selector); }

void to_json(Json& json, const InjectRequest& value) {
  json = {{"experiment", value.experiment}, {"id", value.id},         {"fault", value.fault},
          {"victim", value.victim},         {"params", value.params}, {"duration", value.duration.count()}};
}

void from_json(const Json& json, InjectRequest& value) {
  field(json, "experiment", value.experiment);
  field(json, "id", value.id);
  field(json, "fault", value.fault);
  field(json, "victim", value.victim);
  field(json, "duration", value.duration);
  params_in(json, value.params);
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
