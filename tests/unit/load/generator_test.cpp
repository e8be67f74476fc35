#include "experiments/load/load.hpp"
#include "tests/support/child.hpp"
#include "tests/support/http_server.hpp"

#include <doctest/doctest.h>

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <set>
#include <thread>

using namespace arashi;
using namespace std::chrono_literals;
using testing::Answered;
using testing::Asked;
using testing::HttpServer;

namespace {

spec::Load load_to(const std::string& url, double rate, Duration timeout = 5s) {
  spec::Load load;
  load.name = "checkout";
  load.url = url;
  load.rate = {rate};
  load.timeout = timeout;
  return load;
}

std::unique_ptr<load::Generator> start(const spec::Load& load, Duration latency, Duration epoch = boot_now()) {
  auto generator = load::Generator::start(load, {latency}, epoch);
  REQUIRE_MESSAGE(generator, generator.error().message);
  return std::move(generator).value();
}

struct Counted {
  std::uint64_t total = 0, bad = 0;
};

Counted take(load::Generator& generator, std::vector<guard::Slice>* all = nullptr) {
  Counted counted;
  for (const auto& slice : generator.drain()) {
    counted.total += slice.total;
    counted.bad += slice.bad;
    if (all != nullptr) all->push_back(slice);
  }
  return counted;
}

// The first so many seconds that are closed, however busy the machine is meanwhile.
std::vector<guard::Slice> first_slices(load::Generator& generator, std::size_t count, Duration latency = {}) {
  std::vector<guard::Slice> slices;
  const auto all_there = [&] {
    for (const auto& slice : latency > Duration{} ? generator.drain(latency) : generator.drain()) slices.push_back(slice);
    return slices.size() >= count;
  };
  REQUIRE(testing::eventually(all_there, 20s));
  return slices;
}

}  // namespace

TEST_CASE("a healthy target gives good requests at the intended rate, over few connections") {
  std::atomic<int> asked = 0;
  HttpServer server([&](const Asked&) {
    ++asked;
    return Answered{};
  });
  const auto generator = start(load_to(server.url("/buy"), 200), 2s);
  const auto slices = first_slices(*generator, 2);
  generator->stop();
  CHECK(slices[0].total == 200);
  CHECK(slices[1].total == 200);
  CHECK(slices[0].bad == 0);
  CHECK(slices[0].end - slices[0].begin == 1s);
  CHECK(slices[1].begin == slices[0].end);
  CHECK(slices[0].newest == slices[0].end);
  const auto summary = generator->summary();
  CHECK(summary.bad == 0);
  CHECK(summary.rate_achieved == doctest::Approx(200).epsilon(0.02));
  CHECK(summary.total <= static_cast<std::uint64_t>(asked));
  CHECK(summary.seconds[0].good == 200);
  CHECK(summary.seconds[0].p50 > 0ms);
  CHECK(server.connections() * 2 < asked);  // a busy machine opens some more
  CHECK_FALSE(summary.first_bad);
}

TEST_CASE("requests that hang are counted bad while the target stalls, not after it") {
  std::atomic<bool> stalled = false;
  HttpServer server([&](const Asked&) { return Answered{.after = stalled ? Duration(20s) : Duration(0)}; });
  const Duration epoch = boot_now();
  const auto generator = start(load_to(server.url(), 100, 10s), 500ms, epoch);
  std::this_thread::sleep_for(1000ms);
  stalled = true;
  const Duration stall = boot_now() - epoch;
  std::vector<guard::Slice> slices;
  // Long before the end of a stall of 20 s at least one whole second of it is closed, and all bad.
  const auto is_whole = [&](const guard::Slice& slice) { return slice.begin > stall; };
  const auto closed = [&] { return (take(*generator, &slices), std::ranges::any_of(slices, is_whole)); };
  CHECK(testing::eventually(closed, 12s));
  for (const auto& slice : slices)
    if (is_whole(slice)) {
      CHECK(slice.total == 100);
      CHECK(slice.bad == 100);
    }
  const auto summary = generator->summary();
  REQUIRE(summary.first_bad);
  CHECK(*summary.first_bad > stall);
  CHECK(*summary.first_bad < stall + 500ms + 4s);
  generator->stop();
}

