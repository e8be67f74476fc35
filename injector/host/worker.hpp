// Worker processes: `arashi-agent worker ENGINE`, one per userspace engine. A worker lives in the cgroup "arashi/<id>", gets its
// configuration as JSON on its standard input, which stays open: end-of-file there, or the parent-death signal, ends it.
// It answers on its standard output in JSON lines: first {"ready": …} or {"error": "…"}, then one {"stats": …} per line at most every
// 200 ms while there is something new.
#pragma once

#include "injector/core/json_fwd.hpp"
#include "injector/core/result.hpp"
#include "injector/core/units.hpp"

#include "injector/host/host.hpp"

#include <memory>
#include <string>
#include <string_view>

namespace arashi {

struct WorkerState {
  bool alive = false;
  int exit_code = 0;  // when not alive; 128 + signal when killed
  std::int32_t pid = 0;
};

// Owned by the injector process; parent-death signals follow the *thread* that starts a child, so the implementation starts them all from
// one thread that lives as long as the process.
class Workers {
 public:
  virtual ~Workers() = default;
  // Starts the engine for injection `id` and waits at most `patience` for its "ready" line, which is returned.
  virtual Result<Json> start(std::string_view id, std::string_view engine, const Json& config, Duration patience) = 0;
  // The newest stats line; null before the first.
  virtual Result<Json> stats(std::string_view id) = 0;
  // One that somebody stopped (SIGSTOP) or froze (the freezer of a cgroup) is ended here.
  virtual WorkerState state(std::string_view id) = 0;
  // Lets it end by itself for at most `grace` (end-of-file on its standard input tells it to), then kills its cgroup, waits until it is
  // empty, removes it. Right also when nothing was started, or by another process.
  virtual Result<void> stop(std::string_view id, Duration grace) = 0;
};

// Starts `host.self worker ENGINE`, with ARASHI_INJECTION=<id> in the environment. The thread that starts them begins with the first
// worker. At its end all its workers are stopped.
std::unique_ptr<Workers> make_workers(const Host& host);

// Ends every process of injection `id`: through host.workers where there are any, else by its cgroup alone. Right if there is none.
// A worker that does not simply let go, but has something to finish, gets a grace for that.
Result<void> stop_processes(const Host& host, std::string_view id, Duration grace = {});

}  // namespace arashi
