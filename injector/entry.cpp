#include "injector/entry.hpp"

#include "injector/host/worker.hpp"

namespace arashi {

namespace {

constexpr Duration cut_again_every = std::chrono::milliseconds(20);  // an apply that is being cut short may have started its next process

}  // namespace

Injector::Hold::Hold(Injector& injector, EntryPtr entry) : injector_(injector), entry_(std::move(entry)) {
  std::unique_lock lock(injector_.mutex_);
  while (entry_->held) {
    if (entry_->cut_short && entry_->record.step == Step::applying) {
      lock.unlock();
      // A failure shows in what the apply itself returns, and in the revert that follows.
      [[maybe_unused]] const auto stopped = stop_processes(injector_.host_, entry_->record.id);
      lock.lock();
      if (!entry_->held) break;
    }
    injector_.changed_.wait_for(lock, cut_again_every);
  }
  entry_->held = true;
}

std::unique_ptr<Injector::Hold> Injector::Hold::try_to(Injector& injector, const EntryPtr& entry) {
  const std::lock_guard lock(injector.mutex_);
  if (entry->held) return nullptr;
  entry->held = true;
  return std::make_unique<Hold>(entry, injector);
}

Injector::Hold::~Hold() {
  {
    const std::lock_guard lock(injector_.mutex_);
    entry_->held = false;
  }
  injector_.changed_.notify_all();
}

}  // namespace arashi
