// Writes on a thread of its own: a full or hung disk or a stopped terminal never holds up the run. The first failure of each file is
// kept; what was meant for it after that is still tried, so that a disk that gets room again is used.
#pragma once

#include "injector/core/fd.hpp"

#include <memory>
#include <string>
#include <vector>

namespace arashi::engine {

class Scribe {
 public:
  Scribe();
  ~Scribe();  // gives what is waiting ten seconds
  Scribe(const Scribe&) = delete;
  Scribe& operator=(const Scribe&) = delete;

  // Takes the file over; returns its number here.
  std::size_t add(Fd file, std::string name);
  void write(std::size_t file, std::string text);
  // Only if nothing is waiting, and says whether: the next frame of a picture replaces this one.
  bool offer(std::size_t file, std::string text);
  // Waits until all is written, at most ten seconds; then what went wrong, empty if nothing.
  std::vector<std::string> settle();

 private:
  struct Shared;
  std::shared_ptr<Shared> shared_;
};

}  // namespace arashi::engine
