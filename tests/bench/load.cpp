// The load generator beside wrk and hey: the error of the intended rate, requests per second of processor time against one nginx on
// loopback, and latencies of a server that stands still for a second, of which the truth is known.
#include "experiments/load/load.hpp"
#include "injector/host/command.hpp"
#include "tests/support/http_server.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <thread>

namespace arashi {
namespace {

using namespace std::chrono_literals;

[[noreturn]] void give_up(const std::string& why) {
  std::fprintf(stderr, "%s\n", why.c_str());
  std::exit(1);
}

double processor_seconds(int whose) {
  rusage usage{};
  ::getrusage(whose, &usage);
  const auto of = [](const timeval& t) { return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6; };
  return of(usage.ru_utime) + of(usage.ru_stime);
}

class Nginx {
 public:
  Nginx() : port_(testing::free_port()), child_(start()) {}
  ~Nginx() {
    child_.end();
    std::filesystem::remove_all(directory_);
  }
  Nginx(const Nginx&) = delete;
  Nginx& operator=(const Nginx&) = delete;
  [[nodiscard]] std::string url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/"; }

 private:
  Child start() {
    std::string name = "/tmp/arashi-bench-XXXXXX";
    if (::mkdtemp(name.data()) == nullptr) give_up("mkdtemp");
    directory_ = name;
    std::ofstream(directory_ / "nginx.conf") << "daemon off; master_process off; pid " << name << "/pid; error_log " << name << "/error;\n"
                                             << "events { worker_connections 4096; }\n"
                                             << "http { access_log off; keepalive_requests 100000000; server { listen 127.0.0.1:" << port_
                                             << " backlog=4096; location / { return 200 ok; } } }\n";
    auto child = Child::start({.argv = {"/usr/sbin/nginx", "-p", name, "-c", name + "/nginx.conf"}});
    if (!child) give_up(child.error().message);
    return std::move(child).value();
  }
  int port_;
  std::filesystem::path directory_;
  Child child_;
};

struct Shot {
  load::Summary summary;
  std::uint64_t good = 0;
  double processor = 0;  // seconds
};

Shot shoot(const std::string& url, double rate, int connections, Duration time) {
  spec::Load load;
  load.name = "bench";
  load.url = url;
  load.rate = {rate};
  load.connections = connections;
  const double before = processor_seconds(RUSAGE_SELF);
  auto generator = load::Generator::start(load, {0s}, boot_now());
  if (!generator) give_up(generator.error().message);
  std::this_thread::sleep_for(time);
  (*generator)->stop();
  Shot shot{(*generator)->summary(), 0, processor_seconds(RUSAGE_SELF) - before};
  for (const auto& second : shot.summary.seconds) shot.good += second.good;
  return shot;
}

void show_rate(const std::string& url, double rate) {
  const Shot shot = shoot(url, rate, 0, 5s);
  const double error = (shot.summary.rate_achieved - rate) / rate;
  std::printf("%8.0f/s intended: %10.2f/s achieved, error %+.4f %% (hold: 0.1 %%), %llu bad, p99 %.2f ms\n", rate,
              shot.summary.rate_achieved, error * 100, static_cast<unsigned long long>(shot.summary.bad),
              seconds(shot.summary.latencies.p99) * 1e3);
}

// What another generator printed; nothing where it is not installed.
std::optional<std::string> ask(const std::vector<std::string>& argv) {
  const auto ran = run_command({.argv = argv}, 30s, 1 << 20);
  if (ran && ran->exit_code == 0) return ran->output;
  std::printf("  %s: missing or failed (it is a Debian package of that name); its row is left out\n", argv.front().c_str());
  return std::nullopt;
}

// The number that stands before or behind a word.
std::optional<double> number_behind(const std::string& text, const std::string& word) {
  const auto at = text.find(word);
  return at == std::string::npos ? std::nullopt : std::optional(std::strtod(text.c_str() + at + word.size(), nullptr));
}

double requests_of_wrk(const std::string& output) {
  const auto at = output.find(" requests in ");
  const auto line = at == std::string::npos ? at : output.rfind('\n', at);
  if (line == std::string::npos) give_up("wrk said: " + output);
  return std::strtod(output.c_str() + line + 1, nullptr);
}

void show_beside(const char* name, double ours, double requests, double processor) {
  std::printf("  %-24s %8.0f; ours beside it %.2f\n", name, requests / processor, ours / (requests / processor));
}

void show_most(const std::string& url) {
  const Shot shot = shoot(url, 50'000, 50, 4s);  // as many as one thread makes
  const double ours = static_cast<double>(shot.good) / shot.processor;
  std::printf("requests per processor second, 50 connections\n  %-24s %8.0f\n", "ours (open loop)", ours);
  double before = processor_seconds(RUSAGE_CHILDREN);
  if (const auto wrk = ask({"wrk", "-t1", "-c50", "-d4s", url}))
    show_beside("wrk (closed loop)", ours, requests_of_wrk(*wrk), processor_seconds(RUSAGE_CHILDREN) - before);
  before = processor_seconds(RUSAGE_CHILDREN);
  if (const auto hey = ask({"hey", "-z", "4s", "-c", "50", url}))
    show_beside("hey (closed loop)", ours, number_behind(*hey, "[200]").value_or(0), processor_seconds(RUSAGE_CHILDREN) - before);
}

// ---- a server that stands still for a second

constexpr double stall_rate = 100;  // per second
constexpr Duration stall_run = 6s, stall_at = 2500ms, stall_length = 1s;

std::atomic<std::int64_t> stall_begin{0};

testing::Answered stalling(const testing::Asked& /*asked*/) {
  const Duration now = boot_now(), begin(stall_begin.load());
  return {.after = now >= begin && now < begin + stall_length ? begin + stall_length - now : Duration{}};
}

double truth(double quantile) {  // seconds
  std::vector<double> latencies;
  const auto requests = static_cast<int>(std::ceil(seconds(stall_run) * stall_rate));
  for (int i = 0; i < requests; ++i) {
    const double at = i / stall_rate;
    const double left = seconds(stall_at + stall_length) - at;
    latencies.push_back(left > 0 && left <= seconds(stall_length) ? left : 0);
  }
  std::sort(latencies.begin(), latencies.end());
  return latencies.at(static_cast<std::size_t>(std::ceil(quantile * static_cast<double>(latencies.size()))) - 1);
}

void show_latencies(const char* name, std::array<double, 3> latencies) {
  std::printf("  %-34s", name);
  constexpr std::array<double, 3> quantiles{0.5, 0.9, 0.99};
  for (std::size_t i = 0; i < 3; ++i) {
    const double real = truth(quantiles.at(i));
    std::printf(" %8.1f", latencies.at(i) * 1e3);
    if (real > 0)
      std::printf(" (%5.1f %%)", latencies.at(i) / real * 100);
    else
      std::printf("          ");
  }
  std::printf("\n");
}

void stall_from_now() { stall_begin = (boot_now() + stall_at).count(); }

// "     99%    1.05ms" and "1.00s": wrk.
double wrk_time(const std::string& output, const std::string& percent) {
  const auto at = output.find(percent);
  if (at == std::string::npos) give_up("wrk said: " + output);
  char* unit = nullptr;
  const double value = std::strtod(output.c_str() + at + percent.size(), &unit);
  return value * (*unit == 'u' ? 1e-6 : *unit == 'm' ? 1e-3 : 1);
}

void show_stall() {
  testing::HttpServer server(stalling);
  std::printf("a server stands still for 1 s, %.0f requests/s meet it: p50, p90, p99 in ms (share of the truth)\n", stall_rate);
  show_latencies("the truth, from the script", {truth(0.5), truth(0.9), truth(0.99)});
  stall_from_now();
  const auto ours = shoot(server.url(), stall_rate, 0, stall_run).summary.latencies;
  show_latencies("ours", {seconds(ours.p50), seconds(ours.p90), seconds(ours.p99)});
  stall_from_now();
  if (const auto hey = ask({"hey", "-z", "6s", "-c", "10", "-q", "10", server.url()}))
    show_latencies("hey -c 10 -q 10", {number_behind(*hey, "50% in ").value_or(0), number_behind(*hey, "90% in ").value_or(0),
                                       number_behind(*hey, "99% in ").value_or(0)});
  stall_from_now();
  if (const auto wrk = ask({"wrk", "-t1", "-c10", "-d6s", "--latency", server.url()}))
    show_latencies("wrk -c10 (as fast as it can)", {wrk_time(*wrk, "50%"), wrk_time(*wrk, "90%"), wrk_time(*wrk, "99%")});
}

}  // namespace
}  // namespace arashi

int main() {
  {
    const arashi::Nginx nginx;
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    for (const double rate : {10.0, 200.0, 2000.0}) arashi::show_rate(nginx.url(), rate);
    arashi::show_most(nginx.url());
  }
  arashi::show_stall();
}
