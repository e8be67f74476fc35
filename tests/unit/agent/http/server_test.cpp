#include "agent/http/server.hpp"

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <thread>

#include "agent/http/ask.hpp"
#include "injector/core/fd.hpp"

using namespace arashi;
using namespace std::chrono_literals;

namespace {

// Echoes; "/stop" ends it.
class Echo {
 public:
  explicit Echo(http::Limits limits = {})
      : server_(limits, [this](const http::Request& request, const http::Respond& respond) { answer(request, respond); }) {
    const auto listening = server_.listen_unix(path, 0600);
    REQUIRE_MESSAGE(listening.has_value(), listening.error().message);
    thread_ = std::jthread([this] { server_.run(); });
  }
  ~Echo() {
    (void)http::ask(path, "POST", "/stop", "", 5s);
    if (thread_.joinable()) thread_.join();
    unlink(path.c_str());
  }
  const std::string path = "/tmp/arashi-http-" + std::to_string(getpid()) + ".sock";

 private:
  void answer(const http::Request& request, const http::Respond& respond) {
    if (request.target == "/stop") server_.stop();
    respond({.status = request.target == "/teapot" ? 418 : 200, .body = request.method + " " + request.target + " " + request.body});
  }
  http::Server server_;
  std::jthread thread_;
};

Fd connect_to(const std::string& path) {
  Fd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  REQUIRE(connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  return fd;
}

// Sends raw bytes and returns all that comes until the server closes.
std::string raw(const Fd& fd, const std::string& bytes) {
  (void)send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  std::string all(65536, '\0');
  std::size_t size = 0;
  ssize_t got = 0;
  while (size < all.size() && (got = read(fd.get(), all.data() + size, all.size() - size)) > 0) size += static_cast<std::size_t>(got);
  all.resize(size);
  return all;
}

}  // namespace

TEST_CASE("a question over the unix socket is answered with what the handler said") {
  const Echo echo;
  const auto reply = http::ask(echo.path, "POST", "/x?y", "body", 5s);
  REQUIRE_MESSAGE(reply.has_value(), reply.error().message);
  CHECK(reply->status == 200);
  CHECK(reply->body == "POST /x?y body");
  CHECK(http::ask(echo.path, "GET", "/teapot", "", 5s)->status == 418);
}

TEST_CASE("only the owner may open the socket") {
  const Echo echo;
  struct stat info {};
  REQUIRE(stat(echo.path.c_str(), &info) == 0);
  CHECK((info.st_mode & 0777U) == 0600);
}

TEST_CASE("a connection is kept for the next request") {
  const Echo echo;
  const auto fd = connect_to(echo.path);
  const auto all = raw(fd, "GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  CHECK(all.find("GET /1 ") != std::string::npos);
  CHECK(all.find("GET /2 ") != std::string::npos);
}

TEST_CASE("a body or a header that is too long is refused by name, what is no HTTP too, and the next peer is served") {
  const Echo echo({.body = 1000, .header = 2000});
  CHECK(raw(connect_to(echo.path), "POST / HTTP/1.1\r\nContent-Length: 1001\r\n\r\n").find("413") != std::string::npos);
  CHECK(raw(connect_to(echo.path), "GET / HTTP/1.1\r\nX: " + std::string(3000, 'x') + "\r\n\r\n").find("431") != std::string::npos);
  CHECK(raw(connect_to(echo.path), "\x16\x03\x01 this is TLS\r\n\r\n").find(" 400 ") != std::string::npos);
  CHECK(raw(connect_to(echo.path), "POST / HTTP/1.1\r\nContent-Length: -5\r\n\r\n").find(" 400 ") != std::string::npos);
  CHECK(http::ask(echo.path, "GET", "/", "", 5s)->status == 200);
}

TEST_CASE("a peer that sends its request a byte at a time, or nothing, loses its seat") {
  const Echo echo({.connections = 1, .request = 50ms, .idle = 50ms});
  const auto slow = connect_to(echo.path);
  REQUIRE(send(slow.get(), "GET", 3, MSG_NOSIGNAL) == 3);
  // There is one seat: this is answered only because the slow one is put out.
  const auto reply = http::ask(echo.path, "GET", "/", "", 10s);
  REQUIRE_MESSAGE(reply.has_value(), reply.error().message);
  CHECK(reply->status == 200);
  const auto silent = connect_to(echo.path);
  CHECK(raw(silent, "").empty());
}

TEST_CASE("a peer that leaves in the middle of a request is forgotten") {
  const Echo echo;
  for (int index = 0; index < 20; ++index) {
    const auto fd = connect_to(echo.path);
    (void)send(fd.get(), "POST / HTTP/1.1\r\nContent-Length: 50\r\n\r\nhalf", 44, MSG_NOSIGNAL);
  }
  CHECK(http::ask(echo.path, "GET", "/", "", 5s)->status == 200);
}

TEST_CASE("a served socket is not taken over, an abandoned one is") {
  http::Server other({}, [](const http::Request&, const http::Respond& respond) { respond({}); });
  std::string path;
  {
    const Echo echo;
    path = echo.path;
    const auto taken = other.listen_unix(path, 0600);
    REQUIRE_FALSE(taken.has_value());
    CHECK(taken.error().blame == Blame::refused);
  }
  const Fd abandoned(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  REQUIRE(bind(abandoned.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  CHECK(other.listen_unix(path, 0600).has_value());
  unlink(path.c_str());
}

TEST_CASE("what cannot be listened on or asked says why") {
  http::Server server({}, [](const http::Request&, const http::Respond&) {});
  CHECK(server.listen_unix("/no/such/directory/socket", 0600).error().message.find("/no/such/directory/socket") != std::string::npos);
  CHECK(server.listen_unix(std::string(200, 'x'), 0600).error().blame == Blame::input);
  CHECK(server.listen_tcp("not an address", 1, std::nullopt).error().blame == Blame::input);
  CHECK(server.listen_tcp("127.0.0.1", 0, http::Tls{.ca = "no", .certificate = "no", .key = "no"}).error().blame == Blame::input);
  CHECK(server.listen_tcp("127.0.0.1", 0, std::nullopt).value().starts_with("127.0.0.1:"));
  const auto reply = http::ask("/tmp/no-such-arashi.sock", "GET", "/", "", 1s);
  REQUIRE_FALSE(reply.has_value());
  CHECK(reply.error().blame == Blame::missing);
}
