// What runner and agent say to each other: plain structs and their JSON, the same over HTTPS, the unix socket and the socketpair
// between the agent's api and injector processes. Times are nanoseconds; on the wire every struct is one JSON object with these names.
#pragma once

#include "injector/core/capability.hpp"
#include "injector/core/claims.hpp"
#include "injector/core/evidence.hpp"
#include "injector/core/json.hpp"
#include "injector/core/params.hpp"
#include "injector/core/result.hpp"
#include "injector/core/scope.hpp"
#include "injector/core/step.hpp"
#include "injector/core/units.hpp"
#include "injector/core/victim.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace arashi {

// Structs of injector/core that only travel here bring no JSON of their own.
void to_json(Json& json, const ParamText& value);
void from_json(const Json& json, ParamText& value);
void to_json(Json& json, const Capability& value);
void from_json(const Json& json, Capability& value);

}  // namespace arashi

namespace arashi::protocol {

// A runner and an agent whose numbers differ do not talk; the error names both and says which to update.
inline constexpr int version = 2;

struct FaultText {
  std::string name, summary;
  std::vector<Scope> scopes;              // what it can act on
  std::vector<std::string> target_kinds;  // the kinds of targets whose victims are that, for people
  bool reversible = true;
  std::vector<ParamText> params;
};

// Of one step of a timeline, before there is a victim.
struct Ask {
  std::string fault;
  Json params = Json::object();  // canonical
};

using Capability = arashi::Capability;

struct About {  // GET /v1/about
  int protocol = version;
  std::string release, node, boot, kernel;
  std::vector<FaultText> faults;
};

struct CapabilitiesReply {  // GET /v1/capabilities: tries the kernel out, once for each start of the agent; takes a tenth of a second
  std::vector<Capability> capabilities;
};

struct ResolveRequest {
  Selector selector;
};  // POST /v1/resolve
struct ResolveReply {
  std::vector<Victim> victims;
};

struct InjectRequest {  // POST /v1/prepare (reads only) and POST /v1/inject
  std::string experiment, id, fault;
  Victim victim;
  Json params = Json::object();  // canonical
  Duration duration{};
};
struct PrepareReply {
  Claims claims;
  std::string mechanism, because, undo;
  bool reversible = true;
};
struct InjectReply {
  std::string id;
  Evidence evidence;
  Duration took{};
};

struct LeaseRequest {
  std::string experiment;
  Duration ttl{};
};  // POST /v1/lease: opens or renews
struct LeaseReply {
  Duration ttl{};
  std::size_t live = 0;
};  // ttl granted (policy may shorten), injections of the experiment alive

struct RevertRequest {
  std::string experiment, id;
};  // POST /v1/revert: one id, or all of the experiment (also ends the lease)
struct HaltRequest {
  std::string experiment;
};  // POST /v1/halt: empty = everything on this machine
struct RevertOutcome {
  std::string id, fault;
  Step step = Step::reverted;  // reverted, drifted or stuck
  std::string problem;
  Duration took{};
};
struct RevertReply {
  std::vector<RevertOutcome> outcomes;
};

struct InjectionStatus {
  std::string id, experiment, fault;
  Step step = Step::intended;
  Code code = Code::none;  // why it was reverted before its time: halted, expired
  std::string mechanism, problem;
  Victim victim;
  Duration age{}, left{};
  Evidence evidence;
};
struct StatusReply {  // GET /v1/status
  std::string release, node;
  std::vector<InjectionStatus> injections;
  std::vector<std::string> leases;  // experiments that hold one
};

struct ErrorReply {  // any reply with status >= 400
  Blame blame = Blame::system;
  Code code = Code::none;
  std::string message;  // for people; whoever reads it to decide something goes by the two above
};
ErrorReply reply_of(const Error& error);
Error error_of(ErrorReply reply);

std::string_view name_of(Blame blame);
Blame blame_from(std::string_view name);
int http_status(Blame blame);

void to_json(Json& json, const FaultText& value);
void from_json(const Json& json, FaultText& value);
void to_json(Json& json, const Ask& value);
void from_json(const Json& json, Ask& value);
void to_json(Json& json, const About& value);
void from_json(const Json& json, About& value);
void to_json(Json& json, const CapabilitiesReply& value);
void from_json(const Json& json, CapabilitiesReply& value);
void to_json(Json& json, const ResolveRequest& value);
void from_json(const Json& json, ResolveRequest& value);
void to_json(Json& json, const ResolveReply& value);
void from_json(const Json& json, ResolveReply& value);
void to_json(Json& json, const InjectRequest& value);
void from_json(const Json& json, InjectRequest& value);
void to_json(Json& json, const PrepareReply& value);
void from_json(const Json& json, PrepareReply& value);
void to_json(Json& json, const InjectReply& value);
void from_json(const Json& json, InjectReply& value);
void to_json(Json& json, const LeaseRequest& value);
void from_json(const Json& json, LeaseRequest& value);
void to_json(Json& json, const LeaseReply& value);
void from_json(const Json& json, LeaseReply& value);
void to_json(Json& json, const RevertRequest& value);
void from_json(const Json& json, RevertRequest& value);
void to_json(Json& json, const HaltRequest& value);
void from_json(const Json& json, HaltRequest& value);
void to_json(Json& json, const RevertOutcome& value);
void from_json(const Json& json, RevertOutcome& value);
void to_json(Json& json, const RevertReply& value);
void from_json(const Json& json, RevertReply& value);
void to_json(Json& json, const InjectionStatus& value);
void from_json(const Json& json, InjectionStatus& value);
void to_json(Json& json, const StatusReply& value);
void from_json(const Json& json, StatusReply& value);
void to_json(Json& json, const ErrorReply& value);
void from_json(const Json& json, ErrorReply& value);

// Text from outside → struct: a missing or mistyped field is Blame::input and names the field. Never throws.
template <class T>
Result<T> parse(std::string_view text);
// Struct → one line of JSON.
template <class T>
std::string print(const T& value);

}  // namespace arashi::protocol
