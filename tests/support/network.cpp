#include "tests/support/network.hpp"

#include "tests/support/namespaces.hpp"
#include "tests/support/remains.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>

namespace arashi::test {

Said shell(const std::string& command) {
  Said said;
  FILE* pipe = popen(("( " + command + " ) 2>&1").c_str(), "r");
  if (pipe == nullptr) return said;
  std::array<char, 4096> buffer{};
  for (std::size_t got = 0; (got = fread(buffer.data(), 1, buffer.size(), pipe)) > 0;) said.text.append(buffer.data(), got);
  const int status = pclose(pipe);
  said.exit = WIFEXITED(status) ? WEXITSTATUS(status) : 128;
  return said;
}

namespace {

int counter = 0;

void must(const std::string& command) {
  const auto said = shell(command);
  INFO(command, ": ", said.text);
  REQUIRE(said.exit == 0);
}

}  // namespace

std::string unique_id() {
  std::array<char, 16> text{};
  snprintf(text.data(), text.size(), "t%05d%02d", static_cast<int>(getpid() % 100000), ++counter % 100);
  arashi::testing::note(arashi::testing::Made::injection, text.data());
  return text.data();
}

Wire::Wire() {
  const auto start = "arashi-" + std::to_string(getpid()) + "-" + std::to_string(++counter);
  here_ = start + "h";
  there_ = start + "t";
  for (const auto& netns : {here_, there_}) arashi::testing::note(arashi::testing::Made::netns, netns);
  must("ip netns add " + here_ + " && ip netns add " + there_);
  must("ip -n " + here_ + " link add eth0 type veth peer name eth0 netns " + there_);
  for (const auto& [ns, last] : {std::pair{here_, "1"}, std::pair{there_, "2"}}) {
    must("ip -n " + ns + " addr add 10.77.0." + last + "/24 dev eth0 && ip -n " + ns + " addr add fd77::" + last + "/64 dev eth0 nodad");
    must("ip -n " + ns + " link set eth0 up && ip -n " + ns + " link set lo up");
  }
  must("ip -n " + there_ + " addr add 10.77.0.3/24 dev eth0");
  must("ip netns exec " + here_ + " ping -q -c 1 -W 5 10.77.0.2 && ip netns exec " + here_ + " ping -q -c 1 -W 5 10.77.0.3");
  must("ip netns exec " + here_ + " ping -q -c 1 -W 5 fd77::2");
}

Wire::~Wire() {
  for (const auto& netns : {path_here(), path_there()}) arashi::testing::end_processes_in(netns);
  shell("ip netns del " + here_ + "; ip netns del " + there_);
}

Victim Wire::victim() const {
  Victim victim;
  victim.kind = "netns";
  victim.scope = Scope::netns;
  victim.label = "netns " + here_;
  victim.netns_path = "/run/netns/" + here_;
  struct stat found {};
  REQUIRE(stat(victim.netns_path.c_str(), &found) == 0);
  victim.netns = found.st_ino;
  return victim;
}

std::string Wire::in_here(const std::string& command) const { return "ip netns exec " + here_ + " " + command; }
std::string Wire::in_there(const std::string& command) const { return "ip netns exec " + there_ + " " + command; }
Said Wire::here(const std::string& command) const { return shell(in_here(command)); }
Said Wire::there(const std::string& command) const { return shell(in_there(command)); }

namespace {

void await_servers(const std::string& in_netns, std::initializer_list<int> ports) {
  for (const int port : ports) {
    INFO("port ", port);
    const auto listens = [&] { return !shell(in_netns + "ss -Hltn sport = :" + std::to_string(port)).text.empty(); };
    REQUIRE(arashi::testing::eventually(listens, std::chrono::seconds(20)));
  }
}

}  // namespace

void Wire::await_servers_here(std::initializer_list<int> ports) const { await_servers(in_here(""), ports); }
void Wire::await_servers_there(std::initializer_list<int> ports) const { await_servers(in_there(""), ports); }

Pings ping(const Wire& wire, const std::string& arguments) {
  const auto said = wire.here("ping -q " + arguments);
  Pings pings;
  const auto summary = said.text.find("statistics ---\n");
  REQUIRE_MESSAGE(summary != std::string::npos, said.text);
  const char* text = said.text.c_str() + summary + 15;
  REQUIRE(sscanf(text, "%d packets transmitted, %d received", &pings.sent, &pings.received) == 2);
  const auto times = said.text.find("mdev = ");
  if (times != std::string::npos)
    REQUIRE(sscanf(said.text.c_str() + times, "mdev = %lf/%lf/%lf/%lf", &pings.least, &pings.mean, &pings.most, &pings.deviation) == 4);
  return pings;
}

Json canonical(const Fault& fault, const Json& given) {
  const auto checked = check_params(fault.params, given);
  for (const auto& problem : checked.problems) FAIL_CHECK(problem.name, ": ", problem.message);
  REQUIRE(checked.problems.empty());
  return checked.canonical;
}

Injected::Injected(const Host& host, std::string_view fault, const Victim& victim, const Json& given, const Json& more_notes)
    : host_(host), fault_(find_fault(fault)) {
  REQUIRE(fault_ != nullptr);
  Request request{.id = unique_id(), .experiment = "test", .victim = victim, .params = canonical(*fault_, given), .duration = {}};
  auto prepare = fault_->prepare(host, request);
  if (!prepare) FAIL(prepare.error().message);
  prepared = std::move(*prepare);
  if (more_notes.is_object()) prepared.change["notes"].update(more_notes);
  auto apply = fault_->apply(host, prepared.change);
  if (!apply) {
    (void)fault_->revert(host, prepared.change);
    FAIL(apply.error().message);
  }
  applied = std::move(*apply);
}

Injected::~Injected() { (void)fault_->revert(host_, prepared.change); }

Evidence Injected::observe() const {
  auto evidence = fault_->observe(host_, prepared.change);
  if (!evidence) FAIL(evidence.error().message);
  return *evidence;
}

void Injected::revert() const {
  const auto reverted = fault_->revert(host_, prepared.change);
  if (!reverted) FAIL(reverted.error().message);
}

}  // namespace arashi::test
