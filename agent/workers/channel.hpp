// A worker's side of its conversation with the injector: configuration in, JSON lines out (injector/host/worker.hpp says which).
#pragma once

#include "injector/core/record.hpp"
#include "injector/core/result.hpp"
#include "injector/core/units.hpp"

#include <optional>
#include <string_view>

namespace arashi::workers {

class Channel {
 public:
  // The configuration: the first line of standard input.
  static Result<Json> read_config();
  // Descriptor to watch for POLLIN or POLLHUP: whatever comes after the configuration means the end.
  static int input();
  // Waits until `deadline` (boot_now's clock; absent: for ever). False when the holder has let go and the worker has to end.
  static bool wait_until(std::optional<Duration> deadline);

  // Told as records.
  template <class Stats>
  static void ready(const Stats& stats) {
    say("ready", print_record(stats));
  }
  static void problem(std::string_view message);
  // Call it as often as you like: at most one line per 200 ms goes out. False when this one was kept back; send it again later.
  template <class Stats>
  bool stats(const Stats& stats, Duration now) {
    return may_speak(now) && (say("stats", print_record(stats)), true);
  }

 private:
  static void say(std::string_view kind, const Json& value);
  bool may_speak(Duration now);
  Duration last_{};
};

}  // namespace arashi::workers
