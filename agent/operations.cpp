#include "agent/operations.hpp"

#include "injector/core/id.hpp"
#include "injector/core/kinds.hpp"

#include <sys/utsname.h>

#include <algorithm>

namespace arashi {

namespace {

constexpr const char* json_type = "application/json";
constexpr const char* metrics_type = "text/plain; version=0.0.4; charset=utf-8";

protocol::FaultText text_of(const Fault& fault) {
  protocol::FaultText text{.name = std::string(fault.name), .summary = std::string(fault.summary), .reversible = fault.reversible};
  text.scopes.assign(fault.scopes.begin(), fault.scopes.end());
  for (const auto kind : kinds_in(fault.scopes)) text.target_kinds.emplace_back(kind);
  for (const auto& param : fault.params) text.params.push_back(describe(param));
  return text;
}

Request request_of(const protocol::InjectRequest& asked, const Call& call) {
  return {.id = asked.id,
          .experiment = asked.experiment,
          .victim = asked.victim,
          .params = asked.params,
          .runner_address = call.peer,
          .agent_address = call.reached,
          .duration = asked.duration};
}

protocol::InjectionStatus status_of(const Injection& one, Duration now) {
  return {.id = one.id,
          .experiment = one.experiment,
          .fault = one.fault,
          .step = one.step,
          .mechanism = one.mechanism,
          .problem = one.problem,
          .victim = one.victim,
          .age = now - one.made,
          .left = std::max(Duration::zero(), one.deadline - now),
          .evidence = one.evidence};
}

Answer error_answer(std::uint64_t id, const Error& error) {
  return {.id = id, .status = protocol::http_status(error.blame), .type = json_type, .body = protocol::print(protocol::reply_of(error))};
}

}  // namespace

std::vector<protocol::FaultText> fault_texts() {
  std::vector<protocol::FaultText> texts;
  for (const auto* fault : all_faults()) texts.push_back(text_of(*fault));
  return texts;
}

std::vector<std::string> problems_of(const std::vector<protocol::Ask>& asked) {
  const auto problem = [](const protocol::Ask& one) -> Result<void> {
    const auto* fault = find_fault(one.fault);
    if (fault == nullptr || fault->check == nullptr) return {};
    const bool is_of_this_version = check_canonical(fault->params, one.params).empty();
    return is_of_this_version ? fault->check(one.params) : Result<void>();
  };
  std::vector<std::string> problems;
  problems.reserve(asked.size());
  for (const auto& one : asked) {
    const auto fine = problem(one);
    problems.push_back(fine ? "" : fine.error().message);
  }
  return problems;
}

Operations::Operations(Faults& faults, Policy policy, std::string node)
    : faults_(faults), policy_(std::move(policy)), node_(std::move(node)), leases_(policy_.longest_lease) {}

Answer Operations::answer(const Call& call) {
  NoRoute why;
  const auto* entry = find_route(call.method, call.path, why);
  if (entry == nullptr) return error_answer(call.id, {.message = why.message, .blame = Blame::missing});
  try {
    const auto reply = dispatch(*entry, call);
    if (!reply) return error_answer(call.id, reply.error());
    const bool is_metrics = entry->route == Route::metrics;
    return {.id = call.id, .status = 200, .type = is_metrics ? metrics_type : json_type, .body = *reply};
  } catch (const std::exception& error) {  // out of memory, or a library that throws: this call fails, the agent goes on
    return error_answer(call.id, {.message = std::string(entry->path) + " failed inside the agent: " + error.what()});
  }
}

Operations::Reply Operations::dispatch(const RouteEntry& entry, const Call& call) {
  switch (entry.route) {
    case Route::about:
      return about();
    case Route::capabilities:
      return capabilities();
    case Route::resolve:
      return resolve(call);
    case Route::prepare:
      return prepare(call);
    case Route::inject:
      return inject(call);
    case Route::lease:
      return lease(call);
    case Route::revert:
      return revert(call);
    case Route::halt:
      return halt(call);
    case Route::status:
      return status();
    case Route::metrics:
      return metrics();
    case Route::health:
      return std::string(R"({"status":"ok"})");
  }
  return fail(Blame::system, "no such route");
}

Operations::Reply Operations::about() {
  protocol::About about{.release = ARASHI_VERSION, .node = node_, .faults = fault_texts()};
  about.boot = TRY(boot_id());
  utsname kernel{};
  if (uname(&kernel) == 0) about.kernel = kernel.release;
  return protocol::print(about);
}

Operations::Reply Operations::capabilities() {
  std::call_once(asked_capabilities_, [this] { capabilities_ = faults_.capabilities(); });
  return protocol::print(protocol::CapabilitiesReply{.capabilities = capabilities_});
}

Operations::Reply Operations::resolve(const Call& call) {
  const auto asked = TRY(protocol::parse<protocol::ResolveRequest>(call.body));
  const auto victims = TRY(faults_.resolve(asked.selector));
  return protocol::print(protocol::ResolveReply{.victims = victims});
}

Result<void> Operations::check(const protocol::InjectRequest& asked) {
  if (!is_name(asked.experiment))
    return fail(Blame::input, "experiment '", asked.experiment, "': must be a name of at most 63 lower-case letters, digits and '-'");
  if (!is_id(asked.id)) return fail(Blame::input, "id '", asked.id, "': must be eight lower-case letters and digits");
  if (find_fault(asked.fault) == nullptr)
    return fail(Code::unknown_fault, "this agent (", ARASHI_VERSION, ") has no fault '", asked.fault, "'");
  return {};
}

Operations::Reply Operations::prepare(const Call& call) {
  const auto asked = TRY(protocol::parse<protocol::InjectRequest>(call.body));
  TRY(check(asked));
  const auto subject = TRY(faults_.look_at(asked.fault, asked.victim, asked.duration));
  TRY(check_policy(policy_, subject, faults_.live()));
  const auto request = request_of(asked, call);
  const auto prepared = TRY(faults_.prepare(asked.fault, request));
  const auto* fault = find_fault(asked.fault);
  return protocol::print(protocol::PrepareReply{.claims = prepared.claims,
                                                .mechanism = prepared.mechanism,
                                                .because = prepared.because,
                                                .undo = prepared.undo,
                                                .reversible = fault->reversible});
}

Operations::Reply Operations::inject(const Call& call) {
  const auto asked = TRY(protocol::parse<protocol::InjectRequest>(call.body));
  TRY(check(asked));
  const auto request = request_of(asked, call);
  const auto subject = TRY(faults_.look_at(asked.fault, asked.victim, asked.duration));
  const auto term = enter(asked, subject);
  if (!term) {
    const std::scoped_lock lock(mutex_);
    ++counters_.injections["refused"];
    return pass(term.error());
  }
  auto reply = inject_admitted(asked, request, *term);
  leave(asked.id, reply ? "active" : "failed");
  return reply;
}

Operations::Reply Operations::inject_admitted(const protocol::InjectRequest& asked, const Request& request, Leases::Term term) {
  const auto begin = boot_now();
  const auto injection = TRY(faults_.inject(asked.fault, request));
  const auto end = boot_now();
  // The lease may have ended while the fault was being applied, too early for its end to find something to revert.
  bool still_leased = false;
  {
    const std::scoped_lock lock(mutex_);
    still_leased = !closed_ && leases_.term(asked.experiment, end) == term;
  }
  if (still_leased) return protocol::print(protocol::InjectReply{.id = injection.id, .evidence = injection.evidence, .took = end - begin});
  count(faults_.revert(asked.experiment, asked.id));
  return fail(Code::expired, asked.fault, " on ", asked.victim.label, ": the lease of experiment '", asked.experiment,
              "' ended while it was being applied; it was reverted");
}

std::size_t Operations::living(const std::string& except) {
  std::set<std::string> ids = entered_;
  for (const auto& injection : faults_.status())
    if (!is_over(injection.step)) ids.insert(injection.id);
  ids.erase(except);
  return ids.size();
}

Result<Leases::Term> Operations::enter(const protocol::InjectRequest& asked, const Subject& subject) {
  const std::scoped_lock lock(mutex_);
  if (closed_) return fail(Code::ending, "this agent is ending");
  const auto term = leases_.term(asked.experiment, boot_now());
  if (!term)
    return fail(Code::expired, "experiment '", asked.experiment,
                "' holds no lease on this agent, and there is no fault without one: POST /v1/lease first");
  // Only near the limit it is worth asking what exactly lives: what is being injected may be counted in both.
  auto live = faults_.live() + entered_.size();
  if (live >= policy_.most_injections) live = living(asked.id);
  TRY(check_policy(policy_, subject, live));
  if (!entered_.insert(asked.id).second) return fail(Code::exists, "injection '", asked.id, "' is being applied already");
  return *term;
}

void Operations::leave(const std::string& id, const char* outcome) {
  {
    const std::scoped_lock lock(mutex_);
    entered_.erase(id);
    ++counters_.injections[outcome];
  }
  left_.notify_all();
}

Operations::Reply Operations::lease(const Call& call) {
  const auto asked = TRY(protocol::parse<protocol::LeaseRequest>(call.body));
  Leases::Grant grant;
  {
    const std::scoped_lock lock(mutex_);
    if (closed_) return fail(Code::ending, "this agent is ending");
    // Else its runner, who was not asked, would open it again with the next renewal.
    if (ended_.why(asked.experiment) == Code::halted)
      return fail(Code::halted, "experiment '", asked.experiment, "' was halted; start it anew under another name");
    grant = TRY(leases_.renew(asked.experiment, asked.ttl, boot_now()));
    counters_.leases_opened += grant.opened ? 1 : 0;
    if (grant.opened) ended_.forget(asked.experiment);
  }
  return protocol::print(protocol::LeaseReply{.ttl = grant.ttl, .live = faults_.live_of(asked.experiment)});
}

std::string Operations::reverted(const std::vector<Reverted>& outcomes) {
  count(outcomes);
  protocol::RevertReply reply;
  for (const auto& one : outcomes)
    reply.outcomes.push_back({.id = one.id, .fault = one.fault, .step = one.step, .problem = one.problem, .took = one.took});
  return protocol::print(reply);
}

Operations::Reply Operations::revert(const Call& call) {
  const auto asked = TRY(protocol::parse<protocol::RevertRequest>(call.body));
  if (asked.experiment.empty() && asked.id.empty())
    return fail(Blame::input, "say which experiment or which id to revert; POST /v1/halt with an empty experiment reverts everything");
  if (asked.id.empty()) {
    const std::scoped_lock lock(mutex_);
    leases_.end(asked.experiment);
  }
  return reverted(faults_.revert(asked.experiment, asked.id));
}

Operations::Reply Operations::halt(const Call& call) {
  const auto asked = TRY(protocol::parse<protocol::HaltRequest>(call.body));
  {
    // The leases first: what is just being injected then finds that it has none.
    const std::scoped_lock lock(mutex_);
    ++counters_.halts;
    for (const auto& experiment : leases_.experiments()) {
      if (!asked.experiment.empty() && asked.experiment != experiment) continue;
      leases_.end(experiment);
      ended_.note(experiment, Code::halted);
    }
  }
  return reverted(faults_.revert(asked.experiment, ""));
}

Operations::Reply Operations::status() {
  protocol::StatusReply reply{.release = ARASHI_VERSION, .node = node_};
  const auto injections = faults_.status();
  const auto now = boot_now();
  for (const auto& one : injections) reply.injections.push_back(status_of(one, now));
  const std::scoped_lock lock(mutex_);
  for (auto& one : reply.injections)
    if (is_over(one.step)) one.code = ended_.why(one.experiment);
  reply.leases = leases_.experiments();
  return protocol::print(reply);
}

Operations::Reply Operations::metrics() {
  Gauges gauges{.injections = faults_.status(), .release = ARASHI_VERSION, .node = node_};
  const std::scoped_lock lock(mutex_);
  gauges.leases = leases_.experiments().size();
  return metrics_text(counters_, gauges);
}

std::vector<std::string> Operations::take_expired(Duration now) {
  const std::scoped_lock lock(mutex_);
  auto expired = leases_.take_expired(now);
  counters_.leases_expired += expired.size();
  for (const auto& experiment : expired) ended_.note(experiment, Code::expired);
  return expired;
}

std::vector<Reverted> Operations::revert_expired(const std::string& experiment) {
  auto outcomes = faults_.revert(experiment, "");
  count(outcomes);
  return outcomes;
}

std::optional<Duration> Operations::next_lease_end() {
  const std::scoped_lock lock(mutex_);
  return leases_.next_end();
}

std::set<std::string> Operations::stuck() {
  std::set<std::string> ids;
  for (const auto& one : faults_.status())
    if (one.step == Step::stuck) ids.insert(one.id);
  return ids;
}

bool Operations::close(Duration end) {
  std::unique_lock lock(mutex_);
  closed_ = true;
  lock.unlock();
  const auto stuck_before = stuck();
  lock.lock();
  Duration pause = std::chrono::milliseconds(20);
  for (int tries = 1;; ++tries) {
    lock.unlock();
    count(faults_.revert("", ""));
    const auto still_stuck = stuck();
    lock.lock();
    const bool nothing_left = entered_.empty() && faults_.live() == 0;
    const bool hopeless = tries >= most_tries_of_stuck && entered_.empty() && faults_.live() == still_stuck.size() &&
                          std::ranges::includes(stuck_before, still_stuck);
    if (nothing_left || hopeless || boot_now() >= end) return nothing_left;
    left_.wait_for(lock, pause);
    pause = std::min(pause * 2, Duration(std::chrono::milliseconds(500)));
  }
}

void Operations::count(const std::vector<Reverted>& outcomes) {
  const std::scoped_lock lock(mutex_);
  counters_.count(outcomes);
}

}  // namespace arashi