TEST_CASE("a request counts once, however late its answer comes") {
  HttpServer server([](const Asked&) { return Answered{.after = 400ms}; });
  const Duration begun = boot_now();
  const auto generator = start(load_to(server.url(), 50), 100ms);
  Counted counted;
  for (const auto& slice : first_slices(*generator, 2)) {
    counted.total += slice.total;
    counted.bad += slice.bad;
  }
  generator->stop();
  const double took = seconds(boot_now() - begun);
  const auto rest = take(*generator);
  const auto summary = generator->summary();
  CHECK(counted.total + rest.total == summary.total);
  CHECK(counted.bad + rest.bad == summary.bad);
  CHECK(summary.bad == summary.total);
  CHECK(static_cast<double>(summary.total) <= 50 * took + 1);
  CHECK(summary.seconds[0].slow == 50);
  CHECK(summary.seconds[0].failed == 0);
  CHECK(summary.seconds[0].p50 >= 390ms);  // the true latency, although it was counted at 100 ms
}

TEST_CASE("statuses from 400, cut connections and refused connections are failures") {
  HttpServer server([](const Asked& asked) {
    if (asked.target == "/missing") return Answered{.status = 404};
    if (asked.target == "/broken") return Answered{.status = 503};
    if (asked.target == "/moved") return Answered{.status = 302, .headers = "Location: /elsewhere\r\n"};
    return Answered{.cut = asked.target == "/cut"};
  });
  struct Case {
    std::string url;
    bool bad;
  };
  const Case cases[] = {{server.url("/missing"), true}, {server.url("/broken"), true},
                        {server.url("/cut"), true},     {"http://127.0.0.1:" + std::to_string(testing::free_port()) + "/", true},
                        {server.url("/moved"), false},  {server.url("/"), false}};
  for (const Case& each : cases) {
    CAPTURE(each.url);
    const auto generator = start(load_to(each.url, 50), 0s);
    CHECK(testing::eventually([&] { return generator->summary().total > 10; }, 20s));
    generator->stop();
    const auto summary = generator->summary();
    CHECK(summary.bad == (each.bad ? summary.total : 0));
  }
}

TEST_CASE("with all connections busy a request waits and its age runs") {
  HttpServer server([](const Asked&) { return Answered{.after = 10s}; });
  auto load = load_to(server.url(), 50, 5s);
  load.connections = 2;
  const auto generator = start(load, 100ms);
  const auto counted = first_slices(*generator, 1).front();
  CHECK(counted.total == 50);
  CHECK(counted.bad == 50);
  CHECK(server.connections() == 2);
  generator->stop();
  CHECK(generator->summary().seconds[0].started == 2);
}

TEST_CASE("with no latency threshold a hung request is bad at its timeout") {
  HttpServer server([](const Asked&) { return Answered{.after = 10s}; });
  const auto generator = start(load_to(server.url(), 20, 300ms), 0s);
  const auto counted = first_slices(*generator, 1).front();
  CHECK(counted.total == 20);
  CHECK(counted.bad == 20);
  generator->stop();
  CHECK(generator->summary().seconds[0].failed == 20);
}

TEST_CASE("stopping leaves out what is young and undecided, and can be done twice") {
  HttpServer server([](const Asked&) { return Answered{.after = 20s}; });
  const auto generator = start(load_to(server.url(), 100, 30s), 10s);
  std::this_thread::sleep_for(300ms);
  generator->stop();
  generator->stop();
  CHECK(generator->drain().empty());
  CHECK(generator->summary().total == 0);
  CHECK(generator->summary().bad == 0);
}

