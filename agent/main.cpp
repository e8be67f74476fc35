#include "agent/api.hpp"
#include "agent/http/ask.hpp"
#include "agent/injector_process.hpp"
#include "agent/operations.hpp"
#include "agent/options.hpp"
#include "agent/protocol/protocol.hpp"
#include "agent/recovery.hpp"
#include "agent/supervisor.hpp"
#include "agent/workers/worker_main.hpp"
#include "injector/capabilities.hpp"

#include <CLI/CLI.hpp>

#include <sys/prctl.h>

#include <iostream>
#include <iterator>

namespace arashi {
namespace {

struct Command {
  Options options;
  std::string engine;
  bool json = false;
  int exit_code = 0;
};

int complain(const Error& error) {
  std::cerr << "arashi-agent: " << error.message << '\n';
  return exit_code_of(error.blame);
}

void add_directories(CLI::App& app, Options& options) {
  auto* run = app.add_option("--run-dir", options.run_dir, "Where the journal of what a reboot clears is (tmpfs)")->capture_default_str();
  auto* state = app.add_option("--state-dir", options.state_dir,
                               "Where the journal of what outlives a reboot is; with --run-dir: RUN_DIR/state unless given");
  app.parse_complete_callback([&options, run, state] {
    if (run->count() > 0 && state->count() == 0) options.state_dir = options.run_dir / "state";
  });
}

void add_socket(CLI::App& app, Options& options) {
  app.add_option("--socket", options.socket, "Unix socket of the agent")->capture_default_str();
}

void add_serving_options(CLI::App& app, Options& options) {
  add_socket(app, options);
  app.add_option("--listen", options.listen, "Serve on ADDRESS:PORT too, with mutual TLS only (needs --ca, --certificate and --key)");
  app.add_option("--ca", options.ca, "PEM file: certificates of this authority may ask");
  app.add_option("--certificate", options.certificate, "PEM file: the agent's certificate");
  app.add_option("--key", options.key, "PEM file: its key");
  app.add_option("--policy", options.policy, "What this machine allows (default: /etc/arashi/agent.yaml or .json, if there)");
  app.add_option("--node", options.node, "This machine's name in reports (default: its host name)");
  app.add_flag("--embedded", options.embedded, "Live as long as standard input: at its end revert everything and exit");
  add_directories(app, options);
}

Result<void> check(const Options& options) {
  const bool all = !options.ca.empty() && !options.certificate.empty() && !options.key.empty();
  const bool none = options.ca.empty() && options.certificate.empty() && options.key.empty();
  if (!options.listen.empty() && !all)
    return fail(Blame::input,
                "--listen needs --ca, --certificate and --key: over the network the agent speaks mutual TLS only; 'arashi pki' makes them");
  if (options.listen.empty() && !none) return fail(Blame::input, "--ca, --certificate and --key are of use with --listen only");
  if (!options.listen.empty() && !parse_endpoint(options.listen))
    return fail(Blame::input, "--listen '", options.listen, "': must be ADDRESS:PORT, such as 10.0.0.3:7340 or [::1]:7340");
  return {};
}

int serve(Options options) {
  if (const auto fine = check(options); !fine) return complain(fine.error());
  // Its processes may not share a working directory that goes away, and the paths are handed on.
  for (auto* path :
       {&options.socket, &options.run_dir, &options.state_dir, &options.ca, &options.certificate, &options.key, &options.policy})
    if (!path->empty()) *path = std::filesystem::absolute(*path);
  return run_supervisor(options);
}

int print_faults(bool json) {
  const auto faults = fault_texts();
  if (json) {
    std::cout << protocol::print(faults) << '\n';
    return 0;
  }
  for (const auto& fault : faults) std::cout << fault.name << "  " << fault.summary << '\n';
  return 0;
}

// For a runner that has a spec in hand: JSON from standard input, JSON to standard output.
int print_problems() {
  const std::string text(std::istreambuf_iterator<char>(std::cin), {});
  const auto asked = protocol::parse<std::vector<protocol::Ask>>(text);
  if (!asked) return complain(asked.error());
  std::cout << protocol::print(problems_of(*asked)) << '\n';
  return 0;
}

int print_doctor(bool json) {
  const auto found = capabilities(Host{});
  if (json) {
    std::cout << protocol::print(found) << '\n';
    return 0;
  }
  for (const auto& one : found) {
    std::cout << (one.available ? "yes  " : "no   ") << one.name << ": " << one.detail;
    if (!one.available && !one.remedy.empty()) std::cout << " (" << one.remedy << ')';
    std::cout << '\n';
  }
  return 0;
}

void print_status(const protocol::StatusReply& status) {
  std::cout << "node " << status.node << ", arashi-agent " << status.release << '\n';
  for (const auto& lease : status.leases) std::cout << "lease  " << lease << '\n';
  for (const auto& one : status.injections) {
    std::cout << one.id << "  " << name_of(one.step) << "  " << one.fault << " on " << one.victim.label << " (" << one.experiment << ", "
              << one.mechanism << "), " << to_text(std::chrono::round<std::chrono::milliseconds>(one.left)) << " left";
    if (!one.evidence.detail.empty()) std::cout << "; " << one.evidence.detail;
    if (!one.problem.empty()) std::cout << "; " << one.problem;
    std::cout << '\n';
  }
  if (status.injections.empty()) std::cout << "no faults\n";
}

int ask_status(const Options& options, bool json) {
  const auto reply = http::ask(options.socket, "GET", "/v1/status", "", std::chrono::seconds(5));
  if (!reply) return complain(reply.error());
  if (reply->status != 200) return complain({.message = "the agent answered " + std::to_string(reply->status) + ": " + reply->body});
  const auto status = protocol::parse<protocol::StatusReply>(reply->body);
  if (!status) return complain(status.error());
  if (json) {
    std::cout << reply->body << '\n';
  } else {
    print_status(*status);
  }
  return 0;
}

void add_facts(CLI::App& app, Command& command) {
  auto* faults = app.add_subcommand("faults", "What this agent can inject (needs no rights)");
  faults->add_flag("--json", command.json, "As JSON, with all parameters");
  faults->footer("Example: arashi-agent faults --json | jq '.[].name'");
  faults->callback([&command] { command.exit_code = print_faults(command.json); });
  auto* doctor = app.add_subcommand("doctor", "What this machine's kernel and rights allow, and what to do about the rest");
  doctor->add_flag("--json", command.json, "As JSON");
  doctor->footer("Example: arashi-agent doctor");
  doctor->callback([&command] { command.exit_code = print_doctor(command.json); });
  auto* status = app.add_subcommand("status", "What is active on this machine's agent now");
  add_socket(*status, command.options);
  status->add_flag("--json", command.json, "As JSON");
  status->footer("Example: arashi-agent status --socket /run/arashi/agent.sock");
  status->callback([&command] { command.exit_code = ask_status(command.options, command.json); });
}

// Whatever a library throws: that nobody knows what is left is told by the exit code too.
int recover_or_tell(const Options& options) {
  try {
    return run_recovery(options);
  } catch (const std::exception& error) {
    std::cerr << "arashi-agent: recover: unexpected: " << error.what() << '\n';
    return 6;
  }
}

void add_recover(CLI::App& app, Command& command) {
  auto* recover = app.add_subcommand("recover", "Revert whatever the journals hold, print each; exit 6 if something is left");
  add_directories(*recover, command.options);
  recover->add_option("--copy-fd", command.options.copy_fd)->group("");
  recover->footer("Example: arashi-agent recover --run-dir /run/arashi");
  recover->callback([&command] { command.exit_code = recover_or_tell(command.options); });
}

// The agent's own processes, and what a runner asks: not for people, so not in --help.
void add_processes(CLI::App& app, Command& command) {
  app.add_subcommand("check-params")->group("")->callback([&command] { command.exit_code = print_problems(); });
  auto* injector = app.add_subcommand("injector")->group("");
  add_serving_options(*injector, command.options);
  injector->add_option("--control-fd", command.options.control_fd)->required();
  injector->add_option("--lifeline-fd", command.options.lifeline_fd);
  injector->add_option("--copy-fd", command.options.copy_fd);
  injector->callback([&command] { command.exit_code = run_injector_process(command.options); });
  auto* api = app.add_subcommand("api")->group("");
  add_serving_options(*api, command.options);
  api->add_option("--channel-fd", command.options.channel_fd)->required();
  api->callback([&command] { command.exit_code = run_api(command.options); });
  auto* worker = app.add_subcommand("worker")->group("");
  worker->add_option("engine", command.engine)->required();
  worker->callback([&command] { command.exit_code = workers::run_worker(command.engine); });
}

std::string usage_error(const CLI::App* app, const CLI::Error& error) {
  std::string command = app->get_name();
  for (const auto* subcommand : app->get_subcommands()) command += " " + subcommand->get_name();
  return "arashi-agent: " + std::string(error.what()) + "\nTry: " + command + " --help\n";
}

int run(int argc, char** argv) {
  Command command;
  CLI::App app("Injects faults on this machine when an experiment asks for it, and reverts them when in doubt.", "arashi-agent");
  app.set_version_flag("--version", std::string("arashi-agent " ARASHI_VERSION));
  app.failure_message(usage_error);
  add_serving_options(app, command.options);
  app.footer("Examples:\n  arashi-agent\n  arashi-agent --listen 10.0.0.3:7340 --ca ca.pem --certificate agent.pem --key agent-key.pem");
  add_facts(app, command);
  add_recover(app, command);
  add_processes(app, command);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  return app.get_subcommands().empty() ? serve(command.options) : command.exit_code;
}

}  // namespace
}  // namespace arashi

int main(int argc, char** argv) {
  ::prctl(PR_SET_NAME, "arashi-agent");  // started by /proc/self/exe it would be called "exe"
  try {
    return arashi::run(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "arashi-agent: unexpected failure: " << error.what() << '\n';
  } catch (...) {
    std::cerr << "arashi-agent: unexpected failure\n";
  }
  return 1;
}
