#include "experiments/sli/promql.hpp"

#include <doctest/doctest.h>

using namespace arashi;
using namespace arashi::sli;

TEST_CASE("the selectors of an expression are found") {
  struct Case {
    std::string text;
    std::vector<std::string> selectors;
  };
  const Case cases[] = {
      {"up", {"up"}},
      {R"(http_requests_total{code=~"5..",path="/a{b}"})", {R"(http_requests_total{code=~"5..",path="/a{b}"})"}},
      {R"({__name__="x", a='}'})", {R"({__name__="x", a='}'})"}},
      {"sum(a{x='sum(b)'}) + sum by (job, code) (b)", {"a{x='sum(b)'}", "b"}},
      {"sum(a) by (job)", {"a"}},
      {"sum without (x) (a:b:c) or vector(0)", {"a:b:c"}},
      {"a / on (job) group_left (x) b", {"a", "b"}},
      {"sum(a offset 5m)", {"a"}},
      {"clamp_max(a, 1e9) * 2", {"a"}},
  };
  for (const Case& each : cases) {
    CAPTURE(each.text);
    const auto expression = analyse(each.text);
    REQUIRE_MESSAGE(expression, expression.error().message);
    CHECK(expression->selectors == each.selectors);
  }
}

TEST_CASE("a plain sum is read series by series, anything else as it stands") {
  CHECK(analyse("sum(a)")->summed);
  CHECK(analyse(" sum ( a{b=\"c\"} ) ")->text == "a{b=\"c\"}");
  CHECK_FALSE(analyse("sum by (x) (a)")->summed);
  CHECK_FALSE(analyse("sum(a) + sum(a)")->summed);
  CHECK_FALSE(analyse("sum(a + 1)")->summed);
  CHECK_FALSE(analyse("sum(a offset 5m)")->summed);
  CHECK(analyse("a{b=\"c\"}")->selector);
  CHECK_FALSE(analyse("a + 1")->selector);
}

TEST_CASE("what cannot be a counter is refused with its reason") {
  for (const char* text : {"", "   ", "1 + 1", "vector(0)", "rate(a[5m])", "sum(increase(a[30d]))", "a{b=\"c", "a{b=\"c\"", "\"a"}) {
    CAPTURE(text);
    const auto expression = analyse(text);
    REQUIRE_FALSE(expression);
    CHECK(expression.error().blame == Blame::input);
  }
}
