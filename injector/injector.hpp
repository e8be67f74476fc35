// Injects, watches and takes back: the one owner of journal, claims, leases' victims and deadlines on a machine.
// Thread-safe: each operation runs on the caller's thread; a slow apply (a user's command) never holds up another injection or a revert.
#pragma once

#include "injector/fault.hpp"
#include "injector/injection.hpp"
#include "injector/journal.hpp"

#include <atomic>
#include <condition_variable>
#include <deque>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace arashi {

struct Reverted {
  std::string id, fault;
  Step step = Step::reverted;  // reverted, drifted or stuck
  std::string problem;         // empty when reverted
  Duration took{};
};

class Injector {
 public:
  // `copy` holds what both journals hold, where nobody else reaches it (Journal::in_memory).
  Injector(Host host, Journal volatile_journal, std::optional<Journal> disk_journal, std::optional<Journal> copy = std::nullopt);
  ~Injector();

  // What inject would do; reads only, claims checked. Used by `arashi plan`.
  Result<PreparedRecord> prepare(const std::string& fault, const Request& request);

  // Journals, applies, reads back. Returns when the fault is active; on any error it has been reverted before this returns.
  // The deadline is now + request.duration.
  Result<Injection> inject(const std::string& fault, const Request& request);

  // Reverts the newest first; all that match: one id, one experiment, or everything (both empty). A running apply is cut short.
  // Never fails as a whole: each entry tells its own end. Already ended ones are not listed again.
  std::vector<Reverted> revert(std::string_view experiment, std::string_view id);

  // Reverts what is past its deadline, marks what died as lost, tries the stuck again. Returns when it next wants to be called
  // (CLOCK_BOOTTIME), nothing if no injection lives: no timer then. A journal that somebody has damaged is written anew; where it can't be,
  // everything is reverted: what is written down nowhere may not live.
  std::optional<Duration> tend(Duration now);

  // All that are not over, evidence read afresh, and the ended ones of this process's life (newest 200).
  std::vector<Injection> status();

  // Takes back everything the journals hold from an earlier life; what belongs to another boot is only marked reverted unless it outlives
  // reboots. Called at start and by `arashi-agent recover`.
  std::vector<Reverted> recover();

  // What its owner should know of and no answer tells, since the last call: a journal that was damaged.
  std::vector<std::string> take_warnings();
  // Why records may be missing in the journals as they were found; empty where they were whole, or where a copy has made up for it.
  [[nodiscard]] std::vector<std::string> damage() const;

  [[nodiscard]] std::size_t live() const;
  [[nodiscard]] std::size_t live(std::string_view experiment) const;
  [[nodiscard]] const Host& host() const { return host_; }
  // The TCP port at which the agent is reached, known once it listens; 0: none.
  void set_agent_port(std::uint16_t port) { agent_port_ = port; }

 private:
  struct Entry;
  using EntryPtr = std::shared_ptr<Entry>;
  class Hold;  // one function of a fault at a time works on an entry

  Host host_for(const Request& request) const;  // with the control path of whoever asks
  Result<const Fault*> check(const std::string& fault, const Request& request) const;
  Result<void> check_free(const Claims& wanted) const;  // with mutex_ held
  Result<EntryPtr> enter(const Fault& fault, const Request& request, PreparedRecord prepared);
  Result<Injection> bring_about(const Host& host, const EntryPtr& entry, Duration duration);
  Injection step_to(const EntryPtr& entry, Step step, const std::string& problem);
  Result<void> write_down(const Injection& record);
  std::vector<Injection> written_down() const;  // by an earlier life
  bool mend_journals();                         // false: what lives is not written down
  Reverted take_back(const EntryPtr& entry);    // with the entry held
  Reverted end(const EntryPtr& entry);
  Reverted end_held(const EntryPtr& entry);
  std::vector<Reverted> end_all(const std::vector<EntryPtr>& entries);
  std::vector<EntryPtr> newest_first(std::string_view experiment, std::string_view id);
  void look_at(const EntryPtr& entry);
  void tend_one(const EntryPtr& entry, Duration now);

  Host host_;
  std::atomic<std::uint16_t> agent_port_ = 0;
  std::mutex journal_mutex_;  // taken last, never together with mutex_
  Journal volatile_journal_;
  std::optional<Journal> disk_journal_, copy_;
  mutable std::mutex mutex_;  // guards what follows, and the entries; never held over a fault's function
  std::condition_variable changed_;
  std::map<std::string, EntryPtr> entries_;
  std::deque<Injection> ended_;
  std::vector<std::string> warnings_;
  std::vector<std::future<void>> background_;  // slow reverts that tend() started; waited for at the end of this object
};

}  // namespace arashi
