// Many HTTP requests at once on one thread: libcurl's multi interface driven by epoll and a timer. Private to this folder.
#pragma once

#include "experiments/load/flights.hpp"
#include "experiments/load/ledger.hpp"
#include "injector/core/fd.hpp"

#include <deque>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

namespace arashi::load {

struct Finished {
  std::uint64_t request = 0;
  Answer answer{};
  Duration arrived{};  // when the answer was here, although it may have been read later
  std::string why;     // of what is not good
};

class Multi {
 public:
  struct Terms {
    std::size_t connections = 1;     // of HTTP/2: to each host
    std::vector<Duration> patience;  // ages that matter: on which side of them an answer came is told exactly
  };
  static Result<std::unique_ptr<Multi>> make(const spec::Load& load, std::shared_ptr<const Requests> requests, Terms terms);
  ~Multi();
  Multi(const Multi&) = delete;
  Multi& operator=(const Multi&) = delete;

  // Whether another request may begin.
  [[nodiscard]] bool room() const { return in_flight_ < most_in_flight_; }
  // Begins a request that was due at `intended`. False: libcurl refused it.
  bool begin(std::uint64_t request, Duration intended);
  // Sleeps at most until a socket is ready, libcurl or a timeout is due, `until` (CLOCK_BOOTTIME) has come or wake() is called.
  void wait(Duration until);
  void wake() const;  // from any thread
  // What has ended since the last call, timeouts included.
  void take(std::vector<Finished>& finished);
  // Which requests waited for us instead of the service before they were sent, and for how long, since the last call.
  void take_held_up(std::vector<std::pair<std::uint64_t, Duration>>& held_up) { std::swap(held_up, held_up_); }
  // All that had arrived by then has been taken.
  [[nodiscard]] Duration seen() const { return seen_; }
  // Breaks off all requests and closes all connections.
  void end();

 private:
  struct Socket {  // what epoll was told, and what libcurl wants
    std::uint32_t told = 0, wanted = 0;
    bool changed = false;
    int local_port = 0;  // of an open connection, once it is known
    bool used = false;   // has carried a request
  };

  Multi(const spec::Load& load, std::shared_ptr<const Requests> requests, Terms terms);
  Result<void> open();
  void act(int socket, int events);
  void act_on_timers(Duration now);
  void sleep_until(Duration due, int at_most);
  void take_event(int fd, std::uint32_t events);
  void tell_epoll();
  void tell(int fd, std::uint32_t events);
  void change(int fd, std::uint32_t wanted);
  Socket& socket_at(int fd);
  void release(Flight& flight);
  bool begin_anew(Flight& flight);
  [[nodiscard]] int before_request(Flight& flight, int local_port);
  void learn_ports();
  [[nodiscard]] bool is_dead(int fd) const;
  void note_standstill(Duration entered, Duration due);
  void time_out(Duration now, std::vector<Finished>& finished);
  [[nodiscard]] Duration next_timeout();
  [[nodiscard]] Duration arrival(const Flight& flight) const;
  [[nodiscard]] Finished ending(const Flight& flight, CURLcode code) const;
  static int socket_changed(CURL* easy, curl_socket_t socket, int what, void* self, void* known);
  static int timer_changed(CURLM* multi, long milliseconds, void* self);
  static curl_socket_t socket_opens(void* flight, curlsocktype purpose, curl_sockaddr* address);
  static int request_begins(void* flight, char* primary_ip, char* local_ip, int primary_port, int local_port);
  static int socket_closes(void* self, curl_socket_t socket);

  spec::Load load_;
  Terms terms_;
  std::size_t most_in_flight_, in_flight_ = 0;
  CURLM* multi_ = nullptr;
  Flights flights_;
  std::deque<std::pair<Flight*, std::uint64_t>> begun_;  // in the order of their timeouts; the ended ones go when they are first
  Fd epoll_, timer_, wake_;
  std::vector<Socket> sockets_;                // by number
  std::vector<int> opened_;                    // whose local port is not known yet
  std::unordered_multimap<int, int> by_port_;  // the others
  std::vector<int> changed_;
  std::optional<Duration> curl_due_;
  int running_ = 0;   // as libcurl counted them last
  Duration armed_{};  // what the timer is set to
  Duration looked_{}, seen_{}, seen_before_{};
  std::vector<std::pair<std::uint64_t, Duration>> held_up_;
};

}  // namespace arashi::load
