#include "injector/host/traffic.hpp"

#include "injector/core/json.hpp"

#include <doctest/doctest.h>

#include <optional>

using namespace arashi;

namespace {

std::string again(std::string_view text) {
  const auto cidr = parse_cidr(text);
  return cidr ? to_text(*cidr) : "error: " + cidr.error().message;
}

// What the kernel's longest-prefix table would answer.
Verdict look_up(const std::vector<PeerRule>& rules, std::string_view address) {
  const auto wanted = *parse_cidr(address);
  std::optional<PeerRule> best;
  for (const auto& rule : rules)
    if (rule.block.contains(wanted) && (!best || rule.block.prefix > best->block.prefix)) best = rule;
  return best ? best->verdict : Verdict::pass;
}

Traffic traffic_with(const Json& params) {
  const auto traffic = traffic_from_params(params);
  REQUIRE_MESSAGE(traffic.has_value(), (traffic ? "" : traffic.error().message));
  return *traffic;
}

}  // namespace

TEST_CASE("addresses and blocks of both families are read, and written as people write them") {
  CHECK(again("10.0.0.1") == "10.0.0.1");
  CHECK(again("10.1.2.3/8") == "10.0.0.0/8");
  CHECK(again("0.0.0.0/0") == "0.0.0.0/0");
  CHECK(again("10.0.0.1/32") == "10.0.0.1");
  CHECK(again("2001:DB8::1") == "2001:db8::1");
  CHECK(again("2001:db8::ffff/32") == "2001:db8::/32");
  CHECK(again("::/0") == "::/0");
}

TEST_CASE("what is no address is refused with the text that was given") {
  for (const char* text :
       {"", "10.0.0", "10.0.0.1/33", "10.0.0.1/", "10.0.0.1/-1", "::1/129", "wallet", "10.0.0.1/8/8", " 10.0.0.1", "10.0.0.256"}) {
    const auto cidr = parse_cidr(text);
    REQUIRE_FALSE(cidr.has_value());
    CHECK(cidr.error().blame == Blame::input);
    CHECK(cidr.error().message.find(std::string("'") + text + "'") != std::string::npos);
  }
}

TEST_CASE("a v4 block never holds a v6 address, nor the other way round") {
  CHECK_FALSE(parse_cidr("0.0.0.0/0")->contains(*parse_cidr("2001:db8::1")));
  CHECK(parse_cidr("0.0.0.0/0")->contains(*parse_cidr("10.0.0.1")));
  CHECK_FALSE(parse_cidr("2000::/3")->contains(*parse_cidr("10.0.0.1")));
}

TEST_CASE("ports and ranges") {
  CHECK(to_text(*parse_ports("6379")) == "6379");
  CHECK(to_text(*parse_ports("8000-8100")) == "8000-8100");
  for (const char* text : {"", "0", "65536", "http", "80-", "-80", "81-80", "80-90-100", "8 0"}) CHECK_FALSE(parse_ports(text).has_value());
}

TEST_CASE("one lookup of the longest prefix says what peers without exceptions say") {
  const auto rules = peer_rules(traffic_with(Json{{"peers", {"10.0.0.0/8", "192.168.0.0/16"}}, {"except", {"10.1.0.0/16"}}}));
  CHECK(look_up(rules, "10.9.0.1") == Verdict::hit);
  CHECK(look_up(rules, "10.1.0.1") == Verdict::pass);
  CHECK(look_up(rules, "192.168.1.1") == Verdict::hit);
  CHECK(look_up(rules, "172.16.0.1") == Verdict::pass);
  CHECK(look_up(rules, "2001:db8::1") == Verdict::pass);
}

TEST_CASE("a peer inside the control path is not hit, though its prefix is the longer one") {
  Traffic traffic;
  traffic.peers = {*parse_cidr("10.1.2.3"), *parse_cidr("10.2.2.3")};
  traffic.control_peers = {*parse_cidr("10.1.0.0/16")};
  const auto rules = peer_rules(traffic);
  CHECK(look_up(rules, "10.1.2.3") == Verdict::control);
  CHECK(look_up(rules, "10.2.2.3") == Verdict::hit);
}

TEST_CASE("::/0 is all of IPv6 and none of IPv4") {
  const auto rules = peer_rules(traffic_with(Json{{"peers", {"::/0", "10.0.0.1"}}}));
  CHECK(look_up(rules, "2001:db8::1") == Verdict::hit);
  CHECK(look_up(rules, "10.0.0.1") == Verdict::hit);
  CHECK(look_up(rules, "10.0.0.2") == Verdict::pass);
  CHECK_FALSE(traffic_with(Json{{"peers", {"::/0"}}}).hits_v4());
  CHECK_FALSE(traffic_with(Json{{"peers", {"10.0.0.1"}}}).hits_v6());
}

TEST_CASE("without peers everyone is hit but the exceptions and the control path") {
  auto traffic = traffic_with(Json{{"except", {"10.1.0.0/16"}}});
  traffic.control_peers = {*parse_cidr("10.2.0.9")};
  const auto rules = peer_rules(traffic);
  CHECK(look_up(rules, "10.1.0.1") == Verdict::pass);
  CHECK(look_up(rules, "10.2.0.9") == Verdict::control);
  CHECK(look_up(rules, "10.2.0.8") == Verdict::hit);
  CHECK(look_up(rules, "2001:db8::1") == Verdict::hit);
}

TEST_CASE("contradictions are refused") {
  CHECK_FALSE(traffic_from_params(Json{{"protocol", "icmp"}, {"ports", {"80"}}}).has_value());
  CHECK_FALSE(traffic_from_params(Json{{"peers", {"10.1.2.3"}}, {"except", {"10.0.0.0/8"}}}).has_value());
  CHECK_FALSE(traffic_from_params(Json{{"peers", {"10.1.2.3", "nonsense"}}}).has_value());
}

TEST_CASE("direction: egress unless said otherwise") {
  CHECK(traffic_with(Json::object()).egress);
  CHECK_FALSE(traffic_with(Json::object()).ingress);
  CHECK_FALSE(traffic_with(Json{{"direction", "ingress"}}).egress);
  CHECK(traffic_with(Json{{"direction", "both"}}).ingress);
}

TEST_CASE("traffic survives the journal") {
  auto traffic = traffic_with(Json{{"peers", {"10.0.0.0/8", "2001:db8::/32"}},
                                   {"except", {"10.1.2.3"}},
                                   {"protocol", "tcp"},
                                   {"ports", {"6379", "8000-8100"}},
                                   {"localPorts", {"99"}},
                                   {"direction", "both"}});
  traffic.control_peers = {*parse_cidr("10.9.9.9")};
  traffic.control_port = 7443;
  CHECK(Json(traffic).get<Traffic>() == traffic);
  CHECK(to_text(traffic) ==
        "both directions tcp with 10.0.0.0/8, 2001:db8::/32 except 10.1.2.3, remote port 6379, 8000-8100, local port 99");
}
