#include "injector/injector.hpp"

#include "injector/core/id.hpp"
#include "injector/core/kinds.hpp"
#include "injector/core/suggest.hpp"
#include "injector/entry.hpp"
#include "injector/host/socket_shelf.hpp"
#include "injector/host/worker.hpp"
#include "injector/target.hpp"

#include <algorithm>
#include <tuple>

namespace arashi {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t remembered = 200;
constexpr Duration first_retry = 1s;  // of a revert that failed; doubled up to
constexpr unsigned most_doublings = 5;

std::string words(const std::vector<ParamProblem>& problems) {
  std::string text;
  for (const auto& problem : problems) text += (text.empty() ? "" : "; ") + problem.message;
  return text;
}

// One that can't be read is never acted upon; its processes are ended all the same, as their cgroup is named from the id.
Result<void> must_be_readable(const Host& host, const Fault* fault, const Injection& record) {
  const auto done = record.unread      ? check_record(*record.unread)
                    : fault == nullptr ? Result<void>(fail(Blame::input, "this release knows no fault '", record.fault, "'"))
                                       : fault->readable(record.change);
  if (done) return {};
  if (is_id(record.id)) static_cast<void>(stop_processes(host, record.id));
  return fail(Blame::unsupported, "the record of injection ", record.id, " (", record.fault, " on ", record.victim.label,
              ") can't be read, so it is left as it is: ", done.error().message, "; arashi-agent ",
              record.release.empty() ? "of an earlier release" : record.release,
              " wrote it, this is " ARASHI_VERSION ": revert it by hand, or with `arashi-agent recover` of that release");
}

Reverted outcome_of(const Injection& record, Duration took) { return {record.id, record.fault, record.step, record.problem, took}; }

}  // namespace

Injector::Injector(Host host, Journal volatile_journal, std::optional<Journal> disk_journal, std::optional<Journal> copy)
    : host_(std::move(host)),
      volatile_journal_(std::move(volatile_journal)),
      disk_journal_(std::move(disk_journal)),
      copy_(std::move(copy)) {
  agent_port_ = host_.control.agent_port;
}

Injector::~Injector() = default;

// ── inject ─────────────────────────────────────────────────────────────────────────────────────────────────────────

Host Injector::host_for(const Request& request) const {
  Host host = host_;
  host.control.agent_port = agent_port_;
  if (!request.runner_address.empty()) host.control.runner_addresses.push_back(request.runner_address);
  if (!request.agent_address.empty()) host.control.agent_addresses.push_back(request.agent_address);
  return host;
}

Result<const Fault*> Injector::check(const std::string& name, const Request& request) const {
  const auto* const fault = find_fault(name);
  if (fault == nullptr) {
    std::vector<std::string_view> known(all_faults().size());
    std::ranges::transform(all_faults(), known.begin(), &Fault::name);
    return fail(Code::unknown_fault, "unknown fault '", name, "'", suggestion(name, known));
  }
  if (!is_id(request.id)) return fail(Blame::input, "'", request.id, "' is not an injection's id");
  if (request.experiment.empty()) return fail(Blame::input, "the injection names no experiment");
  if (request.duration <= Duration::zero()) return fail(Blame::input, name, " for ", to_text(request.duration), ": nothing would happen");
  const auto& scopes = fault->scopes;
  if (std::ranges::find(scopes, request.victim.scope) == scopes.end())
    return fail(Blame::input, name, " does not take a ", request.victim.kind, suggestion("", kinds_in(scopes)));
  const auto problems = check_canonical(fault->params, request.params);
  if (!problems.empty()) return fail(Blame::input, name, ": ", words(problems));
  const auto& own = host_.protected_pids;
  if (request.victim.pid != 0 && std::ranges::find(own, request.victim.pid) != own.end())
    return fail(Blame::refused, "process ", request.victim.pid, " is the agent itself");
  TRY(still_there(host_, request.victim));
  return fault;
}

Result<void> Injector::check_free(const Claims& wanted) const {
  for (const auto& [id, entry] : entries_) {
    const auto& held = entry->record;
    TRY(check_claims(held.claims, {.experiment = held.experiment, .fault = held.fault, .id = id}, wanted));
  }
  return {};
}

Result<PreparedRecord> Injector::prepare(const std::string& fault, const Request& request) {
  const auto* const found = TRY(check(fault, request));
  auto prepared = TRY(found->prepare(host_for(request), request));
  const std::lock_guard lock(mutex_);
  TRY(check_free(prepared.claims));
  return prepared;
}