TEST_CASE("method, headers and body reach the target") {
  std::mutex mutex;
  Asked seen;
  HttpServer server([&](const Asked& asked) {
    const std::lock_guard lock(mutex);
    seen = asked;
    return Answered{};
  });
  auto load = load_to(server.url("/transfer?x=1"), 20);
  load.method = "POST";
  load.body = R"({"amount": 5})";
  load.headers = {{"Content-Type", "application/json"}, {"X-Tag", "arashi"}};
  const auto generator = start(load, 1s);
  const auto asked = [&] {
    const std::lock_guard lock(mutex);
    return !seen.method.empty();
  };
  CHECK(testing::eventually(asked, 20s));
  generator->stop();
  const std::lock_guard lock(mutex);
  CHECK(seen.method == "POST");
  CHECK(seen.target == "/transfer?x=1");
  CHECK(seen.body == load.body);
  CHECK(seen.head.find("Content-Type: application/json") != std::string::npos);
  CHECK(seen.head.find("X-Tag: arashi") != std::string::npos);
}

// No coordinated omission: the percentiles are those of a server that stands still for a second, computed from its script.
TEST_CASE("latencies of a scripted stall are those that the script makes") {
  const Duration begin = boot_now(), stall = begin + 1500ms, over = stall + 1s;
  HttpServer server([&](const Asked&) {
    const Duration now = boot_now();
    return Answered{.after = now >= stall && now < over ? over - now : Duration{}};
  });
  constexpr double rate = 100;
  const Duration start_of_load = boot_now();
  const auto generator = start(load_to(server.url(), rate), 300ms);
  std::this_thread::sleep_for(start_of_load + 5s - boot_now());
  generator->stop();
  const auto summary = generator->summary();
  std::vector<Duration> truth;
  std::uint64_t slow = 0;
  for (int i = 0; i < 5 * 100; ++i) {
    const Duration at = start_of_load + i * 10ms;
    truth.push_back(at >= stall && at < over ? over - at : Duration{});
    slow += truth.back() > 300ms ? 1 : 0;
  }
  std::ranges::sort(truth);
  const auto quantile = [&](double q) { return seconds(truth[static_cast<std::size_t>(std::ceil(q * 500)) - 1]); };
  constexpr double close =
      0.25;  // seconds, which a busy machine may take; a closed loop of wrk's kind would be off by 0.9 at p99 and by 0.5 at p90
  CHECK(seconds(summary.latencies.p50) < close);
  CHECK(std::abs(seconds(summary.latencies.p90) - quantile(0.9)) < close);
  CHECK(std::abs(seconds(summary.latencies.p99) - quantile(0.99)) < close);
  CHECK(std::abs(seconds(summary.latencies.most) - quantile(1)) < close);
  CHECK(std::abs(static_cast<double>(summary.bad) - static_cast<double>(slow)) <= rate * close);
  CHECK(summary.total >= 470);
}

TEST_CASE("SLOs of different latencies share one load") {
  HttpServer server([](const Asked&) { return Answered{.after = 100ms}; });
  const auto made = load::Generator::start(load_to(server.url(), 50), {2s, 50ms}, boot_now());
  REQUIRE_MESSAGE(made, made.error().message);
  const auto& generator = *made;
  const auto loose = first_slices(*generator, 1, 2s), strict = first_slices(*generator, 1, 50ms);
  generator->stop();
  CHECK(loose[0].total == 50);
  CHECK(loose[0].bad == 0);
  CHECK(strict[0].total == 50);
  CHECK(strict[0].bad == 50);
}

