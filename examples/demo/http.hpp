// As much of HTTP/1.1 as a small service behind a proxy needs: blocking, one thread per kept-alive connection.
#pragma once

#include <functional>
#include <map>
#include <string>

namespace demo {

struct Request {
  std::string method, path, body;
  std::map<std::string, std::string> headers;  // names in lower case
};

struct Answer {
  int status = 200;
  std::string body;
  std::string type = "application/json";
};

using Handler = std::function<Answer(const Request&)>;

// Listens on [::]:port (IPv4 too) and serves until the process ends; returns only when it cannot listen, with the reason.
std::string serve(int port, const Handler& handler);

}  // namespace demo
