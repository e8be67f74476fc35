#include "agent/operations.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <thread>

using namespace arashi;
using namespace std::chrono_literals;

namespace {

// Remembers what it was asked to do.
class Remembering : public Faults {
 public:
  [[nodiscard]] const Host& host() const override { return host_; }
  Result<std::vector<Victim>> resolve(const Selector&) override {
    return std::vector<Victim>{{.kind = "node", .scope = Scope::node, .label = "here"}};
  }
  Result<Subject> look_at(std::string_view fault, const Victim& victim, Duration duration) override {
    return Subject{.fault = fault, .duration = duration, .victim = victim, .processes = processes};
  }
  Result<PreparedRecord> prepare(const std::string&, const Request&) override {
    return PreparedRecord{.mechanism = "none", .undo = "nothing"};
  }
  Result<Injection> inject(const std::string& fault, const Request& request) override {
    if (while_injecting) while_injecting();
    if (failing) return fail(Blame::unsupported, "this machine cannot do it");
    const std::scoped_lock lock(mutex_);
    Injection injection;
    injection.id = request.id;
    injection.experiment = request.experiment;
    injection.fault = fault;
    injection.step = Step::active;
    alive_.push_back(injection);
    return injection;
  }
  std::vector<Reverted> revert(std::string_view experiment, std::string_view id) override {
    const std::scoped_lock lock(mutex_);
    ++reverts;
    if (sticking) {
      for (auto& one : alive_) one.step = Step::stuck;
      return {};
    }
    std::vector<Reverted> reverted;
    std::erase_if(alive_, [&](const Injection& one) {
      const bool matches = (experiment.empty() || one.experiment == experiment) && (id.empty() || one.id == id);
      if (matches) reverted.push_back({.id = one.id, .fault = one.fault});
      return matches;
    });
    return reverted;
  }
  std::vector<Injection> status() override {
    const std::scoped_lock lock(mutex_);
    return alive_;
  }
  [[nodiscard]] std::size_t live() const override {
    const std::scoped_lock lock(mutex_);
    return alive_.size();
  }
  [[nodiscard]] std::size_t live_of(std::string_view experiment) const override {
    const std::scoped_lock lock(mutex_);
    return static_cast<std::size_t>(
        std::count_if(alive_.begin(), alive_.end(), [&](const auto& one) { return one.experiment == experiment; }));
  }
  std::vector<Capability> capabilities() override { return {{.name = "netem", .available = false, .detail = "none", .remedy = "load it"}}; }

  std::function<void()> while_injecting;
  std::vector<std::string> processes;
  bool failing = false;
  std::atomic<bool> sticking = false;  // nothing can be taken back
  int reverts = 0;

 private:
  Host host_;
  mutable std::mutex mutex_;
  std::vector<Injection> alive_;
};

std::string any_fault() { return std::string(all_faults().front()->name); }

struct Agent {
  Remembering faults;
  Operations operations;
  explicit Agent(Policy policy = {}) : operations(faults, std::move(policy), "n1") {}

  Answer post(const std::string& path, const std::string& body) {
    return operations.answer({.id = 5, .method = "POST", .path = path, .body = body});
  }
  Answer lease(const std::string& experiment, Duration ttl = 60s) {
    return post("/v1/lease", protocol::print(protocol::LeaseRequest{.experiment = experiment, .ttl = ttl}));
  }
  Answer inject(const std::string& experiment, const std::string& id, const std::string& fault = any_fault()) {
    return post("/v1/inject", protocol::print(protocol::InjectRequest{.experiment = experiment,
                                                                      .id = id,
                                                                      .fault = fault,
                                                                      .victim = {.kind = "node", .scope = Scope::node, .label = "here"},
                                                                      .duration = 10s}));
  }
  Answer halt(const std::string& experiment) { return post("/v1/halt", protocol::print(protocol::HaltRequest{.experiment = experiment})); }
  std::string metrics() { return operations.answer({.method = "GET", .path = "/metrics"}).body; }
};

Code code_of(const Answer& answer) { return protocol::parse<protocol::ErrorReply>(answer.body)->code; }
std::string message_of(const Answer& answer) { return protocol::parse<protocol::ErrorReply>(answer.body)->message; }

}  // namespace

