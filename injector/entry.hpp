// What the injector keeps of each injection, and the right to work on it. Private to the injector's own files.
#pragma once

#include "injector/injector.hpp"

namespace arashi {

struct Injector::Entry {
  Injection record;  // guarded by the injector's mutex, but for its id
  const Fault* fault = nullptr;
  bool held = false;       // one of the fault's functions works on it
  bool cut_short = false;  // it is to end though it is still being applied
  unsigned failures = 0;   // of its revert
  Duration next_try{};
};

class Injector::Hold {
 public:
  // Waits until the entry is free. When it is being applied, that is cut short by ending its processes.
  Hold(Injector& injector, EntryPtr entry);
  // One that is held already, by its maker.
  Hold(EntryPtr held, Injector& injector) : injector_(injector), entry_(std::move(held)) {}
  // Only if it is free now.
  static std::unique_ptr<Hold> try_to(Injector& injector, const EntryPtr& entry);
  Hold(const Hold&) = delete;
  Hold& operator=(const Hold&) = delete;
  ~Hold();

 private:
  Injector& injector_;
  EntryPtr entry_;
};

}  // namespace arashi