// Claims it and holds it: nobody else works on it before the caller lets go.
Result<Injector::EntryPtr> Injector::enter(const Fault& fault, const Request& request, PreparedRecord prepared) {
  if (prepared.outlives_reboot && !disk_journal_)
    return fail(Blame::unsupported, fault.name, " outlives a reboot, and there is no journal on disk ('", host_.state.string(), "')");
  const auto now = boot_now();
  auto entry = std::make_shared<Entry>();
  entry->fault = &fault;
  entry->held = true;
  auto boot = TRY(boot_id());
  entry->record = {.id = request.id,
                   .experiment = request.experiment,
                   .fault = std::string(fault.name),
                   .victim = request.victim,
                   .params = request.params,
                   .change = std::move(prepared.change),
                   .claims = std::move(prepared.claims),
                   .mechanism = std::move(prepared.mechanism),
                   .because = std::move(prepared.because),
                   .undo = std::move(prepared.undo),
                   .boot = std::move(boot),
                   .made = now,
                   .deadline = now + request.duration,
                   .outlives_reboot = prepared.outlives_reboot,
                   .release = ARASHI_VERSION};
  const std::lock_guard lock(mutex_);
  if (entries_.contains(request.id)) return fail(Code::exists, "injection ", request.id, " exists already");
  TRY(check_free(entry->record.claims));
  entries_.emplace(request.id, entry);
  return entry;
}

Result<Injection> Injector::inject(const std::string& fault, const Request& request) {
  const auto* const found = TRY(check(fault, request));
  SocketShelf sockets;
  Host host = host_for(request);
  host.sockets = &sockets;
  auto prepared = TRY(found->prepare(host, request));
  const auto entry = TRY(enter(*found, request, std::move(prepared)));
  const Hold hold(entry, *this);
  return bring_about(host, entry, request.duration);
}

Result<Injection> Injector::bring_about(const Host& host, const EntryPtr& entry, Duration duration) {
  Injection record;
  {
    const std::lock_guard lock(mutex_);
    record = entry->record;
  }
  if (const auto written = write_down(record); !written) {  // nothing is changed that is not written down
    const std::lock_guard lock(mutex_);
    entries_.erase(record.id);
    return because(written.error(), entry->fault->name, " was not injected");
  }
  bool cut_short = false;
  {
    const std::lock_guard lock(mutex_);
    cut_short = entry->cut_short;
    entry->record.step = Step::applying;
  }
  Result<Evidence> evidence = fail(Blame::refused, "not begun");
  if (!cut_short) evidence = entry->fault->apply(host, record.change);
  {
    const std::lock_guard lock(mutex_);
    cut_short = entry->cut_short;
    entry->record.deadline = boot_now() + duration;
    if (evidence) entry->record.evidence = *evidence;
  }
  Result<void> kept;
  if (evidence && !cut_short) {
    auto active = step_to(entry, Step::active, "");
    kept = write_down(active);
    if (kept) return active;
  }
  const auto ended = take_back(entry);
  const std::string left =
      ended.step == Step::reverted ? "" : "; and reverting it " + std::string(name_of(ended.step)) + ": " + ended.problem;
  if (cut_short) return fail(Blame::refused, entry->fault->name, " was ended while it was being applied", left);
  auto cause = evidence ? kept.error() : evidence.error();
  cause.message += left;
  return because(cause, entry->fault->name, evidence ? " was reverted at once" : "");
}

// ── steps ──────────────────────────────────────────────────────────────────────────────────────────────────────────

Injection Injector::step_to(const EntryPtr& entry, Step step, const std::string& problem) {
  const std::lock_guard lock(mutex_);
  entry->record.step = step;
  entry->record.applied = entry->record.applied || step == Step::active;
  entry->record.problem = problem;
  return entry->record;
}

Result<void> Injector::write_down(const Injection& record) {
  const std::lock_guard lock(journal_mutex_);
  auto& journal = record.outlives_reboot && disk_journal_ ? *disk_journal_ : volatile_journal_;
  const auto written = journal.append(record);
  if (!copy_ || (!written && record.step == Step::intended)) return written;
  const auto copied = copy_->append(record);
  return written ? copied : written;
}

