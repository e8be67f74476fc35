#include "injector/network/traffic.hpp"

#include "injector/core/record.hpp"

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

TEST_CASE("what a host name stands for now is a peer, or an exception, like any other") {
  auto traffic = traffic_with(Json{{"peers", {"10.0.0.1", "ledger.pay"}}, {"except", {"probe.pay"}}});
  REQUIRE(traffic.peer_names.size() == 1);
  CHECK(traffic.has_names());
  CHECK_FALSE(traffic.meets_everyone());
  CHECK(look_up(peer_rules(traffic), "10.0.0.7") == Verdict::pass);
  traffic.peer_names.front().addresses = {*parse_cidr("10.0.0.7"), *parse_cidr("10.0.0.8"), *parse_cidr("fd77::7")};
  traffic.except_names.front().addresses = {*parse_cidr("10.0.0.8")};
  const auto rules = peer_rules(traffic);
  CHECK(look_up(rules, "10.0.0.1") == Verdict::hit);
  CHECK(look_up(rules, "10.0.0.7") == Verdict::hit);
  CHECK(look_up(rules, "fd77::7") == Verdict::hit);
  CHECK(look_up(rules, "10.0.0.8") == Verdict::pass);
  CHECK(to_text(traffic) == "egress with ledger.pay, 10.0.0.1 except probe.pay");
  CHECK(read_record<Traffic>(print_record(traffic)).value() == traffic);
}

TEST_CASE("a peer that is only a name meets nobody until the name stands for something") {
  CHECK(peer_rules(traffic_with(Json{{"peers", {"ledger.pay"}}})).empty());
}

TEST_CASE("a DSCP is read by its name or number, and written by its name") {
  for (const auto& known : {std::pair{"ef", 46}, {"EF", 46}, {"46", 46}, {"af41", 34}, {"cs7", 56}, {"0", 0}, {"63", 63}, {"va", 44}}) {
    const auto read = parse_dscp(known.first);
    REQUIRE_MESSAGE(read.has_value(), known.first);
    CHECK(*read == known.second);
  }
  CHECK(dscp_text(46) == "ef");
  CHECK(dscp_text(3) == "3");
  for (const auto* text : {"", "64", "-1", "af44", "e f", "0x2e"}) CHECK_FALSE(parse_dscp(text).has_value());
  CHECK(to_text(traffic_with(Json{{"dscp", {"46", "af11"}}})) == "egress with everyone, DSCP ef, af11");
}

TEST_CASE("::/0 is all of IPv6 and none of IPv4") {
  const auto rules = peer_rules(traffic_with(Json{{"peers", {"::/0", "10.0.0.1"}}}));
  CHECK(look_up(rules, "2001:db8::1") == Verdict::hit);
  CHECK(look_up(rules, "10.0.0.1") == Verdict::hit);
  CHECK(look_up(rules, "10.0.0.2") == Verdict::pass);
}

TEST_CASE("without peers everyone is hit but the exceptions") {
  const auto rules = peer_rules(traffic_with(Json{{"except", {"10.1.0.0/16"}}}));
  CHECK(look_up(rules, "10.1.0.1") == Verdict::pass);
  CHECK(look_up(rules, "10.2.0.8") == Verdict::hit);
  CHECK(look_up(rules, "2001:db8::1") == Verdict::hit);
}

TEST_CASE("contradictions are refused") {
  CHECK_FALSE(traffic_from_params(Json{{"protocol", "icmp"}, {"ports", {"80"}}}).has_value());
  CHECK_FALSE(traffic_from_params(Json{{"peers", {"10.1.2.3"}}, {"except", {"10.0.0.0/8"}}}).has_value());
  CHECK_FALSE(traffic_from_params(Json{{"peers", {"10.1.2.3", "target:wallet"}}}).has_value());
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
                                   {"dscp", {"ef"}},
                                   {"direction", "both"}});
  traffic.control_port = 7443;
  traffic.at_home = true;
  CHECK(read_record<Traffic>(print_record(traffic)).value() == traffic);
  CHECK(to_text(traffic) ==
        "both directions tcp with 10.0.0.0/8, 2001:db8::/32 except 10.1.2.3, remote port 6379, 8000-8100, local port 99, DSCP ef");
}

TEST_CASE("an empty list of peers does not mean everyone, and an exception of everything leaves nothing") {
  const auto refusal = [](const Json& given) {
    const auto traffic = traffic_from_params(given);
    REQUIRE_FALSE(traffic.has_value());
    CHECK(traffic.error().blame == Blame::input);
    return traffic.error().message;
  };
  CHECK(refusal({{"peers", Json::array()}}) == "peers: an empty list names nobody; leave peers out if everyone is meant");
  CHECK(refusal({{"except", Json::array()}}).find("leave except out") != std::string::npos);
  CHECK(refusal({{"except", {"0.0.0.0/0", "10.0.0.1", "::/0"}}}) == "except has all of IPv4 and IPv6: nothing would be hit");
  CHECK(traffic_from_params({{"except", {"0.0.0.0/0"}}}).has_value());
  CHECK_FALSE(traffic_but_peers({{"peers", Json::array()}}).has_value());
}