TEST_CASE("nothing is injected without a lease") {
  Agent agent;
  const auto refused = agent.inject("mine", "aaaaaaa1");
  CHECK(refused.status == 409);
  CHECK(refused.id == 5);
  CHECK(message_of(refused).find("holds no lease") != std::string::npos);
  CHECK(agent.faults.live() == 0);
  CHECK(agent.lease("another").status == 200);
  CHECK(agent.inject("mine", "aaaaaaa1").status == 409);
  CHECK(agent.lease("mine").status == 200);
  CHECK(agent.inject("mine", "aaaaaaa1").status == 200);
  CHECK(agent.faults.live() == 1);
}

TEST_CASE("a lease tells what it granted and how many faults it carries") {
  Agent agent({.longest_lease = 10s});
  CHECK(agent.lease("mine", 60s).status == 200);
  CHECK(agent.inject("mine", "aaaaaaa1").status == 200);
  const auto reply = protocol::parse<protocol::LeaseReply>(agent.lease("mine", 60s).body);
  CHECK(reply->ttl == 10s);
  CHECK(reply->live == 1);
}

TEST_CASE("a lease that ended takes its experiment's faults along and no other's") {
  Agent agent;
  (void)agent.lease("mine", 1ns);
  (void)agent.lease("theirs");
  CHECK(agent.inject("theirs", "aaaaaaa1").status == 200);
  REQUIRE(agent.operations.next_lease_end().has_value());
  CHECK(agent.operations.take_expired(boot_now()) == std::vector<std::string>{"mine"});
  (void)agent.operations.revert_expired("mine");
  CHECK(agent.faults.live() == 1);
  CHECK(agent.metrics().find("arashi_leases_expired_total 1") != std::string::npos);
}

TEST_CASE("a fault whose lease ended while it was being applied is taken back") {
  Agent agent;
  (void)agent.lease("mine");
  SUBCASE("by a halt") {
    agent.faults.while_injecting = [&] { (void)agent.halt(""); };
  }
  SUBCASE("by a halt after which the runner opens another lease") {
    agent.faults.while_injecting = [&] {
      (void)agent.halt("mine");
      (void)agent.lease("mine");
    };
  }
  SUBCASE("because nobody renewed it") {
    agent.faults.while_injecting = [&] { (void)agent.operations.take_expired(boot_now() + 1h); };
  }
  const auto answer = agent.inject("mine", "aaaaaaa1");
  CHECK(answer.status == 409);
  CHECK(message_of(answer).find("reverted") != std::string::npos);
  CHECK(agent.faults.live() == 0);
}

TEST_CASE("a halt of one experiment ends its lease and reverts it, an empty one everything") {
  Agent agent;
  (void)agent.lease("one");
  (void)agent.lease("two");
  CHECK(agent.inject("one", "aaaaaaa1").status == 200);
  CHECK(agent.inject("two", "aaaaaaa2").status == 200);
  const auto reply = protocol::parse<protocol::RevertReply>(agent.halt("one").body);
  REQUIRE(reply->outcomes.size() == 1);
  CHECK(reply->outcomes[0].id == "aaaaaaa1");
  CHECK(reply->outcomes[0].step == Step::reverted);
  CHECK(agent.inject("one", "aaaaaaa3").status == 409);
  CHECK(agent.inject("two", "aaaaaaa3").status == 200);
  CHECK(protocol::parse<protocol::RevertReply>(agent.halt("").body)->outcomes.size() == 2);
  CHECK(agent.inject("two", "aaaaaaa4").status == 409);
}

TEST_CASE("a halted experiment gets no lease any more, so that its runner's next renewal tells it") {
  Agent agent;
  (void)agent.lease("one");
  (void)agent.lease("two");
  (void)agent.halt("one");
  const auto refused = agent.lease("one");
  CHECK(refused.status == 409);
  CHECK(code_of(refused) == Code::halted);
  CHECK(agent.lease("two").status == 200);
}

