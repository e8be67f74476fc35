#include "agent/machine.hpp"

#include "agent/subject.hpp"
#include "injector/capabilities.hpp"
#include "injector/host/files.hpp"
#include "injector/target.hpp"

#include <unistd.h>

#include <array>

namespace arashi {

Host host_of(const Options& options) {
  Host host;
  host.run = options.run_dir;
  host.state = options.state_dir;
  if (const auto endpoint = parse_endpoint(options.listen)) host.control.agent_port = endpoint->port;
  host.protected_pids = {getpid(), getppid()};
  return host;
}

Result<Policy> load_policy(const Options& options) {
  if (!options.policy.empty()) return parse_policy(TRY(read_text(options.policy)), options.policy.string());
  for (const auto* place : {"/etc/arashi/agent.yaml", "/etc/arashi/agent.json"}) {
    const auto text = read_text(place);
    if (text) return parse_policy(*text, place);
    if (text.error().blame != Blame::missing) return pass(text.error());  // there is one and it can't be read: not a licence to do all
  }
  return Policy{};
}

Result<std::unique_ptr<Machine>> Machine::open(const Options& options, std::unique_ptr<Workers> workers) {
  std::optional<Journal> copy;
  if (options.copy_fd >= 0) copy = TRY(Journal::in_memory(Fd(options.copy_fd)));
  auto volatile_journal = Journal::open(options.run_dir, Journal::Durability::until_reboot);
  auto disk_journal = Journal::open(options.state_dir, Journal::Durability::on_disk);
  const auto problem = !volatile_journal ? volatile_journal.error() : !disk_journal ? disk_journal.error() : Error{};
  const bool has_journals = problem.message.empty();
  // A recovery goes on with the copy alone: it has all that the processes before had done.
  const bool copy_will_do = workers == nullptr && copy && copy->was_there() && copy->damage().empty();
  if (!has_journals && !copy_will_do) return pass(problem);
  auto machine = std::unique_ptr<Machine>(new Machine);
  auto host = host_of(options);
  host.workers = workers.get();
  if (workers != nullptr) {  // in a recovery nothing is injected
    machine->classifiers_ = std::make_unique<ClassifierStock>();
    host.classifiers = machine->classifiers_.get();
    machine->classifiers_->fill();
  }
  machine->workers_ = std::move(workers);
  if (has_journals) {
    machine->injector_ =
        std::make_unique<Injector>(std::move(host), std::move(volatile_journal).value(), std::move(disk_journal).value(), std::move(copy));
  } else {
    machine->journals_problem_ = problem.message;
    machine->injector_ = std::make_unique<Injector>(std::move(host), *std::move(copy), std::nullopt);
  }
  return machine;
}

Result<std::vector<Victim>> Machine::resolve(const Selector& selector) {
  auto victims = TRY(arashi::resolve(host(), selector));
  add_addresses(host(), victims);
  return victims;
}

Result<Injection> Machine::inject(const std::string& fault, const Request& request) { return injector_->inject(fault, request); }

Result<Subject> Machine::look_at(std::string_view fault, const Victim& victim, Duration duration) {
  TRY(still_there(host(), victim));
  return arashi::look_at(host(), fault, victim, duration);
}

std::vector<Capability> Machine::capabilities() { return arashi::capabilities(host()); }

}  // namespace arashi
