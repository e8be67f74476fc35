// BPF programs loaded ahead.
#pragma once

#include <cstddef>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

namespace arashi {

class Classifier;  // bpf.hpp

// Programs loaded ahead, one for each direction: the kernel's verifier takes longer than all the rest of an injection. Thread-safe.
class ClassifierStock {
 public:
  ClassifierStock();
  ~ClassifierStock();  // waits for a filling under way
  ClassifierStock(const ClassifierStock&) = delete;
  ClassifierStock& operator=(const ClassifierStock&) = delete;
  std::optional<Classifier> take();  // nothing where none is ready
  void give_back(Classifier used);   // attached or not; the next filling lets go of it, which takes a while too
  void fill();                       // returns at once; a thread of its own loads what is missing, and ends
  void wait();                       // until that thread has ended

 private:
  void work();
  static constexpr std::size_t wanted = 2;
  std::mutex mutex_;  // guards what follows
  std::vector<Classifier> spare_, used_;
  bool filling_ = false;
  std::thread thread_;
};

}  // namespace arashi