TEST_CASE("a revert of one id keeps the lease, of the experiment ends it, of nothing is an error") {
  Agent agent;
  (void)agent.lease("mine");
  CHECK(agent.inject("mine", "aaaaaaa1").status == 200);
  CHECK(agent.inject("mine", "aaaaaaa2").status == 200);
  const auto revert = [&](const std::string& experiment, const std::string& id) {
    return agent.post("/v1/revert", protocol::print(protocol::RevertRequest{.experiment = experiment, .id = id}));
  };
  CHECK(revert("", "").status == 400);
  CHECK(agent.faults.live() == 2);
  CHECK(revert("mine", "aaaaaaa1").status == 200);
  CHECK(agent.faults.live() == 1);
  CHECK(agent.inject("mine", "aaaaaaa3").status == 200);
  CHECK(revert("mine", "").status == 200);
  CHECK(agent.faults.live() == 0);
  CHECK(agent.inject("mine", "aaaaaaa4").status == 409);
}

TEST_CASE("the policy stands before prepare and inject alike") {
  Agent agent({.denied_faults = {"*"}});
  (void)agent.lease("mine");
  CHECK(agent.inject("mine", "aaaaaaa1").status == 409);
  const auto prepared =
      agent.post("/v1/prepare", protocol::print(protocol::InjectRequest{.experiment = "mine",
                                                                        .id = "aaaaaaa1",
                                                                        .fault = any_fault(),
                                                                        .victim = {.kind = "node", .scope = Scope::node, .label = "here"},
                                                                        .duration = 10s}));
  CHECK(prepared.status == 409);
  CHECK(message_of(prepared).find("deniedFaults") != std::string::npos);
  CHECK(agent.metrics().find(R"(arashi_inject_requests_total{outcome="refused"} 1)") != std::string::npos);
}

TEST_CASE("what the victim really is counts, not what the request says") {
  Agent agent;
  agent.faults.processes = {"sshd"};
  (void)agent.lease("mine");
  CHECK(agent.inject("mine", "aaaaaaa1").status == 409);
}

TEST_CASE("never more injections at a time than the policy allows, also when they come at once") {
  Agent agent({.most_injections = 3});
  (void)agent.lease("mine");
  std::atomic<int> done{0};
  {
    std::vector<std::jthread> runners;
    runners.reserve(8);
    for (int index = 0; index < 8; ++index)
      runners.emplace_back([&, index] { done += agent.inject("mine", "aaaaaaa" + std::to_string(index)).status == 200 ? 1 : 0; });
  }
  CHECK(done == 3);
  CHECK(agent.faults.live() == 3);
}

TEST_CASE("a fault that fails leaves room and is counted") {
  Agent agent({.most_injections = 1});
  (void)agent.lease("mine");
  agent.faults.failing = true;
  CHECK(agent.inject("mine", "aaaaaaa1").status == 501);
  agent.faults.failing = false;
  CHECK(agent.inject("mine", "aaaaaaa2").status == 200);
  CHECK(agent.metrics().find(R"(arashi_inject_requests_total{outcome="failed"} 1)") != std::string::npos);
}

TEST_CASE("names from outside are checked before they become part of anything") {
  Agent agent;
  (void)agent.lease("mine");
  CHECK(agent.inject("mine", "../../x1").status == 400);
  CHECK(agent.inject("../mine", "aaaaaaa1").status == 400);
  CHECK(agent.inject("mine", "aaaaaaa1", "no.such").status == 404);
  CHECK(agent.post("/v1/inject", "{}").status == 400);
}