Reverted Injector::take_back(const EntryPtr& entry) {
  const auto started = boot_now();
  auto record = step_to(entry, Step::reverting, "");
  auto done = must_be_readable(host_, entry->fault, record);
  if (done) {
    auto host = host_;
    host.applied = record.applied;
    done = entry->fault->revert(host, record.change);
  }
  const bool is_drifted = !done && done.error().code == Code::drifted;
  record = step_to(entry, done ? Step::reverted : is_drifted ? Step::drifted : Step::stuck, done ? "" : done.error().message);
  // A failure to write this down costs a second revert after a crash, which every fault is right about.
  if (!record.unread) static_cast<void>(write_down(record));
  const std::lock_guard lock(mutex_);
  if (is_over(record.step)) {
    entries_.erase(record.id);
    ended_.push_front(record);
    if (ended_.size() > remembered) ended_.pop_back();
  } else {
    entry->next_try = boot_now() + first_retry * (1U << std::min(entry->failures, most_doublings));
    ++entry->failures;
  }
  return outcome_of(record, boot_now() - started);
}

// ── revert ─────────────────────────────────────────────────────────────────────────────────────────────────────────

std::vector<Injector::EntryPtr> Injector::newest_first(std::string_view experiment, std::string_view id) {
  std::vector<EntryPtr> found;
  const std::lock_guard lock(mutex_);
  for (const auto& [name, entry] : entries_)
    if ((id.empty() || name == id) && (experiment.empty() || entry->record.experiment == experiment)) found.push_back(entry);
  std::ranges::sort(found, [](const EntryPtr& a, const EntryPtr& b) {
    return std::tie(a->record.made, a->record.id) > std::tie(b->record.made, b->record.id);
  });
  return found;
}

// What stops the revert of one (out of memory, a library that throws) never stops that of the others.
Reverted Injector::end(const EntryPtr& entry) {
  try {
    return end_held(entry);
  } catch (const std::exception& error) {
    const auto record = step_to(entry, Step::stuck, std::string("unexpected: ") + error.what());
    return outcome_of(record, Duration::zero());
  }
}

Reverted Injector::end_held(const EntryPtr& entry) {
  const auto started = boot_now();
  const Hold hold(*this, entry);
  {
    const std::lock_guard lock(mutex_);
    if (!entries_.contains(entry->record.id)) return outcome_of(entry->record, boot_now() - started);  // ended while we waited
  }
  auto ended = take_back(entry);
  ended.took = boot_now() - started;
  return ended;
}

// The quick ones here, newest first; whatever waits for a program of somebody else on a thread of its own.
std::vector<Reverted> Injector::end_all(const std::vector<EntryPtr>& entries) {
  std::vector<std::future<Reverted>> slow;
  std::vector<EntryPtr> quick;
  for (const auto& entry : entries) {
    const bool may_wait = entry->fault != nullptr && entry->fault->slow_revert;
    if (may_wait && entries.size() > 1)
      slow.push_back(std::async(std::launch::async, [this, entry] { return end(entry); }));
    else
      quick.push_back(entry);
  }
  std::vector<Reverted> ended;
  ended.reserve(entries.size());
  for (const auto& entry : quick) ended.push_back(end(entry));
  for (auto& each : slow) ended.push_back(each.get());
  return ended;
}

std::vector<Reverted> Injector::revert(std::string_view experiment, std::string_view id) {
  const auto entries = newest_first(experiment, id);
  {
    const std::lock_guard lock(mutex_);
    for (const auto& entry : entries) entry->cut_short = true;
  }
  return end_all(entries);
}

std::vector<Reverted> Injector::recover() {
  auto left = written_down();
  const auto boot = boot_id().value_or("");
  std::vector<Reverted> ended;
  std::vector<std::string> ids;
  for (auto& record : left) {
    if (record.boot != boot && !record.outlives_reboot) {
      record.step = Step::reverted;
      record.problem = "the machine has been started again since";
      record.unread.reset();
      [[maybe_unused]] const auto written = write_down(record);
      ended.push_back(outcome_of(record, Duration::zero()));
      continue;
    }
    auto entry = std::make_shared<Entry>();
    entry->fault = find_fault(record.fault);
    if (copy_) [[maybe_unused]]
      const auto written = write_down(record);  // it may have been in the copy only, or in a journal only
    entry->record = std::move(record);
    const std::lock_guard lock(mutex_);
    ids.push_back(entry->record.id);
    entries_.emplace(entry->record.id, entry);
  }
  auto entries = newest_first("", "");
  std::erase_if(entries, [&](const EntryPtr& entry) { return std::ranges::find(ids, entry->record.id) == ids.end(); });
  for (auto& each : end_all(entries)) ended.push_back(std::move(each));
  return ended;
}

}  // namespace arashi
