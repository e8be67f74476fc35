// All outgoing HTTP of the runner but the load generator's: libcurl behind one function.
#pragma once

#include "injector/core/result.hpp"
#include "injector/core/units.hpp"

#include <map>
#include <memory>
#include <string>

namespace arashi {

struct HttpRequest {
  std::string method = "GET", url, body;
  std::map<std::string, std::string> headers;
  std::string unix_socket;           // path; then the URL's host is ignored
  std::string ca, certificate, key;  // PEM files for mutual TLS
  Duration timeout = std::chrono::seconds(5);
  std::size_t largest_reply = std::size_t{16} << 20U;
};
struct HttpReply {
  long status = 0;
  std::string body;
  std::map<std::string, std::string> headers;
};  // header names in lower case

// Keeps its connection warm between calls; one thread at a time.
class HttpClient {
 public:
  HttpClient();
  ~HttpClient();
  HttpClient(HttpClient&&) noexcept;
  HttpClient& operator=(HttpClient&&) noexcept;
  // An error only when there was no HTTP answer at all; its text names the URL and the reason.
  Result<HttpReply> send(const HttpRequest& request);

 private:
  struct Handle;
  std::unique_ptr<Handle> handle_;
};

}  // namespace arashi
