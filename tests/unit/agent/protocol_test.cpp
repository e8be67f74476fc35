#include "agent/protocol/protocol.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cctype>

#include <chrono>
#include <string>

using namespace arashi;
using namespace arashi::protocol;
using namespace std::chrono_literals;

namespace {

Victim some_victim() {
  Victim victim;
  victim.kind = "process";
  victim.scope = Scope::process;
  victim.label = "wallet (pid 4242)";
  victim.pid = 4242;
  victim.start_time = 99371;
  victim.netns = 4026531840;
  victim.netns_path = "/proc/4242/ns/net";
  victim.cgroup = 18446744073709551615U;
  victim.cgroup_path = "/sys/fs/cgroup/pay";
  victim.selector = {.kind = "process", .match = {{"name", "wallet"}}};
  return victim;
}

Evidence some_evidence() {
  Evidence evidence;
  evidence.in_place = true;
  evidence.bit = true;
  evidence.seen = 40211;
  evidence.affected = 812;
  evidence.values = {{.what = "loss", .unit = "fraction", .requested = 0.02, .achieved = std::nullopt, .note = "too few packets"}};
  evidence.detail = "812 of 40211 packets lost";
  return evidence;
}

// Names of a public API: camelCase, as in the Kubernetes resources beside it. A victim's labels and a fault's parameters are users' own.
void check_names(const Json& json, const std::string& path) {
  if (json.is_array())
    for (const auto& each : json) check_names(each, path + "[]");
  if (!json.is_object()) return;
  for (const auto& [name, value] : json.items()) {
    const bool camel = !name.empty() && std::islower(static_cast<unsigned char>(name[0])) != 0 &&
                       std::ranges::all_of(name, [](unsigned char c) { return std::isalnum(c) != 0; });
    CHECK_MESSAGE(camel, path, ".", name);
    if (name != "params" || !value.is_object()) check_names(value, path + "." + name);
  }
}

template <class T>
T there_and_back(const T& value) {
  const auto text = print(value);
  check_names(Json::parse(text), "");
  CHECK(text.find('\n') == std::string::npos);
  auto back = parse<T>(text);
  REQUIRE_MESSAGE(back.has_value(), back.error().message);
  CHECK(print(*back) == text);
  return *std::move(back);
}

std::string complaint_about(const std::string& text) {
  const auto request = parse<InjectRequest>(text);
  REQUIRE_FALSE(request.has_value());
  CHECK(request.error().blame == Blame::input);
  return request.error().message;
}

// A valid inject request in which one piece of text is replaced.
std::string altered(const std::string& from, const std::string& to) {
  InjectRequest request{.experiment = "e", .id = "k3v9x0qa", .fault = "process.kill", .victim = some_victim(), .duration = 5s};
  auto text = print(request);
  const auto at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

}  // namespace

TEST_CASE("an inject request arrives as it was sent, with its parameters as an object") {
  const InjectRequest request{.experiment = "slow-ledger",
                              .id = "k3v9x0qa",
                              .fault = "network.impair",
                              .victim = some_victim(),
                              .params = {{"delay", 50000000}, {"loss", 0.01}},
                              .duration = 60s};
  CHECK(print(request).find(R"("params":{"delay":50000000,"loss":0.01})") != std::string::npos);
  const auto back = there_and_back(request);
  CHECK(back.victim == request.victim);
  CHECK(back.params == request.params);
  CHECK(back.duration == 60s);
}

TEST_CASE("no parameters are an empty object, and what is no object is refused by the other side") {
  InjectRequest request{.fault = "process.kill", .victim = some_victim()};
  CHECK(there_and_back(request).params == Json::object());
  request.params = "{}";
  CHECK(complaint_about(print(request)) == "field 'params' must be an object");
}

TEST_CASE("a status with injections and evidence arrives as it was sent") {
  StatusReply status{.release = "0.1.0", .node = "n1", .injections = {}, .leases = {"slow-ledger"}};
  status.injections.push_back({.id = "k3v9x0qa",
                               .experiment = "slow-ledger",
                               .fault = "network.impair",
                               .step = Step::active,
                               .mechanism = "bpf",
                               .problem = "",
                               .victim = some_victim(),
                               .age = 3s,
                               .left = 57s,
                               .evidence = some_evidence()});
  const auto back = there_and_back(status);
  REQUIRE(back.injections.size() == 1);
  CHECK(back.injections[0].evidence == some_evidence());
  CHECK(back.injections[0].left == 57s);
  CHECK(back.leases == status.leases);
}

TEST_CASE("every other message arrives as it was sent") {
  there_and_back(ResolveRequest{.selector = {.kind = "netns", .match = {{"name", "pay-*"}}}});
  there_and_back(ResolveReply{.victims = {some_victim(), some_victim()}});
  there_and_back(
      PrepareReply{.claims = {"netns:1/eth0/egress"}, .mechanism = "bpf", .because = "no netem", .undo = "remove it", .reversible = false});
  there_and_back(InjectReply{.id = "k3v9x0qa", .evidence = some_evidence(), .took = 1ms});
  CHECK(there_and_back(LeaseRequest{.experiment = "e", .ttl = 5s}).ttl == 5s);
  CHECK(there_and_back(LeaseReply{.ttl = 5s, .live = 3}).live == 3);
  there_and_back(RevertRequest{.experiment = "e", .id = ""});
  there_and_back(HaltRequest{.experiment = ""});
  CHECK(there_and_back(RevertReply{.outcomes = {{.id = "k3v9x0qa", .fault = "f", .step = Step::stuck, .problem = "EIO", .took = 2ms}}})
            .outcomes[0]
            .problem == "EIO");
  CHECK(there_and_back(
            CapabilitiesReply{.capabilities = {{.name = "netem", .available = false, .detail = "d", .remedy = "modprobe sch_netem"}}})
            .capabilities[0]
            .remedy == "modprobe sch_netem");
  there_and_back(ErrorReply{.blame = Blame::input, .code = Code::unknown_fault, .message = "no"});
}

TEST_CASE("a fault's declaration travels whole, also without limits") {
  About about{.release = "0.1.0", .node = "n1", .boot = "b", .kernel = "6.1"};
  about.faults.push_back(
      {.name = "network.impair", .summary = "s", .scopes = {Scope::netns}, .target_kinds = {"netns"}, .reversible = true});
  about.faults[0].params.push_back(
      {.name = "loss", .type = "percent", .summary = "s", .example = "1%", .required = true, .least = 0, .most = std::nullopt});
  const auto back = there_and_back(about);
  REQUIRE(back.faults[0].params.size() == 1);
  CHECK(back.faults[0].params[0].least == 0.0);
  CHECK_FALSE(back.faults[0].params[0].most.has_value());
  CHECK(parse<std::vector<FaultText>>(print(about.faults)).has_value());
}

TEST_CASE("an agent of another protocol version can still be asked for its number") {
  const auto about = parse<About>(R"({"protocol": 7, "release": "9.0.0", "shape": "unknown to us"})");
  REQUIRE(about.has_value());
  CHECK(about->protocol == 7);
  CHECK(about->release == "9.0.0");
}

TEST_CASE("what is missing or of the wrong type is named, however deep") {
  CHECK(complaint_about("[]") == "the body must be an object");
  CHECK(complaint_about("") != "");
  CHECK(complaint_about("{}") == "field 'experiment' is missing");
  CHECK(complaint_about(altered(R"("id":"k3v9x0qa",)", "")) == "field 'id' is missing");
  CHECK(complaint_about(altered(R"("duration":5000000000)", R"("duration":"5s")")) == "field 'duration' must be an integer (nanoseconds)");
  CHECK(complaint_about(altered(R"("duration":5000000000)", R"("duration":1.5)")) == "field 'duration' must be an integer (nanoseconds)");
  CHECK(complaint_about(altered(R"("duration":5000000000)", R"("duration":true)")) == "field 'duration' must be an integer (nanoseconds)");
  CHECK(complaint_about(altered(R"("duration":5000000000)", R"("duration":18446744073709551615)")) ==
        "field 'duration' is out of range (nanoseconds)");
  for (const auto* pid : {R"("pid":{})", R"("pid":1e30)", R"("pid":4294967296)"})
    CHECK(complaint_about(altered(R"("pid":4242)", pid)).find("field 'victim' ") == 0);
  const auto reply = parse<RevertReply>(R"({"outcomes": [{"id": 5}]})");
  REQUIRE_FALSE(reply.has_value());
  CHECK(reply.error().message == "field 'outcomes[0].id' must be a string");
}

TEST_CASE("a halt must say what it halts, so that a misspelt field does not halt everything") {
  CHECK_FALSE(parse<HaltRequest>(R"({"experimnt": "mine"})").has_value());
}

TEST_CASE("bytes that are no UTF-8 are replaced, not thrown about") {
  CHECK(parse<ErrorReply>(print(ErrorReply{.blame = Blame::system, .message = "file \xff\xfe"})).has_value());
}

TEST_CASE("every blame has a name, a way back and an HTTP status") {
  for (const auto blame : {Blame::input, Blame::refused, Blame::missing, Blame::unsupported, Blame::system}) {
    CHECK(blame_from(name_of(blame)) == blame);
    CHECK(http_status(blame) >= 400);
  }
  CHECK(http_status(Blame::input) == 400);
  CHECK(http_status(Blame::refused) == 409);
  CHECK(http_status(Blame::missing) == 404);
  CHECK(http_status(Blame::unsupported) == 501);
  CHECK(blame_from("something new") == Blame::system);
}
