#include "injector/core/claims.hpp"
#include "injector/core/crc.hpp"
#include "injector/core/evidence.hpp"
#include "injector/core/id.hpp"
#include "injector/core/json.hpp"
#include "injector/core/kinds.hpp"
#include "injector/core/step.hpp"
#include "injector/core/suggest.hpp"
#include "injector/core/victim.hpp"
#include "injector/core/whole.hpp"

#include <doctest/doctest.h>

#include <array>
#include <set>

using namespace arashi;

TEST_CASE("CRC-32C gives the check values of RFC 3720 B.4") {
  CHECK(crc32c("123456789") == 0xE3069283);
  CHECK(crc32c(std::string(32, '\0')) == 0x8A9136AA);
  CHECK(crc32c(std::string(32, '\xff')) == 0x62A8AB43);
}

TEST_CASE("ids are names that a kernel object can carry") {
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    const auto id = new_id();
    CHECK(is_id(id));
    CHECK(id[0] >= 'a');
    seen.insert(id);
  }
  CHECK(seen.size() == 1000);
  for (const char* wrong : {"", "abc", "../../ab", "ABCDEFGH", "abcdefghi"}) CHECK_FALSE(is_id(wrong));
  CHECK(is_name("checkout-survives"));
  for (const char* wrong : {"", "-a", "a-", "A", "a.b", "a/b"}) CHECK_FALSE(is_name(wrong));
}

TEST_CASE("a mistyped word finds its neighbour, a strange one the list") {
  constexpr std::array<std::string_view, 3> known{"delay", "jitter", "loss"};
  CHECK(nearest("dealy", known) == "delay");
  CHECK(nearest("Jiter", known) == "jitter");
  CHECK(nearest("banana", known).empty());
  CHECK(suggestion("banana", known) == "; known are delay, jitter, loss");
}

TEST_CASE("JSON from outside is bounded in size and depth and never throws") {
  CHECK(parse_json(R"({"a":[1,2]})")->at("a").size() == 2);
  CHECK_FALSE(parse_json("{").has_value());
  CHECK_FALSE(parse_json(std::string(1000, '[') + std::string(1000, ']')).has_value());
  CHECK_FALSE(parse_json("[1,2,3]", 4).has_value());
  CHECK_FALSE(parse_json(std::string_view("{}\0[", 4)).has_value());
  CHECK(whole<std::int64_t>(Json(-7)) == -7);
  CHECK(whole<std::int64_t>(Json(7U)) == 7);
  CHECK_THROWS(whole<std::int32_t>(Json(std::uint64_t{1} << 40U)));
  CHECK_THROWS(whole<std::int64_t>(Json(1e30)));
  CHECK_THROWS(whole<std::int64_t>(Json(1.5)));
  CHECK_THROWS(whole<std::uint64_t>(Json(-1)));
  CHECK_THROWS(whole<std::int64_t>(Json("7")));
  CHECK(to_text(Json("\xff")) == "\"\xEF\xBF\xBD\"");
}

TEST_CASE("a claim holds all below it, and nothing beside it") {
  CHECK(claims_overlap("netns:7/eth0/egress", "netns:7/eth0/egress"));
  CHECK(claims_overlap("netns:7/eth0/egress", "netns:7/eth0/egress/system.slice"));
  CHECK(claims_overlap("netns:7/eth0/egress/system.slice", "netns:7/eth0/egress"));
  CHECK_FALSE(claims_overlap("netns:7/eth0/egress", "netns:7/eth0/egress2"));
  CHECK_FALSE(claims_overlap("netns:7/eth0/egress", "netns:7/eth0/ingress"));
  const Claims held{"process:4/5", "netns:7/eth0/egress"};
  CHECK(first_overlap(held, {"netns:7/eth0/egress/pay"}) == &held[1]);
  CHECK(first_overlap(held, {"process:4/6"}) == nullptr);
  CHECK(first_overlap({}, held) == nullptr);
  const auto refused = check_claims(held, {.experiment = "slow", .fault = "network.impair", .id = "aaaaaaaa"}, {"netns:7/eth0"});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Code::claimed);
  CHECK(refused.error().blame == Blame::refused);
  CHECK(refused.error().message == "netns:7/eth0/egress is held by experiment 'slow' (network.impair aaaaaaaa)");
}