TEST_CASE("closing takes back everything, also what is just being injected, and lets nothing in any more") {
  Agent agent;
  (void)agent.lease("mine");
  CHECK(agent.inject("mine", "aaaaaaa1").status == 200);
  std::atomic<bool> injecting{false};
  agent.faults.while_injecting = [&] {
    injecting = true;
    std::this_thread::sleep_for(30ms);
  };
  int status = 0;
  std::jthread runner([&] { status = agent.inject("mine", "aaaaaaa2").status; });
  while (!injecting) std::this_thread::yield();
  CHECK(agent.operations.close(boot_now() + 10s));
  runner.join();
  CHECK(status == 409);
  CHECK(agent.faults.live() == 0);
  CHECK(agent.lease("mine").status == 409);
  CHECK(agent.inject("mine", "aaaaaaa3").status == 409);
}

TEST_CASE("what was stuck before holds the agent's end up for a moment only") {
  Agent agent;
  CHECK(agent.lease("mine").status == 200);
  CHECK(agent.inject("mine", "aaaaaaa1").status == 200);
  agent.faults.sticking = true;
  CHECK(agent.halt("mine").status == 200);
  agent.faults.reverts = 0;
  const auto begin = boot_now();
  CHECK_FALSE(agent.operations.close(begin + 60s));
  CHECK(boot_now() - begin < 30s);
  CHECK(agent.faults.reverts >= 3);  // it may work after all
  CHECK(agent.faults.reverts <= 10);
  CHECK(agent.faults.live() == 1);
}

TEST_CASE("at the agent's end what can't be taken back at first is tried again until it can, or until the end") {
  Agent agent;
  CHECK(agent.lease("mine").status == 200);
  CHECK(agent.inject("mine", "aaaaaaa1").status == 200);
  agent.faults.sticking = true;
  const auto begin = boot_now();
  CHECK_FALSE(agent.operations.close(begin + 2500ms));
  CHECK(boot_now() - begin >= 2500ms);
  CHECK(agent.faults.reverts <= 20);

  Agent another;
  CHECK(another.lease("mine").status == 200);
  CHECK(another.inject("mine", "aaaaaaa1").status == 200);
  another.faults.sticking = true;
  std::jthread mend([&] {
    std::this_thread::sleep_for(2s);
    another.faults.sticking = false;
  });
  CHECK(another.operations.close(boot_now() + 60s));
  CHECK(another.faults.live() == 0);
}

TEST_CASE("about tells the protocol's number and all faults, and status, health and unknown paths answer") {
  Agent agent;
  const auto about = protocol::parse<protocol::About>(agent.operations.answer({.method = "GET", .path = "/v1/about"}).body);
  REQUIRE(about.has_value());
  CHECK(about->protocol == protocol::version);
  CHECK(about->faults.size() == all_faults().size());
  CHECK(about->node == "n1");
  const auto tried =
      protocol::parse<protocol::CapabilitiesReply>(agent.operations.answer({.method = "GET", .path = "/v1/capabilities"}).body);
  REQUIRE(tried.has_value());
  REQUIRE(tried->capabilities.size() == 1);
  CHECK(tried->capabilities[0].remedy == "load it");
  CHECK(protocol::parse<protocol::StatusReply>(agent.operations.answer({.method = "GET", .path = "/v1/status"}).body)->node == "n1");
  CHECK(agent.operations.answer({.method = "GET", .path = "/healthz"}).status == 200);
  CHECK(agent.operations.answer({.method = "GET", .path = "/nothing"}).status == 404);
}

TEST_CASE("parameters are judged by their fault, whoever the victim, and those of another version are not") {
  const auto problems = problems_of({{.fault = "network.impair", .params = {{"loss", 0.5}}},
                                     {.fault = "network.impair", .params = {{"loss", 0.5}, {"reorder", 0.1}}},
                                     {.fault = "network.impair", .params = {{"loss", 0.5}, {"reorder", 0.1}, {"later", 1}}},
                                     {.fault = "network.later"},
                                     {.fault = "process.pause"}});
  REQUIRE(problems.size() == 5);
  CHECK(problems[0].empty());
  CHECK(problems[1].starts_with("reorder needs a delay"));
  for (const auto i : {2U, 3U, 4U}) CHECK(problems[i].empty());
}
