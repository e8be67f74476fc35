#include "injector/core/peer.hpp"

#include "injector/core/json.hpp"
#include "injector/core/params.hpp"

#include <doctest/doctest.h>

#include <array>

using namespace arashi;

namespace {

std::string canonical_of(const Json& given) {
  const auto made = canonical_peer(given);
  return made ? *made : "error: " + made.error().message;
}

bool says(const std::string& text, const std::string& part) {
  CAPTURE(text);
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("a peer is an address, a block, a host name or a target group") {
  CHECK(parse_peer("10.0.0.7")->kind == Peer::Kind::block);
  CHECK(parse_peer("2001:db8::/32")->kind == Peer::Kind::block);
  CHECK(parse_peer("ledger.pay.svc.cluster.local")->kind == Peer::Kind::name);
  CHECK(parse_peer("ledger")->name == "ledger");
  CHECK(parse_peer("db_1.example.com.")->kind == Peer::Kind::name);
  CHECK(canonical_of({{"target", "wallet"}}) == "target:wallet");
  CHECK(*parse_peer("target:wallet") == Peer{Peer::Kind::group, {}, "wallet"});
  for (const auto* text : {"10.0.0.7", "10.0.0.0/8", "fd77::1", "ledger.pay", "target:wallet"}) CHECK(to_text(*parse_peer(text)) == text);
}

TEST_CASE("what is no peer is refused with the reason") {
  CHECK(says(canonical_of("10.0.0.300"), "is not an IP address"));  // no host name: its last label is a number
  CHECK(says(canonical_of("10.0.0"), "is not an IP address"));
  CHECK(says(canonical_of("10.0.0.0/33"), "between 0 and 32"));
  CHECK(says(canonical_of("ledger.pay/24"), "is not an IP address"));
  CHECK(says(canonical_of("fd77::zz"), "nor a host name"));
  CHECK(says(canonical_of("no such host"), "nor a host name"));
  CHECK(says(canonical_of(""), "is not an IP address"));
  CHECK(says(canonical_of("-a.example"), "nor a host name"));
  CHECK(says(canonical_of(std::string(64, 'a')), "is not an IP address"));
  CHECK(says(canonical_of(std::string(64, 'x')), "nor a host name"));
  CHECK(says(canonical_of(7), "is not an IP address"));
  CHECK(says(canonical_of("target:wallet"), "is written as {target: wallet}"));
  CHECK(says(canonical_of({{"service", "pay/ledger"}}), "Kubernetes Service"));
  CHECK(says(canonical_of({{"targt", "wallet"}}), "is not a peer"));
  CHECK(says(canonical_of({{"target", "a"}, {"port", 1}}), "is not a peer"));
}

TEST_CASE("a list of peers becomes canonical, from one too, and a wire takes only what it could have become") {
  constexpr std::array declared{Param{.name = "peers", .type = ParamType::peers, .summary = "s", .example = "[10.0.0.1]"}};
  const std::span<const Param> table(declared);
  const auto list = check_params(table, {{"peers", Json::array({"10.0.0.7", "ledger.pay", Json{{"target", "wallet"}}})}});
  CHECK(list.problems.empty());
  CHECK(list.canonical.at("peers") == Json::array({"10.0.0.7", "ledger.pay", "target:wallet"}));
  CHECK(check_params(table, {{"peers", {{"target", "wallet"}}}}).canonical.at("peers") == Json::array({"target:wallet"}));
  CHECK(check_params(table, {{"peers", Json::array({"10.0.0.7/40"})}}).problems.size() == 1);
  CHECK(check_canonical(table, list.canonical).empty());
  CHECK_FALSE(check_canonical(table, {{"peers", Json::array({"10.0.0.7/40"})}}).empty());
  CHECK_FALSE(check_canonical(table, {{"peers", Json::array({Json{{"target", "wallet"}}})}}).empty());
}

TEST_CASE("every wrong peer and port of a list is named, and one that is not a list too") {
  constexpr std::array declared{Param{.name = "peers", .type = ParamType::peers, .summary = "s", .example = "[10.0.0.1]"},
                                Param{.name = "ports", .type = ParamType::ports, .summary = "s", .example = "[6379, 8000-8100]"}};
  const std::span<const Param> table(declared);
  CHECK(check_params(table, {{"ports", Json::array({6379, "8000-8100"})}}).canonical.at("ports") == Json::array({"6379", "8000-8100"}));
  CHECK(check_params(table, {{"ports", 80}}).canonical.at("ports") == Json::array({"80"}));
  const auto wrong = check_params(
      table, {{"peers", Json::array({"10.0.0.0/33", "10.0.0.1", "fe80::/129"})}, {"ports", Json::array({99999, 80, "9-3", 1.5, nullptr})}});
  REQUIRE(wrong.problems.size() == 2);
  for (const char* said : {"'10.0.0.0/33'", "'fe80::/129'"}) CHECK(wrong.problems[0].message.find(said) != std::string::npos);
  for (const char* said : {"'99999' is not a port", "'9-3' is a range", "is 1.5", "is null"})
    CHECK(wrong.problems[1].message.find(said) != std::string::npos);
  const auto many = check_params(table, {{"ports", Json(std::vector<int>(2000, 0))}});
  REQUIRE(many.problems.size() == 1);
  CHECK(many.problems[0].message.ends_with("and 1995 more"));
  for (const Json& value : {Json(80), Json::array({80}), Json::array({"0"}), Json::array({"http"}), Json("80")})
    CHECK_FALSE(check_canonical(table, {{"ports", value}}).empty());
}
