#include "experiments/sli/prometheus/prometheus_reply.hpp"

#include <doctest/doctest.h>

#include <cmath>

using namespace arashi;
using namespace arashi::sli;

TEST_CASE("a vector is read with its labels, and its strings are numbers") {
  const auto reply = read_reply(R"({"status":"success","data":{"resultType":"vector","result":[
    {"metric":{"__name__":"requests","job":"a","arashi_part":"total"},"value":[1435781451.781,"42"]},
    {"metric":{"arashi_part":"bad"},"value":[1435781451.781,"NaN"]},
    {"metric":{"arashi_part":"x"},"value":[1435781451.781,"+Inf"]},
    {"metric":{"arashi_part":"y"},"value":[1435781451.781,"1.5e3"]}]}})");
  REQUIRE_MESSAGE(reply, reply.error().message);
  REQUIRE(reply->samples.size() == 4);
  CHECK(reply->samples[0].part == "total");
  CHECK(reply->samples[0].series == R"({"__name__":"requests","job":"a"})");
  CHECK(reply->samples[0].value == 42);
  CHECK(std::isnan(reply->samples[1].value));
  CHECK(std::isinf(reply->samples[2].value));
  CHECK(reply->samples[3].value == 1500);
  CHECK(reply->warnings.empty());
}

TEST_CASE("an empty vector is an answer, and warnings are kept") {
  const auto reply = read_reply(R"({"status":"success","data":{"resultType":"vector","result":[]},"warnings":["partial"],"infos":["x"]})");
  REQUIRE(reply);
  CHECK(reply->samples.empty());
  CHECK(reply->warnings == std::vector<std::string>{"partial"});
}

TEST_CASE("what is not a good answer is an error and never a number") {
  struct Case {
    const char *body, *word;
  };
  const Case cases[] = {
      {"", "JSON"},
      {"<html>login</html>", "JSON"},
      {"[]", "object"},
      {"null", "object"},
      {"{}", "status"},
      {R"({"status":"success"})", "result"},
      {R"({"status":"success","data":[]})", "result"},
      {R"({"status":"success","data":{"resultType":"vector","result":{}}})", "result"},
      {R"({"status":"success","data":{"resultType":"scalar","result":[1,"2"]}})", "scalar"},
      {R"({"status":"success","data":{"resultType":"matrix","result":[]}})", "matrix"},
      {R"({"status":"success","data":{"resultType":"vector","result":[1]}})", "labels"},
      {R"({"status":"success","data":{"resultType":"vector","result":[{"metric":{}}]}})", "value"},
      {R"({"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1]}]}})", "value"},
      {R"({"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,2]}]}})", "value"},
      {R"({"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,""]}]}})", "number"},
      {R"({"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"12abc"]}]}})", "number"},
      {R"({"status":"error","errorType":"bad_data","error":"parse error: unexpected end"})", "bad_data: parse error"},
  };
  for (const Case& each : cases) {
    CAPTURE(each.body);
    const auto reply = read_reply(each.body);
    REQUIRE_FALSE(reply);
    CHECK_MESSAGE(reply.error().message.find(each.word) != std::string::npos, reply.error().message);
  }
}
