// Something that blocks, done on a thread of its own while this one listens to a stop.
#pragma once

#include "experiments/engine/stop.hpp"
#include "experiments/stop_scope.hpp"
#include "injector/core/fd.hpp"
#include "injector/core/result.hpp"
#include "injector/core/units.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <thread>

namespace arashi::engine {

template <class T>
struct Errand {
  std::optional<Result<T>> result;        // none: it was stopped, and did not end within a second of that
  std::optional<std::string> stopped_by;  // who asked for it
};

// What `work` waits for ends early (stop_scope.hpp). It must own all it uses: one that does not end is left behind.
template <class T>
Errand<T> unless_stopped(Stop& stop, std::function<Result<T>()> work) {
  struct Shared {
    Fd bell{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    std::optional<Result<T>> result;  // written before the bell rings, read after
    std::stop_source stop;
  };
  const auto shared = std::make_shared<Shared>();
  std::thread([shared, work = std::move(work)] {
    const StopScope scope(shared->stop.get_token());
    try {
      shared->result.emplace(work());
    } catch (const std::exception& error) {
      shared->result.emplace(fail(Blame::system, error.what()));
    }
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(shared->bell.get(), &one, sizeof one);
  }).detach();
  Errand<T> errand;
  Duration end = Duration::max();
  while (boot_now() < end) {
    std::array<pollfd, 2> waits{{{shared->bell.get(), POLLIN, 0}, {stop.readable(), POLLIN, 0}}};
    ::poll(waits.data(), errand.stopped_by ? 1 : 2, errand.stopped_by ? 100 : -1);
    if ((waits[0].revents & POLLIN) != 0) {
      errand.result = std::move(shared->result);
      return errand;
    }
    if (errand.stopped_by) continue;
    errand.stopped_by = stop.take();
    if (!errand.stopped_by) continue;
    shared->stop.request_stop();
    end = boot_now() + std::chrono::seconds(1);
  }
  return errand;
}

}  // namespace arashi::engine