TEST_CASE("several threads share one load, each request is sent once") {
  std::mutex mutex;
  std::multiset<std::string> seen;
  HttpServer server([&](const Asked& asked) {
    const std::lock_guard lock(mutex);
    seen.insert(asked.target);
    return Answered{};
  });
  auto load = load_to(server.url("/{{request}}"), 200);
  load.arrivals.stages = {{{200}, 1h}, {{100'000}, 0s}};  // the rate it may come to asks for several threads
  load.connections = 8;
  const auto generator = start(load, 0s);
  CHECK(testing::eventually([&] { return generator->summary().total > 350; }, 20s));
  generator->stop();
  const auto summary = generator->summary();
  const std::lock_guard lock(mutex);
  CHECK(seen.size() == std::set<std::string>(seen.begin(), seen.end()).size());
  CHECK(summary.bad == 0);
  CHECK(summary.total >= seen.size() - 8);
  CHECK(summary.total <= seen.size());
}

TEST_CASE("what cannot be requested is refused with its reason") {
  const auto refuse = [](spec::Load load, const std::string& word) {
    CAPTURE(load.url);
    const auto generator = load::Generator::start(load, {1s}, 0s);
    REQUIRE_FALSE(generator);
    CHECK(generator.error().blame == Blame::input);
    CHECK_MESSAGE(generator.error().message.find(word) != std::string::npos, generator.error().message);
  };
  refuse(load_to("10.0.0.1/checkout", 1), "URL");
  refuse(load_to("", 1), "URL");
  refuse(load_to("ftp://127.0.0.1/", 1), "http://");
  refuse(load_to("http://", 1), "URL");
  refuse(load_to("http://127.0.0.1/", 0), "rate");
  refuse(load_to("http://127.0.0.1/", 1, 0s), "timeout");
  auto load = load_to("http://127.0.0.1/", 1);
  load.headers = {{"X-A", "b\r\nX-Evil: 1"}};
  refuse(load, "header");
  load = load_to("http://127.0.0.1/", 1);
  load.method = "get";
  refuse(load, "method");
}

TEST_CASE("what the runner itself cannot send is told from the service's failures") {
  SUBCASE("a name that does not resolve here") {
    const auto generator = start(load_to("http://no-such-host.invalid/", 20), 300ms);
    const auto slice = first_slices(*generator, 1).front();
    generator->stop();
    CHECK(slice.bad == 0);
    CHECK(slice.ours + slice.total == 20);
    CHECK(slice.problem.find("does not resolve") != std::string::npos);
  }
  SUBCASE("no descriptor is left") {
    HttpServer server([](const Asked&) { return Answered{.after = 20s}; });
    rlimit before{};
    ::getrlimit(RLIMIT_NOFILE, &before);
    const auto generator = start(load_to(server.url(), 20), 0s);
    rlimit few = before;
    few.rlim_cur = 3;
    ::setrlimit(RLIMIT_NOFILE, &few);
    const bool noticed = testing::eventually([&] { return !generator->summary().not_sent.empty(); }, 20s);
    ::setrlimit(RLIMIT_NOFILE, &before);
    generator->stop();
    CHECK(noticed);
    CHECK(generator->summary().failures.empty());
    CHECK(generator->summary().not_sent.begin()->first.find("no socket could be opened here") == 0);
  }
}

// A child process is the runner here; its parent stops it for three seconds, as SIGSTOP or a frozen virtual machine does.
TEST_CASE("a runner that stood still calls no request of a healthy service bad") {
  HttpServer server([](const Asked&) { return Answered{}; });
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    const Duration epoch = boot_now();
    auto generator = load::Generator::start(load_to(server.url(), 50), {300ms}, epoch);
    if (!generator) ::_exit(100);
    std::this_thread::sleep_for(5s);
    (*generator)->stop();
    const auto summary = (*generator)->summary();
    if (summary.bad > 0) ::_exit(101);
    ::_exit(summary.not_sent.empty() ? 102 : 0);
  }
  std::this_thread::sleep_for(1s);
  ::kill(child, SIGSTOP);
  std::this_thread::sleep_for(3s);
  ::kill(child, SIGCONT);
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}
