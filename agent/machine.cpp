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
  auto volatile_journal = TRY(Journal::open(options.run_dir, Journal::Durability::until_reboot));
  auto disk_journal = TRY(Journal::open(options.state_dir, Journal::Durability::on_disk));
  auto machine = std::unique_ptr<Machine>(new Machine);
  auto host = host_of(options);
  host.workers = workers.get();
  if (workers != nullptr) {  // in a recovery nothing is injected
    machine->classifiers_ = std::make_unique<ClassifierStock>();
    host.classifiers = machine->classifiers_.get();
    machine->classifiers_->fill();
  }
  machine->workers_ = std::move(workers);
  machine->injector_ = std::make_unique<Injector>(std::move(host), std::move(volatile_journal), std::move(disk_journal));
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
