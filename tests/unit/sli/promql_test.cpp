#include "experiments/sli/prometheus/promql.hpp"

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

namespace {

// "+a -b"; empty: it is read as it stands.
std::string terms(const std::string& text) {
  const auto expression = analyse(text);
  REQUIRE_MESSAGE(expression, expression.error().message);
  std::string result;
  for (const auto& term : expression->terms) result += (result.empty() ? "" : " ") + std::string(term.minus ? "-" : "+") + term.selector;
  return result;
}

}  // namespace

TEST_CASE("sums, and sums and differences of such, are read series by series, anything else as it stands") {
  CHECK(terms("sum(a)") == "+a");
  CHECK(terms(" sum ( a{b=\"c\"} ) ") == "+a{b=\"c\"}");
  CHECK(terms("sum(a) or vector(0)") == "+a");
  CHECK(terms("sum(a) + sum(a)") == "+a +a");
  CHECK(terms("sum(a{c=\"-\"}) - (sum(b))") == "+a{c=\"-\"} -b");
  CHECK(terms("sum(a) - (sum(b) - sum(c) + (sum(d)))") == "+a -b +c -d");
  CHECK(terms("sum(a) - (sum(b) or vector(0))") == "+a -b");
  for (const char* other : {"sum by (x) (a)", "sum(a) by (x)", "sum(a + 1)", "sum(a + b)", "sum(a offset 5m)", "2 * sum(a)", "sum(a) * 2",
                            "sum(a) - 1", "sum(a) - b", "sum(a) / sum(b)", "sum(a) - sum(b) or vector(0)", "sum(a) or sum(b)",
                            "sum(a) - sum by (x) (b)", "(sum(a)", "sum(a) - sum(b) + ", "summary(a)", "max(a)", "sum(sum(a))"})
    CHECK_MESSAGE(terms(other).empty(), other);
  CHECK(analyse("a{b=\"c\"}")->selector);
  CHECK_FALSE(analyse("a + 1")->selector);
}

TEST_CASE("what cannot be a counter is refused with its reason") {
  for (const char* text :
       {"", "   ", "1 + 1", "vector(0)", "inf", "NAN - Inf", "rate(a[5m])", "sum(increase(a[30d]))", "a{b=\"c", "a{b=\"c\"", "\"a"}) {
    CAPTURE(text);
    const auto expression = analyse(text);
    REQUIRE_FALSE(expression);
    CHECK(expression.error().blame == Blame::input);
  }
}
