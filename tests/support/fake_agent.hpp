// An agent without a process or a socket: it says what a test tells it to, on the loop's thread as a real one would.
#pragma once

#include "experiments/fleet/agent.hpp"
#include "experiments/stop_scope.hpp"

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

namespace arashi::testing {

class FakeAgent : public fleet::Agent {
 public:
  template <class Reply, class... Asked>
  using Says = std::function<std::optional<Result<Reply>>(const Asked&...)>;  // nullopt: nothing, until it is cancelled

  explicit FakeAgent(std::shared_ptr<fleet::Loop> loop, std::string name = "fake")
      : fleet::Agent(std::move(loop)), name_(std::move(name)) {}

  // To be set before it is asked.
  Says<protocol::About> on_about = [] { return protocol::About{}; };
  Says<protocol::CapabilitiesReply> on_capabilities = [] { return protocol::CapabilitiesReply{}; };
  Says<protocol::ResolveReply, Selector> on_resolve = [](const auto&) { return protocol::ResolveReply{}; };
  Says<protocol::PrepareReply, protocol::InjectRequest> on_prepare = [](const auto&) { return protocol::PrepareReply{}; };
  Says<protocol::InjectReply, protocol::InjectRequest> on_inject = [](const auto& asked) {
    return protocol::InjectReply{.id = asked.id, .evidence = {.in_place = true}};
  };
  Says<protocol::StatusReply> on_status = [] { return protocol::StatusReply{}; };
  Says<protocol::LeaseReply, protocol::LeaseRequest> on_lease = [](const auto& asked) { return protocol::LeaseReply{.ttl = asked.ttl}; };
  Says<protocol::RevertReply, protocol::RevertRequest> on_revert = [](const auto&) { return protocol::RevertReply{}; };
  Says<protocol::RevertReply, protocol::HaltRequest> on_halt = [](const auto&) { return protocol::RevertReply{}; };

  [[nodiscard]] const std::string& name() const override { return name_; }
  void about(fleet::Then<protocol::About> then, fleet::Terms terms) override { answer(on_about, std::move(then), std::move(terms)); }
  void capabilities(fleet::Then<protocol::CapabilitiesReply> then, fleet::Terms terms) override {
    answer(on_capabilities, std::move(then), std::move(terms));
  }
  void resolve(const Selector& asked, fleet::Then<protocol::ResolveReply> then, fleet::Terms terms) override {
    answer(on_resolve, std::move(then), std::move(terms), asked);
  }
  void prepare(const protocol::InjectRequest& asked, fleet::Then<protocol::PrepareReply> then, fleet::Terms terms) override {
    answer(on_prepare, std::move(then), std::move(terms), asked);
  }
  void inject(const protocol::InjectRequest& asked, fleet::Then<protocol::InjectReply> then, fleet::Terms terms) override {
    answer(on_inject, std::move(then), std::move(terms), asked);
  }
  void status(fleet::Then<protocol::StatusReply> then, fleet::Terms terms) override {
    answer(on_status, std::move(then), std::move(terms));
  }
  void lease(const protocol::LeaseRequest& asked, fleet::Then<protocol::LeaseReply> then, fleet::Terms terms) override {
    answer(on_lease, std::move(then), std::move(terms), asked);
  }
  void revert(const protocol::RevertRequest& asked, fleet::Then<protocol::RevertReply> then, fleet::Terms terms) override {
    answer(on_revert, std::move(then), std::move(terms), asked);
  }
  void halt(const protocol::HaltRequest& asked, fleet::Then<protocol::RevertReply> then, fleet::Terms terms) override {
    answer(on_halt, std::move(then), std::move(terms), asked);
  }

 private:
  // One request that is not answered yet; whoever comes first answers it: its reply, its patience or its cancelling.
  template <class Reply>
  struct Open {
    fleet::Then<Reply> then;
    std::optional<std::stop_callback<std::function<void()>>> stopper;
    void end(Result<Reply> reply) {
      if (!then) return;
      const auto told = std::exchange(then, nullptr);
      told(std::move(reply));
    }
  };

  template <class Reply, class... Asked>
  void answer(const Says<Reply, Asked...>& says, fleet::Then<Reply> then, fleet::Terms terms, const Asked&... asked) {
    auto open = std::make_shared<Open<Reply>>();
    open->then = std::move(then);
    if (!terms.stop.stop_possible()) terms.stop = stop_here();
    loop().post([this, says, open, terms = std::move(terms), asked...] {
      if (auto reply = terms.stop.stop_requested() ? std::nullopt : says(asked...)) return open->end(*std::move(reply));
      const auto cancel = [open, to = &loop(), name = name_] {
        to->post([open, name] { open->end(fail(Blame::system, "agent ", name, ": cancelled")); });
      };
      if (terms.stop.stop_possible()) open->stopper.emplace(terms.stop, cancel);
      if (terms.patience > Duration::zero()) loop().at(boot_now() + terms.patience, cancel);
    });
  }

  std::string name_;
};

}  // namespace arashi::testing
