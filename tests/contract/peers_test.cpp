// What many peers cost.
#include "tests/contract/traced.hpp"
#include "tests/support/machine.hpp"

#include <doctest/doctest.h>

using namespace arashi;
using namespace arashi::testing;

namespace {

// From the request to the effect and back, in a process of its own.
int inject(const Victim& victim, const Json& peers) {
  const Host host;
  const auto& fault = *find_fault("network.impair");
  const auto asked = request("network.impair", victim, Json{{"loss", "1%"}, {"peers", peers}});
  mark();
  const auto prepared = fault.prepare(host, asked);
  if (!prepared) return 1;
  const auto evidence = fault.apply(host, prepared->change);
  const bool reverted = fault.revert(host, prepared->change).has_value();
  return evidence && evidence->in_place && reverted ? 0 : 2;
}

}  // namespace

TEST_CASE("a thousand peers cost the kernel a few calls more than one peer does, not a thousand") {
  const Pair pair;
  const auto victim = the_victim(Host{}, {"netns", {{"name", pair.left.name()}}});
  REQUIRE(pair.left.run({"ip", "route", "add", "10.78.0.0/16", "via", Pair::right_v4}).exit_code == 0);
  Json peers = Json::array();
  for (int i = 0; i < 1000; ++i) peers.push_back("10.78." + std::to_string(i / 250) + "." + std::to_string(i % 250));
  const auto one = run_traced(0, [&] { return inject(victim, Json::array({peers[0]})); });
  const auto thousand = run_traced(0, [&] { return inject(victim, peers); });
  CHECK(one.exit_code == 0);
  CHECK(thousand.exit_code == 0);
  INFO(one.calls, " system calls for one peer, ", thousand.calls, " for a thousand");
  CHECK(one.calls > 20);
  CHECK(thousand.calls < one.calls + 100);
}
