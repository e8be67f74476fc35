// An HTTP/1.1 server on a free port of 127.0.0.1 whose answers the test decides, one thread per connection.
#pragma once

#include "injector/core/fd.hpp"
#include "injector/core/units.hpp"

#include <atomic>
#include <functional>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

namespace arashi::testing {

struct Asked {
  std::string method, target, head, body;  // head: request line and headers as they came
  int of_connection = 0;                   // which request of its connection, from 1
};
struct Answered {
  int status = 200;
  std::string body = "ok\n";
  std::string headers;                    // whole lines, each with \r\n
  Duration after{};                       // how long the server lets the client wait
  bool cut = false;                       // close without an answer
  bool reset = false;                     // with cut: reset instead
  std::string then{};                     // sent 20 ms after the answer, unasked
  std::optional<Duration> reset_later{};  // reset the connection so long after the answer
};

class HttpServer {
 public:
  using Decide = std::function<Answered(const Asked&)>;  // called from many threads
  explicit HttpServer(Decide decide, const std::string& unix_socket = {});
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  [[nodiscard]] int port() const { return port_; }
  [[nodiscard]] std::string url(const std::string& path = "/") const;
  [[nodiscard]] int connections() const { return accepted_; }  // so far

 private:
  void accept_all();
  void serve(int fd);
  [[nodiscard]] bool answer(int fd, const Asked& asked);

  Decide decide_;
  int port_ = 0;  // before listener_, which sets it
  Fd listener_;
  std::atomic<bool> stopping_ = false;
  std::atomic<int> accepted_ = 0;
  std::mutex mutex_;
  std::list<Fd> clients_;
  std::list<std::thread> threads_;
  std::thread acceptor_;
};

// A port of 127.0.0.1 on which nobody listens at the moment.
int free_port();

}  // namespace arashi::testing
