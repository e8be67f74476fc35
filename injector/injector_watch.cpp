// What the injector does while faults are in place: it looks at them, ends them in time and tells of them.
#include "injector/entry.hpp"

#include <algorithm>
#include <utility>

namespace arashi {

namespace {

using namespace std::chrono_literals;

constexpr Duration look_every = 500ms;  // at the faults that are in place: is one lost?

}  // namespace

// With the entry held.
void Injector::look_at(const EntryPtr& entry) {
  Injection record;
  {
    const std::lock_guard lock(mutex_);
    record = entry->record;
  }
  if (record.step != Step::active || entry->fault == nullptr) return;
  const auto seen = entry->fault->observe(host_, record.change);
  std::string problem;
  if (!seen && seen.error().blame == Blame::missing) problem = seen.error().message;
  if (seen && record.evidence.in_place && !seen->in_place) problem = seen->detail.empty() ? "it is not in place any more" : seen->detail;
  {
    const std::lock_guard lock(mutex_);
    if (seen) entry->record.evidence = *seen;
  }
  if (problem.empty()) return;
  [[maybe_unused]] const auto written = write_down(step_to(entry, Step::lost, problem));
}

void Injector::tend_one(const EntryPtr& entry, Duration now) {
  bool due = false;
  {
    const std::lock_guard lock(mutex_);
    const auto step = entry->record.step;
    if (entry->held || step == Step::applying || step == Step::intended) return;
    due = step == Step::stuck ? entry->next_try <= now : entry->record.deadline <= now;
  }
  if (!due) {
    if (const auto hold = Hold::try_to(*this, entry)) look_at(entry);
    return;
  }
  if (entry->fault == nullptr || !entry->fault->slow_revert) {
    end(entry);
    return;
  }
  auto running = std::async(std::launch::async, [this, entry] { end(entry); });
  const std::lock_guard lock(mutex_);
  background_.push_back(std::move(running));
}

// What only the copy still holds counts too.
std::vector<Injection> Injector::written_down() const {
  std::map<std::string, Injection> found;
  for (const auto* journal : {&volatile_journal_, disk_journal_ ? &*disk_journal_ : nullptr, copy_ ? &*copy_ : nullptr})
    if (journal != nullptr)
      for (auto& record : journal->open_injections()) found.try_emplace(record.id, std::move(record));
  std::vector<Injection> all;
  for (auto& [id, record] : found) all.push_back(std::move(record));
  return all;
}

bool Injector::mend_journals() {
  bool fine = true;
  std::vector<std::string> found;
  {
    const std::lock_guard lock(journal_mutex_);
    for (auto* journal : {&volatile_journal_, disk_journal_ ? &*disk_journal_ : nullptr}) {
      if (journal == nullptr) continue;
      const auto mended = journal->mend();
      fine = fine && mended;
      if (!mended)
        found.push_back(mended.error().message + ": everything is reverted");
      else if (!mended->empty())
        found.push_back(*mended + "; it was written anew");
    }
  }
  const std::lock_guard lock(mutex_);
  warnings_.insert(warnings_.end(), found.begin(), found.end());
  return fine;
}

std::vector<std::string> Injector::take_warnings() {
  const std::lock_guard lock(mutex_);
  return std::exchange(warnings_, {});
}

std::vector<std::string> Injector::damage() const {
  std::vector<std::string> found;
  if (copy_ && copy_->was_there() && copy_->damage().empty()) return found;
  for (const auto* journal : {&volatile_journal_, disk_journal_ ? &*disk_journal_ : nullptr})
    if (journal != nullptr && !journal->damage().empty()) found.push_back(journal->damage());
  return found;
}

std::optional<Duration> Injector::tend(Duration now) {
  const auto entries = newest_first("", "");
  if (!entries.empty() && !mend_journals()) now = Duration::max();
  {
    const std::lock_guard lock(mutex_);
    std::erase_if(background_, [](const auto& each) { return each.wait_for(0s) == std::future_status::ready; });
  }
  for (const auto& entry : entries) tend_one(entry, now);
  if (now == Duration::max()) now = boot_now();
  std::optional<Duration> next;
  const std::lock_guard lock(mutex_);
  for (const auto& [id, entry] : entries_) {
    const auto step = entry->record.step;
    const bool is_up = step == Step::active || step == Step::lost;
    const auto when = step == Step::stuck ? entry->next_try : is_up ? std::min(entry->record.deadline, now + look_every) : now + look_every;
    next = std::min(next.value_or(when), when);
  }
  return next;
}

std::vector<Injection> Injector::status() {
  for (const auto& entry : newest_first("", ""))
    if (const auto hold = Hold::try_to(*this, entry)) look_at(entry);
  std::vector<Injection> all;
  const std::lock_guard lock(mutex_);
  for (const auto& [id, entry] : entries_) all.push_back(entry->record);
  all.insert(all.end(), ended_.begin(), ended_.end());
  return all;
}

std::size_t Injector::live(std::string_view experiment) const {
  const std::lock_guard lock(mutex_);
  const auto of_it = [experiment](const auto& entry) { return entry.second->record.experiment == experiment; };
  return static_cast<std::size_t>(std::ranges::count_if(entries_, of_it));
}

std::size_t Injector::live() const {
  const std::lock_guard lock(mutex_);
  return entries_.size();
}

}  // namespace arashi
