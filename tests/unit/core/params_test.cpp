#include "injector/core/params.hpp"

#include <doctest/doctest.h>

#include <array>

using namespace arashi;

namespace {

constexpr std::array<std::string_view, 2> directions{"egress", "ingress"};
constexpr std::array declared{
    Param{.name = "delay", .type = ParamType::duration, .summary = "s", .example = "20ms", .most = 60e9},
    Param{.name = "loss", .type = ParamType::percent, .summary = "s", .example = "1%", .fallback = "0%"},
    Param{.name = "direction", .type = ParamType::choice, .summary = "s", .example = "egress", .fallback = "egress", .choices = directions},
    Param{.name = "peers", .type = ParamType::list, .summary = "s", .example = "10.0.0.0/8", .required = true},
    Param{.name = "count", .type = ParamType::integer, .summary = "s", .example = "3", .fallback = "1", .least = 1},
};

}  // namespace

TEST_CASE("parameters become canonical, with their fallbacks") {
  const auto check = check_params(std::span<const Param>(declared), Json{{"delay", "20ms"}, {"peers", "10.0.0.1"}});
  REQUIRE(check.problems.empty());
  CHECK(check.canonical == Json{{"delay", 20'000'000}, {"loss", 0.0}, {"direction", "egress"}, {"peers", {"10.0.0.1"}}, {"count", 1}});
  CHECK(duration_param(check.canonical, "delay") == std::chrono::milliseconds(20));
  CHECK(list_param(check.canonical, "peers") == std::vector<std::string>{"10.0.0.1"});
  CHECK_FALSE(text_param(check.canonical, "absent").has_value());
}

TEST_CASE("every wrong parameter is reported, not only the first") {
  const auto check = check_params(std::span<const Param>(declared),
                                  Json{{"dely", "20ms"}, {"loss", 5}, {"direction", "egres"}, {"count", 0}, {"delay", "2m"}});
  std::vector<std::string> names;
  names.reserve(check.problems.size());
  for (const auto& problem : check.problems) names.push_back(problem.name + ": " + problem.message);
  REQUIRE(names.size() == 6);
  CHECK(names[0].find("did you mean 'delay'?") != std::string::npos);
  CHECK(names[1].find("at most 1m is possible") != std::string::npos);
  CHECK(names[2].find("a percent with its unit is expected, such as 1%") != std::string::npos);
  CHECK(names[3].find("did you mean 'egress'?") != std::string::npos);
  CHECK(names[4].find("peers' is missing") != std::string::npos);
  CHECK(names[5].find("at least 1 is needed") != std::string::npos);
}

TEST_CASE("parameters that are no mapping, and hostile values, are problems and no crash") {
  CHECK(check_params(std::span<const Param>(declared), Json::array()).problems.size() == 1);
  CHECK(check_params(std::span<const Param>(declared), Json{{"peers", {{"a", 1}}}}).problems.size() == 1);
  CHECK(check_params(std::span<const Param>(declared), Json{{"peers", "x"}, {"delay", Json::object()}}).problems.size() == 1);
}

TEST_CASE("the schema knows types, choices and what is required") {
  std::vector<ParamText> texts;
  texts.reserve(std::size(declared));
  for (const auto& param : declared) texts.push_back(describe(param));
  const auto schema = params_schema(texts);
  CHECK(schema.at("required") == Json{"peers"});
  CHECK(schema.at("properties").at("direction").at("enum") == Json{"egress", "ingress"});
  CHECK(schema.at("properties").at("count").at("minimum") == 1.0);
  CHECK(schema.at("additionalProperties") == false);
}
