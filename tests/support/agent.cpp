#include "tests/support/agent.hpp"

#include "agent/http/ask.hpp"
#include "injector/core/json.hpp"
#include "injector/host/files.hpp"

#include <doctest/doctest.h>
#include <test_paths.hpp>

#include <algorithm>
#include <csignal>
#include <sstream>

namespace arashi::testing {

namespace {

// The child of `parent` that was started as "arashi-agent SUBCOMMAND …".
std::int32_t child_of(std::int32_t parent, const std::string& subcommand) {
  const auto name = std::to_string(parent);
  std::error_code error;
  for (std::filesystem::directory_iterator task("/proc/" + name + "/task", error), end; !error && task != end; task.increment(error)) {
    std::istringstream children(read_text(task->path() / "children").value_or(""));
    for (std::int32_t pid = 0; children >> pid;) {
      const auto command = read_text("/proc/" + std::to_string(pid) + "/cmdline").value_or("");
      const auto first = command.find('\0');
      if (first != std::string::npos && command.substr(first + 1, subcommand.size() + 1) == subcommand + '\0') return pid;
    }
  }
  return 0;
}

}  // namespace

Agent::Agent(std::vector<std::string> more, Life life) {
  command_ = {BIN_DIR "/arashi-agent", "--run-dir", run_dir(), "--socket", socket()};
  if (life == Life::embedded) command_.emplace_back("--embedded");
  command_.insert(command_.end(), more.begin(), more.end());
  start();
}

void Agent::start() {
  child_.emplace(spawn({.argv = command_, .piped_input = true, .piped_errors = false}));
  auto line = read_line(*child_, std::chrono::seconds(20));
  if (!line) FAIL("the agent did not become ready");
  ready_ = *std::move(line);
}

int Agent::end() {
  child_->input().reset();
  const auto code = child_->wait(boot_now() + std::chrono::seconds(20));
  return code.value_or(-1);
}

Agent::~Agent() {
  if (!child_) return;
  child_->input().reset();
  child_->signal(SIGTERM);
  if (!child_->wait(boot_now() + std::chrono::seconds(20))) child_->end();
}

std::int32_t Agent::injector_pid() const { return child_of(supervisor_pid(), "injector"); }

std::int32_t Agent::api_pid() const {
  const auto injector = injector_pid();
  return injector == 0 ? 0 : child_of(injector, "api");
}

std::vector<std::int32_t> Agent::pids() const { return {supervisor_pid(), injector_pid(), api_pid()}; }

Agent::Reply Agent::ask(const std::string& method, const std::string& path, const std::string& body, Duration patience) const {
  const auto reply = http::ask(socket(), method, path, body, patience);
  if (!reply) return {.status = 0, .body = reply.error().message};
  return {.status = reply->status, .body = reply->body};
}

Agent::Reply Agent::lease(const std::string& experiment, Duration ttl) const {
  return ask("POST", "/v1/lease", protocol::print(protocol::LeaseRequest{.experiment = experiment, .ttl = ttl}));
}

Agent::Reply Agent::inject(const std::string& experiment, const std::string& id, const std::string& fault, const Selector& target,
                           const std::string& params) const {
  auto found = ask("POST", "/v1/resolve", protocol::print(protocol::ResolveRequest{.selector = target}));
  if (found.status != 200) return found;
  const auto victims = protocol::parse<protocol::ResolveReply>(found.body);
  if (!victims || victims->victims.size() != 1) return {.status = 0, .body = "not one victim: " + found.body};
  return ask("POST", "/v1/inject",
             protocol::print(protocol::InjectRequest{.experiment = experiment,
                                                     .id = id,
                                                     .fault = fault,
                                                     .victim = victims->victims.front(),
                                                     .params = Json::parse(params),
                                                     .duration = std::chrono::minutes(5)}));
}

Agent::Reply Agent::halt(const std::string& experiment) const {
  return ask("POST", "/v1/halt", protocol::print(protocol::HaltRequest{.experiment = experiment}));
}

std::size_t Agent::live() const {
  const auto reply = ask("GET", "/v1/status");
  const auto status = protocol::parse<protocol::StatusReply>(reply.body);
  if (!status) FAIL("status: " << reply.status << " " << reply.body);
  return static_cast<std::size_t>(std::ranges::count_if(status->injections, [](const auto& one) { return !is_over(one.step); }));
}

}  // namespace arashi::testing
