#include "injector/host/classifier_stock.hpp"

#include "injector/host/bpf.hpp"

#include <system_error>

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

// Where nothing can be loaded the next injection finds out, and says why.
void ClassifierStock::load_missing() {
  for (;;) {
    auto loaded = Classifier::load_blank({.way_back = true});
    const std::lock_guard lock(mutex_);
    const bool is_loaded = loaded.has_value();
    if (is_loaded) spare_.push_back(*std::move(loaded));
    filling_ = is_loaded && spare_.size() < wanted;
    if (!filling_) return;
  }
}

void ClassifierStock::fill() {
  const std::lock_guard lock(mutex_);
  if (filling_ || spare_.size() >= wanted) return;
  if (thread_.joinable()) thread_.join();  // it has ended but for its last line
  try {
    thread_ = std::thread([this] { load_missing(); });
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
