// The agent's API as a runner and an operator meet it.
#include "injector/core/id.hpp"
#include "injector/host/files.hpp"
#include "tests/support/agent.hpp"

#include <doctest/doctest.h>
#include <test_paths.hpp>

#include <csignal>
#include <fstream>
#include <sstream>
#include <thread>

using namespace arashi;
using namespace arashi::testing;
using namespace std::chrono_literals;

namespace {

Selector by_pid(const Child& child) { return {.kind = "process", .match = {{"pid", std::to_string(child.pid())}}}; }

const std::string agent_binary = BIN_DIR "/arashi-agent";

}  // namespace

TEST_CASE("curl over the unix socket gets JSON, metrics, and errors that say what exists") {
  const Agent agent;
  const auto curl = [&](std::vector<std::string> more) {
    std::vector<std::string> argv{"curl", "-s", "-w", "\n%{http_code}", "--unix-socket", agent.socket()};
    argv.insert(argv.end(), more.begin(), more.end());
    return run(argv).output;
  };
  CHECK(curl({"http://agent/healthz"}) == "{\"status\":\"ok\"}\n200");
  CHECK(curl({"http://agent/metrics"}).find("arashi_injections{step=\"active\"} 0") != std::string::npos);
  const auto missing = curl({"http://agent/v2"});
  CHECK(missing.find("POST /v1/inject") != std::string::npos);
  CHECK(missing.ends_with("\n404"));
  CHECK(curl({"-X", "DELETE", "http://agent/v1/lease"}).ends_with("\n405"));
  CHECK(curl({"http://agent/v1/halt", "-d", "{}"}).find("field 'experiment' is missing") != std::string::npos);
  CHECK(curl({"http://agent/v1/inject", "-d", "not json"}).ends_with("\n400"));
  CHECK(curl({"http://agent/v1/inject", "-d", std::string(100'000, '[')}).ends_with("\n400"));
  const Directory directory;
  std::ofstream(directory.path() / "big") << std::string((std::size_t{1} << 20U) + 1, 'x');
  CHECK(curl({"http://agent/v1/inject", "-H", "Expect:", "--data-binary", "@" + (directory.path() / "big").string()}).ends_with("\n413"));
  CHECK(agent.answers());
}

TEST_CASE("nothing is injected without a lease, and status tells what lives") {
  const Agent agent;
  const auto victim = sleeper();
  const auto id = new_id();
  CHECK(agent.inject("api", id, "process.pause", by_pid(victim), "{}").status == 409);
  CHECK(process_state(victim.pid()) != 'T');
  CHECK(agent.lease("api", 60s).status == 200);
  CHECK(agent.inject("api", id, "process.pause", by_pid(victim), "{}").status == 200);
  CHECK(process_state(victim.pid()) == 'T');
  const auto status = run({agent_binary, "status", "--socket", agent.socket()});
  CHECK(status.exit_code == 0);
  CHECK(status.output.find(id + "  active  process.pause") != std::string::npos);
  CHECK(status.output.find("lease  api") != std::string::npos);
  const auto metrics = agent.ask("GET", "/metrics").body;
  CHECK(metrics.find("arashi_injections{step=\"active\"} 1") != std::string::npos);
  CHECK(metrics.find("id=\"" + id + "\"") != std::string::npos);
  CHECK(agent.halt("").status == 200);
  CHECK(process_state(victim.pid()) != 'T');
}

TEST_CASE("no process of an agent is ever hit, whatever a runner asks") {
  const Directory directory;
  const auto policy = directory.path() / "policy.yaml";
  std::ofstream(policy) << "protectedProcesses: []\n";
  const Agent agent({"--policy", policy});
  CHECK(agent.lease("api", 60s).status == 200);
  for (const auto pid : agent.pids()) {
    Victim victim{.kind = "process",
                  .scope = Scope::process,
                  .label = "agent",
                  .pid = pid,
                  .selector = {.kind = "process", .match = {{"pid", std::to_string(pid)}}}};
    const auto stat = read_text("/proc/" + std::to_string(pid) + "/stat").value();
    std::istringstream fields(stat.substr(stat.rfind(')') + 2));
    std::string field;
    for (int number = 3; number <= 22; ++number) fields >> field;
    victim.start_time = std::stoull(field);
    const auto refused = agent.ask("POST", "/v1/inject",
                                   protocol::print(protocol::InjectRequest{
                                       .experiment = "api", .id = new_id(), .fault = "process.pause", .victim = victim, .duration = 5s}));
    CHECK(refused.status == 409);
    CHECK_MESSAGE(refused.body.find("agent itself") != std::string::npos, refused.body);
  }
  CHECK(agent.answers());
}

TEST_CASE("what the policy protects is not hit, and its longest lease is what one gets") {
  const Directory directory;
  const auto policy = directory.path() / "policy.yaml";
  std::ofstream(policy) << "protectedProcesses: [sleep]\nlongestLease: 2s\n";
  const Agent agent({"--policy", policy});
  const auto victim = sleeper();
  const auto lease = protocol::parse<protocol::LeaseReply>(agent.lease("api", 60s).body);
  REQUIRE(lease.has_value());
  CHECK(lease->ttl == 2s);
  const auto refused = agent.inject("api", new_id(), "process.pause", by_pid(victim), "{}");
  CHECK(refused.status == 409);
  CHECK(refused.body.find("protectedProcesses") != std::string::npos);
  CHECK(process_state(victim.pid()) != 'T');
}

TEST_CASE("a slow inject delays neither a renewal nor a status, and a halt cuts it short") {
  const Agent agent;
  const auto marker = std::filesystem::path(agent.run_dir() / "undone");
  CHECK(agent.lease("api", 60s).status == 200);
  Agent::Reply injected;
  std::jthread runner([&] {
    const auto params = R"({"command":["sleep","30"],"undo":["touch",")" + marker.string() + R"("],"timeout":60000000000})";
    injected = agent.inject("api", new_id(), "command.run", {.kind = "node"}, params);
  });
  REQUIRE(eventually([&] { return agent.live() == 1; }, 10s));
  const auto begin = boot_now();
  CHECK(agent.lease("api", 60s).status == 200);
  CHECK(agent.live() == 1);
  CHECK(agent.halt("api").status == 200);
  CHECK(boot_now() - begin < 20s);  // of the 30 that the command would take
  runner.join();
  CHECK(injected.status >= 400);
  CHECK(std::filesystem::exists(marker));
  CHECK(agent.live() == 0);
}

TEST_CASE("what an earlier experiment could not take back is told before the next one, for as long as it is there") {
  const Agent agent;
  const auto marker = agent.run_dir() / "can be undone", spec = agent.run_dir() / "next.yaml";
  std::ofstream(spec) << "apiVersion: arashi.dev/v1\nkind: Experiment\nmetadata: {name: next}\nspec:\n  targets: {m: {node: {}}}\n"
                         "  timeline: [{at: 0s, for: 1s, fault: command.run, on: m, with: {command: [touch, x], undo: [rm, x]}}]\n";
  const auto plan = [&] { return run({BIN_DIR "/arashi", "plan", spec, "--agents", "unix:" + agent.socket().string()}, 30s); };
  CHECK(agent.lease("earlier", 60s).status == 200);
  const auto params = R"({"command":["true"],"undo":["test","-e",")" + marker.string() + R"("]})";
  CHECK(agent.inject("earlier", new_id(), "command.run", {.kind = "node"}, params).status == 200);
  const auto none = plan();
  CHECK(none.exit_code == 0);
  CHECK(none.output.find("earlier") == std::string::npos);
  (void)agent.halt("earlier");
  const auto told = plan();
  INFO(told.output);
  CHECK(told.exit_code == 0);
  CHECK(told.output.find("of 'earlier', which it could not revert: undo exited with 1") != std::string::npos);
  std::ofstream(marker) << "";
  (void)agent.halt("earlier");
  REQUIRE(eventually([&] { return agent.live() == 0; }, 10s));
  CHECK(plan().output.find("earlier") == std::string::npos);
}

TEST_CASE("a second agent on the same journal is refused and told who has it") {
  Agent agent;
  const auto second = run({agent_binary, "--run-dir", agent.run_dir(), "--socket", agent.run_dir() / "other.sock"}, 20s);
  CHECK(second.exit_code == 3);
  CHECK(second.output.find(std::to_string(agent.injector_pid())) != std::string::npos);
  CHECK(agent.answers());
}

TEST_CASE("a wrong policy file, option or address is an error before anything starts") {
  const Directory directory;
  const auto policy = directory.path() / "policy.yaml";
  std::ofstream(policy) << "longestLeese: 2s\n";
  const auto start = [&](std::vector<std::string> more) {
    std::vector<std::string> argv{agent_binary, "--run-dir", directory.path() / "run", "--socket", directory.path() / "agent.sock"};
    argv.insert(argv.end(), more.begin(), more.end());
    return run(argv, 20s);
  };
  const auto bad_policy = start({"--policy", policy});
  CHECK(bad_policy.exit_code == 2);
  CHECK(bad_policy.output.find("policy.yaml:1:1: unknown key 'longestLeese'; did you mean 'longestLease'?") != std::string::npos);
  CHECK(start({"--policy", "/no/such/policy"}).exit_code == 3);
  const auto open_door = start({"--listen", "127.0.0.1:0"});
  CHECK(open_door.exit_code == 2);
  CHECK(open_door.output.find("mutual TLS") != std::string::npos);
  CHECK(start({"--listen", "nowhere", "--ca", "a", "--certificate", "b", "--key", "c"}).exit_code == 2);
  CHECK(start({"--no-such-option"}).exit_code == 2);
  const auto long_path = start({"--socket", "/tmp/" + std::string(150, 'x')});
  CHECK(long_path.exit_code == 2);
}

TEST_CASE("without root the agent says which capabilities it lacks") {
  const Directory directory;
  std::filesystem::permissions(directory.path(), std::filesystem::perms::all);
  const auto copy = directory.path() / "arashi-agent";
  std::filesystem::copy_file(agent_binary, copy);
  const auto ran =
      run({"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all", copy, "--run-dir", directory.path() / "run"});
  CHECK(ran.exit_code == 3);
  CHECK(ran.output.find("CAP_NET_ADMIN") != std::string::npos);
  const auto faults = run({"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all", copy, "faults", "--json"});
  CHECK(faults.exit_code == 0);
  CHECK(protocol::parse<std::vector<protocol::FaultText>>(faults.output).has_value());
}

TEST_CASE("every command tells its help with an example") {
  for (const std::vector<std::string>& command : {std::vector<std::string>{}, {"recover"}, {"status"}, {"faults"}, {"doctor"}}) {
    auto argv = std::vector<std::string>{agent_binary};
    argv.insert(argv.end(), command.begin(), command.end());
    argv.emplace_back("--help");
    const auto ran = run(argv);
    CHECK(ran.exit_code == 0);
    CHECK(ran.output.find("Example") != std::string::npos);
  }
  CHECK(run({agent_binary, "--version"}).output.find("0.1.0") != std::string::npos);
}

TEST_CASE("an idle agent sleeps: no process wakes up while nothing is injected") {
  const Agent agent;
  CHECK(agent.lease("api", 100ms).status == 200);  // something has lived and is over
  REQUIRE(eventually([&] { return agent.ask("GET", "/v1/status").body.find("\"leases\":[]") != std::string::npos; }));
  const auto wakeups = [&] {
    long sum = 0;
    for (const auto pid : agent.pids()) {
      std::ifstream status("/proc/" + std::to_string(pid) + "/status");
      for (std::string line; std::getline(status, line);)
        if (line.starts_with("voluntary_ctxt_switches:")) sum += std::stol(line.substr(line.find(':') + 1));
    }
    return sum;
  };
  const auto sleeps = [&](Duration time) {
    const auto before = wakeups();
    std::this_thread::sleep_for(time);
    return wakeups() == before;
  };
  (void)eventually([&] { return sleeps(300ms); }, 10s);  // what it had to do before may take a busy machine some time
  CHECK(sleeps(2s));
}

TEST_CASE("ps shows each of its processes under the agent's own name") {
  const Agent agent;
  const std::pair<std::int32_t, std::string> roles[] = {
      {agent.supervisor_pid(), ""}, {agent.injector_pid(), " injector"}, {agent.api_pid(), " api"}};
  for (const auto& [pid, role] : roles) {
    const auto line = run({"ps", "-o", "comm=,args=", "-p", std::to_string(pid)}).output;
    CAPTURE(line);
    CHECK(line.starts_with("arashi-agent "));
    CHECK(line.find("/arashi-agent" + role + " --") != std::string::npos);
  }
}
