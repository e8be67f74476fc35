// Many HTTP requests at once on one thread: libcurl's multi interface driven by epoll and a timer. Private to this folder.
#pragma once

#include "experiments/load/ledger.hpp"
#include "experiments/request_headers.hpp"
#include "injector/core/fd.hpp"

#include <memory>
#include <optional>
#include <vector>

namespace arashi::load {

struct Finished {
  std::uint64_t request = 0;
  Answer answer{};
};

class Multi {
 public:
  static Result<std::unique_ptr<Multi>> make(const spec::Load& load, std::size_t connections);
  ~Multi();
  Multi(const Multi&) = delete;
  Multi& operator=(const Multi&) = delete;

  [[nodiscard]] bool free_connection() const { return !idle_.empty() || flights_.size() < connections_; }
  // Begins a request that may take this long. False: libcurl refused it.
  bool begin(std::uint64_t request, Duration at_most);
  // Sleeps at most until a socket is ready, a libcurl timer is due, `until` (CLOCK_BOOTTIME) has come or wake() is called.
  void wait(Duration until);
  void wake() const;  // from any thread
  // Breaks off all requests and closes all connections.
  void end();
  // What has ended since the last call.
  std::vector<Finished> finished();

 private:
  struct Flight {
    CURL* easy = nullptr;
    std::uint64_t request = 0;
  };

  Multi(spec::Load load, std::size_t connections);
  Result<void> open();
  Result<void> make_headers();
  Flight* new_flight();
  void set(CURL* easy);
  void act(int socket, int events);
  static int socket_changed(CURL* easy, curl_socket_t socket, int what, void* self, void* known);
  static int timer_changed(CURLM* multi, long milliseconds, void* self);

  spec::Load load_;
  std::size_t connections_;
  CURLM* multi_ = nullptr;
  HeaderLines headers_{nullptr, &curl_slist_free_all};
  std::vector<std::unique_ptr<Flight>> flights_;
  std::vector<Flight*> idle_;
  Fd epoll_, timer_, wake_;
  std::optional<Duration> curl_due_;
};

}  // namespace arashi::load
