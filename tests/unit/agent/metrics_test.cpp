#include "agent/metrics.hpp"

#include <doctest/doctest.h>

using namespace arashi;

namespace {

Injection injection(const std::string& id, Step step) {
  Injection one;
  one.id = id;
  one.experiment = "slow \"ledger\"\n";
  one.fault = "network.impair";
  one.step = step;
  one.evidence.seen = 40211;
  one.evidence.affected = 812;
  return one;
}

bool has_line(const std::string& text, const std::string& line) { return ("\n" + text).find("\n" + line + "\n") != std::string::npos; }

}  // namespace

TEST_CASE("the metrics count injections by step, and steps without any are there as 0") {
  const auto text =
      metrics_text({}, {.injections = {injection("a", Step::active), injection("b", Step::stuck), injection("c", Step::reverted)},
                        .leases = 2,
                        .release = "0.1.0",
                        .node = "n1"});
  CHECK(has_line(text, R"(arashi_injections{step="active"} 1)"));
  CHECK(has_line(text, R"(arashi_injections{step="stuck"} 1)"));
  CHECK(has_line(text, R"(arashi_injections{step="lost"} 0)"));
  CHECK_FALSE(text.find(R"(step="reverted")") != std::string::npos);
  CHECK(has_line(text, "arashi_leases 2"));
  CHECK(has_line(text, R"(arashi_build_info{release="0.1.0",node="n1"} 1)"));
}

TEST_CASE("evidence is labelled, and labels are escaped") {
  const auto text = metrics_text({}, {.injections = {injection("a", Step::active), injection("over", Step::reverted)}});
  CHECK(has_line(text, R"(arashi_evidence_events{id="a",experiment="slow \"ledger\"\n",fault="network.impair",kind="affected"} 812)"));
  CHECK(text.find("id=\"over\"") == std::string::npos);
}

TEST_CASE("what was asked for and what is achieved are there side by side, each with its unit") {
  auto one = injection("a", Step::active);
  one.evidence.values = {{.what = "delay", .unit = "ns", .requested = 50e6, .achieved = 50123456, .note = "x"},
                         {.what = "loss", .unit = "fraction", .requested = 0.01, .achieved = {}, .note = "no packet yet"},
                         {.what = "matched packets", .unit = "count", .requested = {}, .achieved = 812, .note = ""}};
  const auto text = metrics_text({}, {.injections = {one, injection("over", Step::reverted)}});
  const std::string labels = R"(arashi_evidence_value{id="a",experiment="slow \"ledger\"\n",fault="network.impair",)";
  CHECK(has_line(text, labels + R"(what="delay",unit="ns",kind="requested"} 50000000)"));
  CHECK(has_line(text, labels + R"(what="delay",unit="ns",kind="achieved"} 50123456)"));
  CHECK(has_line(text, labels + R"(what="loss",unit="fraction",kind="requested"} 0.01)"));
  CHECK(text.find(R"(what="loss",unit="fraction",kind="achieved")") == std::string::npos);
  CHECK(has_line(text, labels + R"(what="matched packets",unit="count",kind="achieved"} 812)"));
}

TEST_CASE("counters tell outcomes") {
  Tally counters;
  counters.count({{.id = "a", .step = Step::reverted}, {.id = "b", .step = Step::reverted}, {.id = "c", .step = Step::stuck}});
  counters.injections["active"] = 3;
  counters.leases_expired = 1;
  const auto text = metrics_text(counters, {});
  CHECK(has_line(text, R"(arashi_reverts_total{outcome="reverted"} 2)"));
  CHECK(has_line(text, R"(arashi_reverts_total{outcome="stuck"} 1)"));
  CHECK(has_line(text, R"(arashi_inject_requests_total{outcome="active"} 3)"));
  CHECK(has_line(text, "arashi_leases_expired_total 1"));
}
