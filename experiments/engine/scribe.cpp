#include "experiments/engine/scribe.hpp"

#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <mutex>
#include <thread>

namespace arashi::engine {

namespace {

constexpr std::size_t most_waiting = std::size_t{64} << 20U;  // bytes
constexpr auto patience = std::chrono::seconds(10);

struct Sheet {
  Fd file;
  std::string name, problem;
};

struct Job {
  std::size_t file = 0;
  std::string text;
};

}  // namespace

struct Scribe::Shared {
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<Sheet> sheets;  // a deque: its entries do not move
  std::deque<Job> jobs;
  std::size_t waiting = 0;  // bytes
  bool ending = false, busy = false;

  void work() {
    std::unique_lock lock(mutex);
    while (true) {
      changed.wait(lock, [this] { return ending || !jobs.empty(); });
      if (jobs.empty()) return;
      const Job job = std::move(jobs.front());
      jobs.pop_front();
      busy = true;
      const int file = sheets[job.file].file.get();
      lock.unlock();
      const int error = put(file, job.text);
      lock.lock();
      busy = false;
      waiting -= job.text.size();
      auto& sheet = sheets[job.file];
      if (error != 0 && sheet.problem.empty()) sheet.problem = "write '" + sheet.name + "': " + std::strerror(error);
      changed.notify_all();
    }
  }

  static int put(int file, const std::string& text) {
    for (std::size_t done = 0; done < text.size();) {
      const ssize_t wrote = ::write(file, text.data() + done, text.size() - done);
      if (wrote < 0 && errno != EINTR) return errno;
      if (wrote > 0) done += static_cast<std::size_t>(wrote);
    }
    return 0;
  }

  bool settled(std::unique_lock<std::mutex>& lock) {
    return changed.wait_for(lock, patience, [this] { return jobs.empty() && !busy; });
  }
};

Scribe::Scribe() : shared_(std::make_shared<Shared>()) {
  std::thread([shared = shared_] { shared->work(); }).detach();  // one that hangs in write cannot be joined
}

Scribe::~Scribe() {
  std::unique_lock lock(shared_->mutex);
  shared_->settled(lock);
  shared_->ending = true;
  shared_->changed.notify_all();
}

std::size_t Scribe::add(Fd file, std::string name) {
  const std::lock_guard lock(shared_->mutex);
  shared_->sheets.push_back({std::move(file), std::move(name), {}});
  return shared_->sheets.size() - 1;
}

void Scribe::write(std::size_t file, std::string text) {
  if (text.empty()) return;
  {
    const std::lock_guard lock(shared_->mutex);
    auto& sheet = shared_->sheets[file];
    if (shared_->waiting + text.size() > most_waiting) {
      if (sheet.problem.empty()) sheet.problem = "write '" + sheet.name + "': the disk is too slow; something is missing";
      return;
    }
    shared_->waiting += text.size();
    shared_->jobs.push_back({file, std::move(text)});
  }
  shared_->changed.notify_all();
}

bool Scribe::offer(std::size_t file, std::string text) {
  {
    const std::lock_guard lock(shared_->mutex);
    if (!shared_->jobs.empty() || shared_->busy) return false;
  }
  write(file, std::move(text));
  return true;
}

std::vector<std::string> Scribe::settle() {
  std::unique_lock lock(shared_->mutex);
  const bool all = shared_->settled(lock);
  std::vector<std::string> problems;
  for (const auto& sheet : shared_->sheets)
    if (!sheet.problem.empty()) problems.push_back(sheet.problem);
  if (!all) problems.emplace_back("something is still not written after ten seconds");
  return problems;
}

}  // namespace arashi::engine
