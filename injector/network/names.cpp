#include "injector/network/names.hpp"

#include "injector/host/worker_use.hpp"
#include "injector/network/workers.hpp"

#include <chrono>

namespace arashi {

namespace {

using namespace std::chrono_literals;

constexpr Duration patience = 10s;

std::string worker_name(const Impairment& impairment) { return impairment.id + ".names"; }

constexpr WorkerUse worker{.engine = "names", .patience = patience, .ended = "the worker that asks for host names has ended"};

Result<NamesStats> start(const Host& host, const Impairment& impairment, const std::vector<std::uint32_t>& programs) {
  if (host.workers == nullptr) return fail(Blame::system, "no worker process can be started here, and one is needed to ask for host names");
  const NamesConfig config{
      .netns = impairment.netns, .traffic = impairment.traffic, .programs = programs, .proc = host.proc, .named = host.netns};
  return start_worker<NamesStats>(host, worker, worker_name(impairment), config);
}

std::string words(const NamedPeer& one) {
  std::string text;
  for (const auto& address : one.addresses) text += (text.empty() ? "" : ", ") + to_text(address);
  return one.name + " is " + (text.empty() ? "nothing" : text);
}

}  // namespace

Resolver resolver_of(const Host& host, const Victim& victim) {
  Resolver resolver;
  const std::filesystem::path netns = victim.netns_path;
  if (victim.scope == Scope::node) return resolver;
  if (netns.parent_path() == host.netns) resolver.overlay = "/etc/netns/" + netns.filename().string();
  // PROC/PID/ns/net
  if (netns.filename() == "net" && netns.parent_path().filename() == "ns") resolver.root = netns.parent_path().parent_path() / "root";
  return resolver;
}

Result<void> resolve_names(const Host& host, Impairment& impairment) {
  if (!impairment.traffic.has_names()) return {};
  auto answer = start(host, impairment, {});
  TRY(stop_following(host, impairment));
  if (!answer) return pass(answer.error());
  impairment.traffic = std::move(answer->traffic);
  for (const auto* names : {&impairment.traffic.peer_names, &impairment.traffic.except_names})
    for (const auto& one : *names)
      if (one.addresses.empty())
        return fail(Blame::missing, "host name '", one.name, "' stands for no address, asked with the target's own resolver: ",
                    answer->problems.contains(one.name) ? answer->problems.at(one.name) : "no answer");
  return {};
}

Result<void> follow_names(const Host& host, const Impairment& impairment, const std::vector<std::uint32_t>& programs) {
  if (!impairment.traffic.has_names()) return {};
  TRY(start(host, impairment, programs));
  return {};
}

Result<void> stop_following(const Host& host, const Impairment& impairment) {
  if (!impairment.traffic.has_names()) return {};
  return stop_processes(host, worker_name(impairment));
}

void add_names(const Host& host, const Impairment& impairment, Evidence& evidence) {
  if (!impairment.traffic.has_names() || host.workers == nullptr) return;
  const auto said = last_stats<NamesStats>(host, worker, worker_name(impairment));
  const auto& traffic = said ? said->traffic : impairment.traffic;
  for (const auto* names : {&traffic.peer_names, &traffic.except_names})
    for (const auto& one : *names) evidence.detail += "; " + words(one);
  const auto changes = said ? said->changes : 0;
  if (changes > 0) evidence.detail += " (changed " + std::to_string(changes) + (changes == 1 ? " time)" : " times)");
  if (!host.workers->state(worker_name(impairment)).alive) evidence.detail += "; names are not followed any more: their worker is gone";
}

}  // namespace arashi
