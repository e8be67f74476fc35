#include "experiments/load/requests.hpp"

#include <doctest/doctest.h>

#include <set>

using namespace arashi;
using load::Requests;

namespace {

Requests make(const spec::Load& load, std::array<std::uint64_t, 2> run = {1, 2}) {
  auto made = Requests::make(load, run);
  REQUIRE_MESSAGE(made, made.error().message);
  return std::move(*made);
}

spec::Load one(const std::string& url, const std::string& body = {}) {
  spec::Load load;
  load.name = "x";
  load.url = url;
  load.method = "POST";
  load.body = body;
  return load;
}

std::string body(const Requests& requests, std::uint64_t request) {
  std::string text;
  requests.write_body(requests.kinds()[0], request, text);
  return text;
}

std::string url(const Requests& requests, std::uint64_t request) {
  std::string text;
  requests.write_url(requests.kinds()[0], request, text);
  return text;
}

}  // namespace

TEST_CASE("keys are unique in a run and from run to run, and the same within a request") {
  auto load = one("http://h/?key={{uuid}}", "{{uuid}}");
  load.headers = {{"Idempotency-Key", "{{uuid}}"}};
  const auto requests = make(load);
  const auto again = make(load, {7, 8});
  std::set<std::string> keys;
  for (std::uint64_t request = 0; request < 20'000; ++request) {
    const std::string key = body(requests, request);
    CHECK(key.size() == 36);
    CHECK(key[14] == '4');
    CHECK(std::string("89ab").find(key[19]) != std::string::npos);
    CHECK(url(requests, request) == "http://h/?key=" + key);
    CHECK(requests.headers(requests.kinds()[0], request).at("Idempotency-Key") == key);
    keys.insert(key);
    keys.insert(body(again, request));
  }
  CHECK(keys.size() == 40'000);
}

TEST_CASE("numbers count, go in turn, and are drawn anew at each place but the same with the same seed") {
  auto load = one("http://h/", "{{request}} {{seq 3..5}} {{random 0..9}} {{random 0..9}}");
  const auto requests = make(load);
  CHECK(body(requests, 0).starts_with("1 3 "));
  CHECK(body(requests, 1).starts_with("2 4 "));
  CHECK(body(requests, 3).starts_with("4 3 "));
  std::map<char, int> left;
  int same = 0;
  for (std::uint64_t request = 0; request < 10'000; ++request) {
    const std::string text = body(requests, request);
    ++left[text[text.size() - 3]];
    same += text[text.size() - 3] == text.back() ? 1 : 0;
  }
  CHECK(left.size() == 10);
  for (const auto& [digit, count] : left) CHECK(count == doctest::Approx(1000).epsilon(0.15));
  CHECK(same == doctest::Approx(1000).epsilon(0.15));
  CHECK(body(make(load, {7, 8}), 5) == body(requests, 5));
  load.seed = 2;
  int changed = 0;
  const auto other = make(load);
  for (std::uint64_t request = 0; request < 100; ++request) changed += body(other, request) == body(requests, request) ? 0 : 1;
  CHECK(changed > 90);
}

TEST_CASE("a request has one data row, percent-encoded in its URL only") {
  auto load = one("http://h/{{data.city}}?n={{data.name}}", "{{data.name}} in {{data.city}}");
  load.data = {.columns = {"name", "city"}, .rows = {{"ann", "São Paulo/1"}, {"bo", "Oslo"}}};
  const auto requests = make(load);
  CHECK(url(requests, 0) == "http://h/S%c3%a3o%20Paulo%2f1?n=ann");
  CHECK(body(requests, 0) == "ann in São Paulo/1");
  CHECK(body(requests, 1) == "bo in Oslo");
  CHECK(body(requests, 2) == body(requests, 0));
  load.data.random = true;
  const auto drawn = make(load);
  int ann = 0;
  for (std::uint64_t request = 0; request < 1000; ++request) {
    const std::string text = body(drawn, request);
    CHECK((text == "ann in São Paulo/1" || text == "bo in Oslo"));
    ann += text[0] == 'a' ? 1 : 0;
  }
  CHECK(ann == doctest::Approx(500).epsilon(0.15));
}

TEST_CASE("requests come by their weights") {
  spec::Load load;
  load.name = "x";
  load.requests = {{.url = "http://h/a", .weight = 7}, {.url = "http://h/b", .weight = 2}, {.url = "http://h/c", .weight = 1}};
  const auto requests = make(load);
  std::array<int, 3> counts{};
  for (std::uint64_t request = 0; request < 10'000; ++request) ++counts.at(requests.kind_of(request));
  CHECK(counts[0] == doctest::Approx(7000).epsilon(0.03));
  CHECK(counts[1] == doctest::Approx(2000).epsilon(0.08));
  CHECK(counts[2] == doctest::Approx(1000).epsilon(0.1));
}
