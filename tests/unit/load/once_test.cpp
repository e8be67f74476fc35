// Each request is sent at most once, whatever becomes of its connection. libcurl by itself sends one again on a new connection when a kept
// one dies before the first byte of the answer, whatever its method.
#include "experiments/load/multi.hpp"
#include "tests/support/child.hpp"
#include "tests/support/http_server.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <set>
#include <thread>

using namespace arashi;
using namespace arashi::load;
using namespace std::chrono_literals;
using testing::Answered;
using testing::Asked;
using testing::HttpServer;

namespace {

// The ids that a server was sent.
class Seen {
 public:
  void add(const std::string& id) {
    const std::lock_guard lock(mutex_);
    ids_.insert(id);
  }
  [[nodiscard]] std::multiset<std::string> ids() const {
    const std::lock_guard lock(mutex_);
    return ids_;
  }

 private:
  mutable std::mutex mutex_;
  std::multiset<std::string> ids_;
};

std::unique_ptr<Multi> make(const spec::Load& load) {
  auto requests = Requests::make(load, {1, 2});
  REQUIRE_MESSAGE(requests, requests.error().message);
  auto multi = Multi::make(load, std::make_shared<const Requests>(std::move(*requests)), {.connections = 4, .patience = {}});
  REQUIRE_MESSAGE(multi, multi.error().message);
  return std::move(*multi);
}

spec::Load post_to(const std::string& url) {
  spec::Load load;
  load.name = "orders";
  load.method = "POST";
  load.url = url;
  load.body = "order {{request}}";
  load.rate = {10};
  return load;
}

// One request after the other; which of them were good.
std::vector<bool> send(Multi& multi, std::uint64_t count, Duration pause = {}) {
  std::vector<bool> good;
  for (std::uint64_t request = 0; request < count; ++request) {
    REQUIRE(multi.begin(request, boot_now()));
    std::vector<Finished> finished;
    for (const Duration until = boot_now() + 20s; finished.empty() && boot_now() < until; multi.take(finished)) multi.wait(until);
    REQUIRE(finished.size() == 1);
    CHECK(finished[0].request == request);
    good.push_back(finished[0].answer == Answer::good);
    for (const Duration until = boot_now() + pause; boot_now() < until;) multi.wait(until);
  }
  return good;
}

// A server of HTTP/2 in clear text that answers each request with these frames, and closes.
class FrameServer {
 public:
  explicit FrameServer(std::string answer) : answer_(std::move(answer)), listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    REQUIRE(::bind(listener_.get(), generic, size) == 0);
    REQUIRE(::listen(listener_.get(), 64) == 0);
    REQUIRE(::getsockname(listener_.get(), generic, &size) == 0);
    url = "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port)) + "/";
    thread_ = std::thread([this] {
      for (Fd client; (client = Fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC)));) serve(client.get());
    });
  }
  ~FrameServer() {
    ::shutdown(listener_.get(), SHUT_RDWR);
    thread_.join();
  }
  FrameServer(const FrameServer&) = delete;
  FrameServer& operator=(const FrameServer&) = delete;
  std::string url;
  std::atomic<int> requests = 0;

 private:
  static std::string read(int fd, std::size_t size) {
    std::string data(size, '\0');
    const auto got = ::recv(fd, data.data(), size, MSG_WAITALL);
    data.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return data;
  }
  void serve(int fd) {
    constexpr std::size_t preface = 24, head = 9;
    constexpr char headers = 1;
    read(fd, preface);
    const std::string settings("\0\0\0\4\0\0\0\0\0", head);
    ::send(fd, settings.data(), settings.size(), MSG_NOSIGNAL);
    for (std::string frame; (frame = read(fd, head)).size() == head;) {
      const auto byte = [&](std::size_t at) { return static_cast<std::size_t>(static_cast<unsigned char>(frame[at])); };
      read(fd, byte(0) << 16U | byte(1) << 8U | byte(2));
      if (frame[3] != headers) continue;
      ++requests;
      ::send(fd, answer_.data(), answer_.size(), MSG_NOSIGNAL);
      if (answer_.empty() || answer_[3] == 7) return;
    }
  }

  std::string answer_;
  Fd listener_;
  std::thread thread_;
};

void check_each_once(const std::multiset<std::string>& ids, std::size_t count) {
  CHECK(ids.size() == count);
  CHECK(std::set<std::string>(ids.begin(), ids.end()).size() == count);
}

}  // namespace

TEST_CASE("a request whose kept connection dies before the answer is bad, and is not sent again") {
  for (const bool reset : {false, true}) {
    CAPTURE(reset);
    Seen seen;
    HttpServer server([&](const Asked& asked) {
      seen.add(asked.body);
      return Answered{.cut = asked.of_connection == 2, .reset = reset};
    });
    const auto multi = make(post_to(server.url()));
    const auto good = send(*multi, 20);
    for (std::size_t i = 0; i < good.size(); ++i) CHECK(good[i] == (i % 2 == 0));
    check_each_once(seen.ids(), 20);
    CHECK(server.connections() == 10);
  }
}

TEST_CASE("a kept connection that was reset while idle costs no request, and none is sent twice") {
  Seen seen;
  HttpServer server([&](const Asked& asked) {
    seen.add(asked.body);
    return Answered{.reset_later = 1ms};
  });
  const auto multi = make(post_to(server.url()));
  const auto good = send(*multi, 30, 60ms);
  CHECK(std::count(good.begin(), good.end(), true) >= 29);  // a machine that is busy enough may send between the look and the reset
  check_each_once(seen.ids(), static_cast<std::size_t>(std::count(good.begin(), good.end(), true)));
}

TEST_CASE("what a server says unasked on a kept connection is no answer to the next request") {
  Seen seen;
  HttpServer server([&](const Asked& asked) {
    seen.add(asked.body);
    return Answered{.then = "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n"};
  });
  const auto multi = make(post_to(server.url()));
  const auto good = send(*multi, 10, 60ms);
  CHECK(std::count(good.begin(), good.end(), true) == 10);
  check_each_once(seen.ids(), 10);
}

TEST_CASE("a stream that a server of HTTP/2 refuses, or leaves behind with GOAWAY, is bad and is not sent again") {
  const std::string answers[] = {
      std::string("\0\0\4\3\0\0\0\0\1\0\0\0\7", 13),           // RST_STREAM of stream 1: REFUSED_STREAM
      std::string("\0\0\10\7\0\0\0\0\0\0\0\0\0\0\0\0\0", 17),  // GOAWAY: no stream was or will be processed
      "",                                                      // the connection ends
  };
  for (const auto& answer : answers) {
    CAPTURE(answer.size());
    FrameServer server(answer);
    auto load = post_to(server.url);
    load.http = spec::Http::two_in_clear;
    load.timeout = 5s;
    const auto multi = make(load);
    const auto good = send(*multi, 5);
    CHECK(std::count(good.begin(), good.end(), true) == 0);
    CHECK(server.requests == 5);
  }
}
