// What the requests to agents go over: libcurl's multi interface, driven by one epoll. Of the loop's thread alone. Private to this folder.
#pragma once

#include "experiments/fleet/keys.hpp"
#include "experiments/http_exchange.hpp"
#include "injector/core/fd.hpp"

#include <sys/epoll.h>

#include <array>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <unordered_map>
#include <vector>

namespace arashi::fleet {

enum class Urgency : std::uint8_t { revert, lease, rest };

struct Transfer;

// One agent's end of the wire. Two connections stay warm: one for what is urgent, and one for the rest.
struct Peer {
  std::shared_ptr<Keys> keys;                       // null: not over TLS
  std::size_t at_rest = 0;                          // requests under way that are not urgent
  std::array<bool, 2> warm_taken{};                 // by a request under way: of the rest, of what is urgent
  std::deque<std::unique_ptr<Transfer>> waiting{};  // beyond `most_at_once`
};

// One request to an agent.
struct Transfer {
  HttpRequest request;  // its timeout counts from asking
  Urgency urgency = Urgency::rest;
  std::shared_ptr<Peer> peer;
  std::stop_token stop;
  std::function<void(Result<HttpReply>)> then;

  // The wire's own:
  std::uint64_t id = 0;
  Duration deadline{};
  Exchange exchange;
  CURL* easy = nullptr;
  bool stays_warm = false;
  std::optional<std::stop_callback<std::function<void()>>> stopper;
};

class Wire {
 public:
  static constexpr std::size_t most_at_once = 8;  // requests that are not urgent, of one agent

  static Result<std::unique_ptr<Wire>> make();
  ~Wire();
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;

  void begin(std::unique_ptr<Transfer> transfer);
  void cancel(std::uint64_t id);
  void cancel_all();
  // Sleeps until a socket is ready, wake() is called, a request's time is up or `until` has come; then carries on with what is ready, the
  // urgent first. Breaks off what is not urgent as soon as `hurry` says so: the rest is ready the next time.
  void carry_on(Duration until, const std::function<bool()>& hurry);
  void wake() const;  // from any thread

 private:
  struct Socket {
    std::uint32_t events = 0;
    Urgency urgency = Urgency::rest;
  };

  // The rest, and what is urgent: each has its own connections, so that neither takes the other's.
  struct Line {
    CURLM* multi = nullptr;
    std::optional<Duration> due;  // when libcurl wants to be called
  };

  Wire() = default;
  Result<void> open();
  Result<void> open_line(Line& line);
  void start(std::unique_ptr<Transfer> transfer);
  Result<void> set_up_transfer(Transfer& transfer);
  void end(std::uint64_t id, Result<HttpReply> result);
  void let_next_begin(Peer& peer);
  void act(Line& line, int socket, int events);
  void take_ended(Line& line);
  void act_on_time(Duration now);
  void sleep(Duration until);
  void take_event(int fd, std::uint32_t events);
  void tell(CURL* easy, int fd, int what);
  CURL* take_easy();
  void put_back(CURL* easy);
  static std::size_t line_of(const Transfer& transfer) { return transfer.urgency == Urgency::rest ? 0 : 1; }
  static int socket_changed(CURL* easy, curl_socket_t socket, int what, void* self, void* known);
  static int timer_changed(CURLM* multi, long milliseconds, void* line);

  Fd epoll_, timer_, wake_;
  std::array<Line, 2> lines_;
  Duration armed_{};
  std::unordered_map<int, Socket> sockets_;
  std::unordered_map<std::uint64_t, std::unique_ptr<Transfer>> under_way_;
  std::map<std::uint64_t, Peer*> waiting_;                // which peer's queue it is in
  std::set<std::pair<Duration, std::uint64_t>> overdue_;  // the deadlines of those that wait
  std::vector<CURL*> idle_;
  std::vector<epoll_event> ready_;
};

}  // namespace arashi::fleet
