// All outgoing HTTP of the runner but the load generator's: libcurl behind one function.
#pragma once

#include "injector/core/result.hpp"
#include "injector/core/units.hpp"

#include <map>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

namespace arashi {

struct HttpRequest {
  std::string method = "GET", url, body;
  std::map<std::string, std::string> headers;
  std::string unix_socket;           // path; then the URL's host is ignored
  std::string ca, certificate, key;  // PEM files for mutual TLS
  std::string user, password;        // basic authentication, or with aws_sigv4 the access key
  std::string aws_sigv4;             // "aws:amz:REGION:SERVICE": signed with Signature Version 4
  std::stop_token stop;              // ends it early, as an error; without one that of the thread does (stop_scope.hpp)
  Duration timeout = std::chrono::seconds(5);
  std::size_t largest_reply = std::size_t{16} << 20U;
};
struct HttpReply {
  long status = 0;
  std::string body;
  std::map<std::string, std::string> headers;  // names in lower case
  Duration took{};                             // from the connection on to the last byte
};

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

// Many at once in one thread, each with a warm connection of its own: request i always goes over connection i.
class HttpCrowd {
 public:
  explicit HttpCrowd(std::size_t size);
  ~HttpCrowd();
  HttpCrowd(HttpCrowd&&) noexcept;
  HttpCrowd& operator=(HttpCrowd&&) noexcept;
  [[nodiscard]] std::size_t size() const;
  // As many requests as its size; as many replies or errors. Over when the last is, each after its own timeout at most.
  std::vector<Result<HttpReply>> send(const std::vector<HttpRequest>& requests, const std::stop_token& stop = {});

 private:
  struct Handles;
  std::unique_ptr<Handles> handles_;
};

}  // namespace arashi
