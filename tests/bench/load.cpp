// The load generator beside wrk, against one nginx on loopback: the error of the intended rate, and requests per second of processor time.
#include "experiments/load/load.hpp"
#include "injector/host/command.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
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

int free_port() {
  const Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size) != 0) give_up("no free port");
  ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size);
  return ntohs(address.sin_port);
}

class Nginx {
 public:
  Nginx() : port_(free_port()), child_(start()) {}
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
  Duration p99{};
  for (const auto& second : shot.summary.seconds) p99 = std::max(p99, second.p99);
  std::printf("%8.0f/s intended: %10.2f/s achieved, error %+.4f %% (hold: 0.1 %%), %llu bad, worst p99 of a second %.2f ms\n", rate,
              shot.summary.rate_achieved, error * 100, static_cast<unsigned long long>(shot.summary.bad), seconds(p99) * 1e3);
}

void show_most(const std::string& url) {
  const Shot shot = shoot(url, 100'000, 50, 4s);
  const double ours = static_cast<double>(shot.good) / shot.processor;
  const double before = processor_seconds(RUSAGE_CHILDREN);
  const auto wrk = run_command({.argv = {"wrk", "-t1", "-c50", "-d4s", url}}, 20s, 65536);
  if (!wrk) give_up(wrk.error().message);
  const auto at = wrk->output.find(" requests in ");
  const auto line = at == std::string::npos ? at : wrk->output.rfind('\n', at);
  if (line == std::string::npos) give_up("wrk said: " + wrk->output);
  const double theirs = std::strtod(wrk->output.c_str() + line + 1, nullptr) / (processor_seconds(RUSAGE_CHILDREN) - before);
  std::printf("at most, 50 connections: %.0f requests per processor second; wrk (closed loop): %.0f; ratio %.2f\n", ours, theirs,
              ours / theirs);
}

}  // namespace
}  // namespace arashi

int main() {
  const arashi::Nginx nginx;
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  for (const double rate : {10.0, 200.0, 2000.0}) arashi::show_rate(nginx.url(), rate);
  arashi::show_most(nginx.url());
}
