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
  std::string url{}, body{};  // of this request, where they are not the same in each
  HeaderLines headers{nullptr, &curl_slist_free_all}, connect_to{nullptr, &curl_slist_free_all};
};

class Flights {
 public:
  struct Closing {  // who is asked to close a socket, as CURLOPT_CLOSESOCKETFUNCTION
    curl_closesocket_callback close = nullptr;
    void* self = nullptr;
  };
  Flights(spec::Load load, std::shared_ptr<const Requests> requests, Closing closing);
  ~Flights() { clear(); }
  Flights(const Flights&) = delete;
  Flights& operator=(const Flights&) = delete;

  // Refuses headers that can't be sent. Once, before anything else.
  Result<void> open();
  // Ready to be handed to libcurl. Null: a value makes a header that can't be sent, or libcurl has no memory left.
  Flight* make_ready(std::uint64_t request, Duration intended);
  void put_back(Flight& flight) { idle_[flight.kind].push_back(&flight); }
  [[nodiscard]] const std::vector<std::unique_ptr<Flight>>& all() const { return all_; }
  void clear();
  // The one behind a handle of libcurl.
  static Flight& of(CURL* easy);

 private:
  Flight* take(std::size_t kind);
  bool write_values(Flight& flight);
  void set(Flight& flight);
  void set_transport(CURL* easy);
  void set_tls(CURL* easy);
  void set_url(Flight& flight);

  spec::Load load_;
  std::shared_ptr<const Requests> requests_;
  Closing closing_;
  std::vector<HeaderLines> headers_;        // of each kind whose headers are the same in each request
  std::vector<std::vector<Flight*>> idle_;  // of each kind
  std::vector<std::unique_ptr<Flight>> all_;
};

}  // namespace arashi::load
