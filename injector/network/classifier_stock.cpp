#include "injector/network/classifier_stock.hpp"

#include "injector/network/bpf.hpp"

#include <system_error>
#include <utility>

namespace arashi {

ClassifierStock::ClassifierStock() = default;

ClassifierStock::~ClassifierStock() { wait(); }

std::optional<Classifier> ClassifierStock::take() {
  const std::lock_guard lock(mutex_);
  if (spare_.empty()) return std::nullopt;
  auto taken = std::move(spare_.back());
  spare_.pop_back();
  return taken;
}

void ClassifierStock::give_back(Classifier used) {
  const std::lock_guard lock(mutex_);
  used_.push_back(std::move(used));
}

// Outside of the lock. Where nothing can be loaded the next injection finds out, and says why.
void ClassifierStock::work() {
  std::vector<Classifier> used;
  for (bool can_load = true;;) {
    {
      const std::lock_guard lock(mutex_);
      used.swap(used_);
      filling_ = can_load && spare_.size() < wanted;
      if (!filling_) return;
    }
    used.clear();
    auto loaded = Classifier::load_blank({.way_back = true});
    can_load = loaded.has_value();
    const std::lock_guard lock(mutex_);
    if (can_load) spare_.push_back(*std::move(loaded));
  }
}

void ClassifierStock::fill() {
  const std::lock_guard lock(mutex_);
  if (filling_ || (spare_.size() >= wanted && used_.empty())) return;
  if (thread_.joinable()) thread_.join();  // it has ended but for its last line
  try {
    thread_ = std::thread([this] { work(); });
    filling_ = true;
  } catch (const std::system_error&) {  // no thread to be had: then programs are loaded when they are needed
  }
}

void ClassifierStock::wait() {
  std::thread ended;
  {
    const std::lock_guard lock(mutex_);
    std::swap(ended, thread_);
  }
  if (ended.joinable()) ended.join();
}

}  // namespace arashi
