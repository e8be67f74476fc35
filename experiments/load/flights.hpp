// The requests of a load as libcurl's handles, made ready one by one and used again. Private to this folder.
#pragma once

#include "experiments/load/requests.hpp"
#include "experiments/request_headers.hpp"

#include <curl/curl.h>

#include <memory>
#include <string>
#include <vector>

namespace arashi::load {

// HTTP/2 with many requests at once on one connection. libcurl before 8.0 breaks a connection of HTTP/2 by prior knowledge when it uses it
// again (its issue 10634): there each request has its own.
bool shares_connections(spec::Http http);

struct Flight {
  CURL* easy = nullptr;
  std::size_t kind = 0;
  std::uint64_t request = 0;
  Duration intended{};
  bool under_way = false;
  // Whether libcurl has begun to write it; it would write it again where a connection dies before the first byte of the answer.
  bool sent = false, sent_again = false;
  bool found_dead = false;    // the connection that it was given, before anything was written
  int no_socket = 0;          // errno: no socket could be opened
  void* owner = nullptr;      // Hooks::self
  std::string url{}, body{};  // of this request, where they are not the same in each
  HeaderLines headers{nullptr, &curl_slist_free_all}, connect_to{nullptr, &curl_slist_free_all};
};

class Flights {
 public:
  struct Hooks {                                    // who is asked, under libcurl's names
    curl_opensocket_callback open = nullptr;        // with the flight
    curl_prereq_callback before_request = nullptr;  // with the flight
    curl_closesocket_callback close = nullptr;      // with `self`
    void* self = nullptr;
  };
  Flights(spec::Load load, std::shared_ptr<const Requests> requests, Hooks hooks);
  ~Flights() { clear(); }
  Flights(const Flights&) = delete;
  Flights& operator=(const Flights&) = delete;

  // Refuses headers that can't be sent. Once, before anything else.
  Result<void> open();
  // Ready to be handed to libcurl. Null: a value makes a header that can't be sent, or libcurl has no memory left.
  Flight* make_ready(std::uint64_t request, Duration intended);
  void put_back(Flight& flight) { idle_[flight.kind].push_back(&flight); }
  // So that it begins anew, on a new connection; of one that was not sent.
  void restart(Flight& flight) const;
  [[nodiscard]] const std::vector<std::unique_ptr<Flight>>& all() const { return all_; }
  void clear();
  // The one behind a handle of libcurl.
  static Flight& of(CURL* easy);

 private:
  Flight* take(std::size_t kind);
  bool write_values(Flight& flight);
  void set(Flight& flight);
  void set_transport(Flight& flight);
  [[nodiscard]] bool alone() const;  // each request on a connection of its own
  void set_tls(CURL* easy);
  void set_url(Flight& flight);

  spec::Load load_;
  std::shared_ptr<const Requests> requests_;
  Hooks hooks_;
  std::vector<HeaderLines> headers_;        // of each kind whose headers are the same in each request
  std::vector<std::vector<Flight*>> idle_;  // of each kind
  std::vector<std::unique_ptr<Flight>> all_;
};

}  // namespace arashi::load
