#include "experiments/http_client.hpp"

#include "experiments/stop_scope.hpp"
#include "injector/core/fd.hpp"
#include "tests/support/http_server.hpp"

#include <netinet/in.h>
#include <sys/socket.h>

#include <doctest/doctest.h>

#include <filesystem>
#include <thread>

using namespace arashi;
using namespace std::chrono_literals;
using testing::Answered;
using testing::Asked;
using testing::HttpServer;

namespace {

Answered echo(const Asked& asked) {
  if (asked.target == "/slow") return {.after = 20s};
  if (asked.target == "/cut") return {.cut = true};
  if (asked.target == "/big") return {.body = std::string(100'000, 'x')};
  if (asked.target == "/broken") return {.status = 503, .body = "later", .headers = "Retry-After: 7\r\nX-Two: a\r\nX-Two: b\r\n"};
  return {.body = asked.head + "\n" + asked.body};
}

}  // namespace

TEST_CASE("method, headers and body are sent, and the connection stays warm") {
  HttpServer server(echo);
  HttpClient client;
  for (int i = 0; i < 3; ++i) {
    const auto reply = client.send({.method = "PUT", .url = server.url("/x"), .body = "text", .headers = {{"X-Tag", "1"}, {"X-None", ""}}});
    REQUIRE_MESSAGE(reply, reply.error().message);
    CHECK(reply->status == 200);
    CHECK(reply->body.starts_with("PUT /x HTTP/1.1"));
    CHECK(reply->body.find("X-Tag: 1\r\n") != std::string::npos);
    CHECK(reply->body.find("X-None:") != std::string::npos);
    CHECK(reply->body.ends_with("\ntext"));
  }
  CHECK(client.send({.url = server.url("/y")})->body.starts_with("GET /y"));
  CHECK(server.connections() == 1);
}

TEST_CASE("any status is an answer, and header names are in lower case") {
  HttpServer server(echo);
  HttpClient client;
  const auto reply = client.send({.url = server.url("/broken")});
  REQUIRE(reply);
  CHECK(reply->status == 503);
  CHECK(reply->body == "later");
  CHECK(reply->headers.at("retry-after") == "7");
  CHECK(reply->headers.at("x-two") == "a, b");
}

TEST_CASE("no answer is an error that names the URL and the reason") {
  HttpServer server(echo);
  HttpClient client;
  const auto expect = [&](const HttpRequest& request, const std::string& word) {
    const auto reply = client.send(request);
    REQUIRE_FALSE(reply);
    CHECK_MESSAGE(reply.error().message.find(request.url) != std::string::npos, reply.error().message);
    CHECK_MESSAGE(reply.error().message.find(word) != std::string::npos, reply.error().message);
  };
  const auto begin = boot_now();
  expect({.url = server.url("/slow"), .timeout = 100ms}, "timed out");
  CHECK(boot_now() - begin < 10s);
  expect({.url = server.url("/cut")}, "");
  expect({.url = server.url("/big"), .largest_reply = 99'999}, "larger than");
  CHECK(client.send({.url = server.url("/big"), .largest_reply = 100'000}));
  expect({.url = "http://127.0.0.1:" + std::to_string(testing::free_port()) + "/"}, "connect");
  expect({.url = "127.0.0.1/x"}, "http://");
  expect({.url = "file:///etc/passwd"}, "http://");
}

TEST_CASE("a header cannot smuggle another, and a method is a word") {
  HttpClient client;
  CHECK(client.send({.url = "http://127.0.0.1/", .headers = {{"X", "a\r\nY: b"}}}).error().blame == Blame::input);
  CHECK(client.send({.url = "http://127.0.0.1/", .headers = {{"X: y\r\nZ", "a"}}}).error().blame == Blame::input);
  CHECK(client.send({.method = "GET / HTTP/1.1\r\n", .url = "http://127.0.0.1/"}).error().blame == Blame::input);
}

TEST_CASE("a proxy in the environment is not used") {
  HttpServer server(echo);
  ::setenv("http_proxy", "http://127.0.0.1:1", 1);
  ::setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
  HttpClient client;
  const auto reply = client.send({.url = server.url()});
  ::unsetenv("http_proxy");
  ::unsetenv("ALL_PROXY");
  CHECK_MESSAGE(reply, reply.error().message);
}

TEST_CASE("a unix socket takes the place of the URL's host") {
  const auto path = "/tmp/arashi-http-client-" + std::to_string(::getpid()) + ".sock";
  {
    HttpServer server(echo, path);
    HttpClient client;
    const auto reply = client.send({.url = "http://agent/v1/status", .unix_socket = path});
    CHECK_MESSAGE(reply, reply.error().message);
    if (reply) CHECK(reply->body.starts_with("GET /v1/status"));
  }
  std::filesystem::remove(path);
  HttpClient client;
  const auto reply = client.send({.url = "http://agent/", .unix_socket = path});
  REQUIRE_FALSE(reply);
}

TEST_CASE("what a thread waits for ends when its scope is asked to stop, and only then") {
  HttpServer server(echo);
  Fd silent(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{.sin_family = AF_INET, .sin_port = 0, .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_zero = {}};
  socklen_t length = sizeof address;
  REQUIRE(::bind(silent.get(), reinterpret_cast<const sockaddr*>(&address), length) == 0);
  REQUIRE(::listen(silent.get(), 8) == 0);
  REQUIRE(::getsockname(silent.get(), reinterpret_cast<sockaddr*>(&address), &length) == 0);
  const std::string nowhere = "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port)) + "/";
  std::stop_source stop;
  HttpClient client;
  std::string problem;
  bool before = false, after = false;
  {
    std::jthread thread([&] {
      const StopScope scope(stop.get_token());
      before = client.send({.url = server.url()}).has_value() && client.send({.url = server.url()}).has_value();
      const auto reply = client.send({.url = nowhere, .timeout = std::chrono::seconds(100)});
      if (!reply) problem = reply.error().message;
    });
    const Fd peer(::accept4(silent.get(), nullptr, nullptr, SOCK_CLOEXEC));  // it waits for an answer now
    stop.request_stop();
    const Duration asked = boot_now();
    thread.join();
    CHECK(boot_now() - asked < std::chrono::seconds(20));
  }
  after = client.send({.url = server.url()}).has_value();  // a thread without a scope, and the same client
  CHECK(before);
  CHECK(after);
  CHECK(problem.find(nowhere) != std::string::npos);
}
