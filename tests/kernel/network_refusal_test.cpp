// What a network fault refuses before anything is touched, and what it says about it.
#include "tests/support/network.hpp"

#include <doctest/doctest.h>

#include <memory>

using namespace arashi;
using namespace arashi::test;

namespace {

Error refusal(const Host& host, const char* name, const Victim& victim, const Json& given) {
  const auto& fault = *find_fault(name);
  const auto prepared =
      fault.prepare(host, {.id = unique_id(), .experiment = "test", .victim = victim, .params = canonical(fault, given), .duration = {}});
  REQUIRE_FALSE(prepared.has_value());
  return prepared.error();
}

void check_says(const Error& error, Blame blame, const std::string& part) {
  INFO(error.message);
  CHECK(error.blame == blame);
  CHECK(error.message.find(part) != std::string::npos);
}

}  // namespace

TEST_CASE("impossible combinations are refused with the reason") {
  const Wire wire;
  const Host host;
  const auto impair = [&](const Json& given) { return refusal(host, "network.impair", wire.victim(), given); };
  check_says(impair(Json::object()), Blame::input, "nothing is asked for");
  check_says(impair(Json{{"jitter", "1ms"}, {"loss", "1%"}}), Blame::input, "jitter needs a delay");
  check_says(impair(Json{{"jitter", "30ms"}, {"delay", "20ms"}}), Blame::input, "more than the delay 20ms");
  check_says(impair(Json{{"loss", "1%"}, {"protocol", "icmp"}, {"ports", {"80"}}}), Blame::input, "icmp has no ports");
  check_says(impair(Json{{"loss", "1%"}, {"device", "eth7"}}), Blame::missing, "no device 'eth7'");
  check_says(impair(Json{{"loss", "1%"}, {"peers", {"192.0.2.1"}}}), Blame::input, "no route to peer 192.0.2.1");
  check_says(impair(Json{{"loss", "1%"}, {"peers", {"10.77.0.1"}}}), Blame::input, "device: lo");
  const auto& fault = *find_fault("network.impair");
  Request request{.id = unique_id(),
                  .experiment = "test",
                  .victim = wire.victim(),
                  .params = canonical(fault, Json{{"loss", "1%"}, {"ramp", "1m"}}),
                  .duration = std::chrono::seconds(2)};
  const auto too_long = fault.prepare(host, request);
  REQUIRE_FALSE(too_long.has_value());
  check_says(too_long.error(), Blame::input, "ramp 1m is longer than the fault's 2s");
  request.duration = std::chrono::minutes(1);
  CHECK(fault.prepare(host, request).has_value());
  check_says(impair(Json{{"delay", "1ms"}, {"backend", "bpf"}}), Blame::unsupported, "backend bpf");
  check_says(refusal(host, "network.partition", wire.victim(), Json{{"peers", {"10.77.0.2"}}, {"except", {"10.0.0.0/8"}}}), Blame::input,
             "nothing of it would be hit");
}

TEST_CASE("a mistyped address is refused by the declaration") {
  CHECK_FALSE(check_params(find_fault("network.impair")->params, Json{{"loss", "1%"}, {"peers", {"10.77.0.999"}}}).problems.empty());
}

TEST_CASE("a delay of more than a minute is refused by the declaration") {
  CHECK_FALSE(check_params(find_fault("network.impair")->params, Json{{"delay", "61s"}}).problems.empty());
  CHECK(check_params(find_fault("network.impair")->params, Json{{"delay", "60s"}}).problems.empty());
}

TEST_CASE("a peer of a family that the target has no address of is refused") {
  const Wire wire;
  const Host host;
  REQUIRE(wire.here("ip -6 addr flush dev eth0").exit == 0);
  check_says(refusal(host, "network.impair", wire.victim(), Json{{"loss", "1%"}, {"peers", {"2001:db8::/32"}}}), Blame::input,
             "the target has no IPv6 address");
}

TEST_CASE("the runner's own address is never a peer") {
  const Wire wire;
  Host host;
  host.control.runner_addresses = {"10.77.0.2"};
  check_says(refusal(host, "network.partition", wire.victim(), Json{{"peers", {"10.77.0.2"}}}), Blame::refused, "is the runner itself");
}

TEST_CASE("a cgroup without one namespace is refused, with what to do instead") {
  const Host host;
  Victim victim;
  victim.label = "cgroup pay";
  victim.kind = "cgroup";
  victim.scope = Scope::cgroup;
  victim.netns = 0;
  check_says(refusal(host, "network.impair", victim, Json{{"loss", "1%"}}), Blame::refused, "several");
}

TEST_CASE("a namespace that died between plan and inject is missing, not an error of the machine") {
  const Host host;
  auto wire = std::make_unique<Wire>();
  const auto victim = wire->victim();
  wire.reset();
  check_says(refusal(host, "network.impair", victim, Json{{"loss", "1%"}}), Blame::missing, "is gone");
}

TEST_CASE("auto says why it took what it took") {
  const Wire wire;
  const Host host;
  const auto& fault = *find_fault("network.impair");
  const auto choose = [&](const Json& given) {
    auto prepared = fault.prepare(
        host, {.id = unique_id(), .experiment = "test", .victim = wire.victim(), .params = canonical(fault, given), .duration = {}});
    REQUIRE(prepared.has_value());
    return *prepared;
  };
  CHECK(choose(Json{{"loss", "1%"}}).mechanism == "bpf");
  const auto delay = choose(Json{{"delay", "1ms"}});
  CHECK(delay.mechanism != "bpf");
  CHECK(delay.because.find("no bpf: ") != std::string::npos);
  CHECK(delay.claims.size() == 1);
  CHECK(delay.claims[0] == "netns:" + std::to_string(wire.victim().netns) + "/eth0/egress");
}