TEST_CASE("each step and each code has one name, by which it is found again, and an unknown one is told apart") {
  for (const auto step :
       {Step::intended, Step::applying, Step::active, Step::lost, Step::reverting, Step::reverted, Step::drifted, Step::stuck})
    CHECK(step_from(name_of(step)) == step);
  CHECK_FALSE(step_from("asked"));
  std::set<std::string_view> names;
  for (const auto& one : code_texts) {
    CHECK(names.insert(one.name).second);
    CHECK(code_from(one.name) == one.code);
  }
  CHECK(code_from("of a newer release") == Code::none);
  const auto halted = fail(Code::halted, "no");
  CHECK(halted.error.blame == Blame::refused);
  CHECK(because(halted.error, "agent n1").error.code == Code::halted);
}

TEST_CASE("what a selector asks for may be nested, and each key has its form") {
  constexpr std::array keys{SelectorKey{"namespace"}, SelectorKey{"labels", KeyForm::labels}, SelectorKey{"expressions", KeyForm::list}};
  const SelectorKind pods{"pods", Scope::cgroup, "pods", "{labels: {app: ledger}}", keys};
  const Json match{{"namespace", "pay"}, {"labels", {{"app", "ledger"}}}, {"expressions", {{{"key", "tier"}, {"operator", "Exists"}}}}};
  CHECK(check_match(pods, match).empty());
  CHECK(check_match(pods, {{"labels", "app=ledger"}})[0] == "'labels' must be a mapping of texts, such as {app: ledger}");
  CHECK(check_match(pods, {{"labels", {{"app", 7}}}}).size() == 1);
  CHECK(check_match(pods, {{"expressions", {"app"}}})[0] == "'expressions' must be a list of mappings");
  CHECK(check_match(pods, {{"namespace", {{"a", "b"}}}})[0] == "'namespace' must be a text");
  CHECK(check_match(pods, Json::array({"x"})).size() == 1);
  const Selector selector{"pods", match};
  CHECK(*selector.text("namespace") == "pay");
  CHECK(selector.labels("labels") == std::map<std::string, std::string>{{"app", "ledger"}});
  REQUIRE(selector.list("expressions") != nullptr);
  CHECK(selector.list("expressions")->at(0).at("operator") == "Exists");
  CHECK(selector.text("labels") == nullptr);
  CHECK(selector.labels("none").empty());
  CHECK(Json(selector).get<Selector>() == selector);
  CHECK(Selector{"node", {}} == Selector{"node", Json::object()});
}

TEST_CASE("a victim without a scope, or with an unknown one, is no victim") {
  Json json = Victim{.kind = "unit", .scope = Scope::cgroup, .label = "unit a.service"};
  CHECK(json.get<Victim>().scope == Scope::cgroup);
  json["scope"] = "galaxy";
  CHECK_THROWS_AS(json.get<Victim>(), Json::exception);
  json.erase("scope");
  CHECK_THROWS_AS(json.get<Victim>(), Json::exception);
}

TEST_CASE("selectors are checked and survive the wire") {
  CHECK(check_selector({"process", {{"name", "wallet"}, {"port", "8080"}}}).empty());
  CHECK(check_selector({"node", {}}).empty());
  CHECK(check_selector({"proces", {}})[0] == "unknown kind of target 'proces'; did you mean 'process'?");
  CHECK(check_selector({"process", {{"port", "70000"}, {"nam", "x"}}}).size() == 2);
  CHECK(check_selector({"process", {}}).size() == 1);
  const Victim victim{.kind = "process",
                      .scope = Scope::process,
                      .label = "w",
                      .pid = 7,
                      .start_time = 9,
                      .netns = 11,
                      .netns_path = "/p",
                      .cgroup = 1,
                      .cgroup_path = "/c",
                      .selector = {"process", {{"name", "w"}}}};
  CHECK(Json(victim).get<Victim>() == victim);
  const Evidence evidence{
      .in_place = true, .bit = true, .seen = 5, .affected = 2, .values = {{"loss", "fraction", 0.5, std::nullopt, "n"}}, .detail = "d"};
  CHECK(Json(evidence).get<Evidence>() == evidence);
}
