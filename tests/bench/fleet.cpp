// What a fleet of agents with mutual TLS costs the runner, how fast it is aborted, and whether leases are renewed in time when a third of
// the agents is slow, dead or silent. The agents are stand-ins in one other process: a listener, a certificate and an address of 127/8
// each, and answers that change nothing. DESIGN section 11 has what to hold.
#include "agent/http/server.hpp"
#include "experiments/commands/certificates.hpp"
#include "experiments/engine/hands.hpp"
#include "experiments/fleet/awaited.hpp"
#include "experiments/fleet/lease.hpp"
#include "injector/core/fd.hpp"
#include "injector/core/json.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace arashi {
namespace {

using std::chrono::milliseconds;
constexpr std::uint16_t port = 47340;
constexpr const char* run_name = "fleet-k3v9x0qa";

[[noreturn]] void give_up(const std::string& why) {
  std::fprintf(stderr, "bench_fleet: %s\n", why.c_str());
  std::_Exit(1);  // the loop of the agents may be at work
}

template <class Value>
Value must_have(Result<Value> result) {
  if (!result) give_up(result.error().message);
  return std::move(result).value();
}

std::string text_of(const std::filesystem::path& file) {
  std::ostringstream text;
  text << std::ifstream(file).rdbuf();
  return text.str();
}

std::string address_of(std::size_t agent) { return "127.77." + std::to_string(agent / 250) + "." + std::to_string(agent % 250 + 1); }

// Every fourth, of a third of them: slow answers after a second, silent never does, dead has no listener.
enum class Manner { good, slow, silent, dead };
Manner manner_of(std::size_t agent, bool some_bad) {
  if (!some_bad || agent % 3 != 0) return Manner::good;
  return std::array{Manner::slow, Manner::silent, Manner::dead}.at(agent / 3 % 3);
}

void make_certificates(const std::filesystem::path& folder, std::size_t count) {
  if (!commands::make_authority(folder, 2)) give_up("no authority");
  must_have(commands::make_certificate(folder, {.name = "bench", .role = "runner", .addresses = {}, .days = 1}));
  for (std::size_t i = 0; i < count; ++i)
    must_have(commands::make_certificate(folder,
                                         {.name = "node-" + std::to_string(i), .role = "agent", .addresses = {address_of(i)}, .days = 1}));
}

// ---- the stand-ins

class StandIns {
 public:
  explicit StandIns(bool some_bad)
      : some_bad_(some_bad), server_({}, [this](http::Request request, http::Respond respond) { take(request, std::move(respond)); }) {}

  void listen(const std::filesystem::path& folder, std::size_t count) {
    last_.resize(count);
    for (std::size_t i = 0; i < count; ++i) {
      by_address_[address_of(i)] = i;
      if (manner_of(i, some_bad_) == Manner::dead) continue;
      const auto own = folder / ("node-" + std::to_string(i));
      must_have(
          server_.listen_tcp(address_of(i), port, http::Tls{text_of(own / "ca.pem"), text_of(own / "cert.pem"), text_of(own / "key.pem")}));
    }
  }
  // Until `end` closes; then the longest time between two renewals of a good one, in nanoseconds, goes to `told`.
  void serve(int end, int told) {
    timer_.reset(::timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK));
    itimerspec often{};
    often.it_interval.tv_nsec = often.it_value.tv_nsec = 20'000'000;
    ::timerfd_settime(timer_.get(), 0, &often, nullptr);
    server_.watch(timer_.get(), [this] { return answer_slowly(); });
    server_.watch(end, [this] {
      server_.stop();
      return false;
    });
    const char up = 'u';
    if (::write(told, &up, 1) != 1) std::exit(1);
    server_.run();
    const auto longest = longest_.count();
    if (::write(told, &longest, sizeof longest) != sizeof longest) std::exit(1);
  }

 private:
  bool answer_slowly() {
    std::uint64_t count = 0;
    [[maybe_unused]] const auto got = ::read(timer_.get(), &count, sizeof count);
    for (; !slow_.empty() && slow_.front().first <= boot_now(); slow_.pop_front()) slow_.front().second();
    return true;
  }
  void take(const http::Request& request, http::Respond respond) {
    const auto agent = by_address_[request.peer.reached];
    const auto manner = manner_of(agent, some_bad_);
    if (manner == Manner::silent) return kept_.push_back(std::move(respond));
    if (request.target == "/v1/lease" && manner == Manner::good) {
      const Duration now = boot_now();
      if (last_[agent] != Duration{}) longest_ = std::max(longest_, now - last_[agent]);
      last_[agent] = now;
    }
    auto answer_it = [respond = std::move(respond), body = answer(request)] { respond({.body = body}); };
    if (manner == Manner::good) return answer_it();
    slow_.emplace_back(boot_now() + std::chrono::seconds(1), std::move(answer_it));
  }
  static std::string answer(const http::Request& request) {
    using protocol::print;
    if (request.target == "/v1/lease") return print(protocol::LeaseReply{.ttl = run::lease_ttl, .live = 1});
    if (request.target == "/v1/revert") return print(protocol::RevertReply{});
    if (request.target != "/v1/inject") return print(protocol::StatusReply{});
    const auto asked = protocol::parse<protocol::InjectRequest>(request.body);
    protocol::InjectReply reply{.id = asked ? asked->id : "", .evidence = {}};
    reply.evidence.in_place = true;
    return print(reply);
  }

  bool some_bad_;
  http::Server server_;
  std::map<std::string, std::size_t> by_address_;
  std::vector<Duration> last_;
  Duration longest_{};
  std::deque<std::pair<Duration, std::function<void()>>> slow_;
  std::vector<http::Respond> kept_;
  Fd timer_;
};

// The process of the stand-ins.
class Others {
 public:
  Others(const std::filesystem::path& folder, std::size_t count, bool some_bad) {
    std::array<int, 2> end{}, told{};
    if (::pipe2(end.data(), O_CLOEXEC) != 0 || ::pipe2(told.data(), O_CLOEXEC) != 0) give_up("no pipe");
    process_ = ::fork();
    if (process_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      ::close(end[1]);
      StandIns stand_ins(some_bad);
      stand_ins.listen(folder, count);
      stand_ins.serve(end[0], told[1]);
      ::_exit(0);
    }
    end_ = Fd(end[1]);
    told_ = Fd(told[0]);
    ::close(end[0]);
    ::close(told[1]);
    char up = 0;
    if (::read(told_.get(), &up, 1) != 1) give_up("the stand-ins are not up");
  }
  // The longest time between two renewals of one of the good ones.
  Duration finish() {
    end_.reset();
    std::int64_t longest = 0;
    if (::read(told_.get(), &longest, sizeof longest) != sizeof longest) give_up("the stand-ins died");
    ::waitpid(process_, nullptr, 0);
    return Duration(longest);
  }

 private:
  pid_t process_ = 0;
  Fd end_, told_;
};

// ---- the runner

struct Usage {
  long kilobytes = 0, threads = 0, descriptors = 0;
};

long number_behind(const std::string& text, const std::string& name) {
  const auto at = text.find("\n" + name + ":");
  return at == std::string::npos ? 0 : std::strtol(text.c_str() + at + name.size() + 2, nullptr, 10);
}

Usage usage_now() {
  const auto all = text_of("/proc/self/smaps_rollup");
  std::size_t files = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) ++files;
  return {number_behind(all, "Private_Dirty"), number_behind("\n" + text_of("/proc/self/status"), "Threads"), static_cast<long>(files)};
}

fleet::Address address_of(const std::filesystem::path& folder, std::size_t agent) {
  const auto own = folder / "bench";
  const auto place = address_of(agent) + ":" + std::to_string(port);
  return {.name = place, .url = "https://" + place, .ca = own / "ca.pem", .certificate = own / "cert.pem", .key = own / "key.pem"};
}

plan::Plan plan_for(const fleet::AgentList& agents) {
  plan::Plan plan;
  for (std::size_t i = 0; i < agents.size(); ++i) {
    plan::Planned one{.id = "a" + std::to_string(1'000'000 + i), .agent = agents[i]->name(), .fault = "network.impair"};
    one.length = std::chrono::hours(1);
    plan.injections.push_back(std::move(one));
  }
  return plan;
}

template <class Done>
bool pump(run::Runner& runner, engine::Hands& hands, Duration epoch, Done done) {
  for (const Duration end = boot_now() + std::chrono::seconds(120); boot_now() < end;) {
    for (const auto& happening : hands.inbox().take())
      for (const auto& command : runner.step(happening, boot_now() - epoch)) hands.carry_out(command);
    for (const auto& command : runner.step(run::Tick{}, boot_now() - epoch)) hands.carry_out(command);
    if (done()) return true;
    std::this_thread::sleep_for(milliseconds(1));
  }
  return false;
}

struct Round {
  double abort = 0;  // milliseconds
  Usage before, during;
};

Round one_round(const std::filesystem::path& folder, std::size_t count) {
  Others others(folder, count, false);
  Round round{.before = usage_now(), .during = {}};
  std::vector<fleet::Address> addresses;
  for (std::size_t i = 0; i < count; ++i) addresses.push_back(address_of(folder, i));
  const auto list = must_have(fleet::reach(std::move(addresses)));
  engine::Agents agents;
  for (const auto& agent : list) agents.emplace(agent->name(), agent);
  spec::Experiment experiment;
  experiment.name = "fleet";
  const Duration epoch = boot_now();
  run::Runner runner(experiment, run_name);
  engine::Hands hands({.experiment = experiment, .run = run_name}, agents, epoch);
  runner.step(run::Planned{plan_for(list)}, {});
  for (const auto& command : runner.step(run::PastRead{{.slos = {}, .length = std::chrono::minutes(1)}}, {})) hands.carry_out(command);
  const auto all_active = [&] {
    const auto& faults = runner.result().faults;
    return std::all_of(faults.begin(), faults.end(), [](const auto& fault) { return fault.step == arashi::Step::active; });
  };
  const auto over = [&] { return runner.state() == run::State::done; };
  const bool ready = pump(runner, hands, epoch, [&] { return all_active() || over(); }) && !over();
  if (!ready) give_up("not all faults became active: " + (runner.result().reasons.empty() ? "" : runner.result().reasons.front()));
  const Duration settled = boot_now() + std::chrono::seconds(2);  // every lease renewed once, every status asked for
  pump(runner, hands, epoch, [&] { return boot_now() > settled; });
  round.during = usage_now();
  const Duration decision = boot_now();
  for (const auto& command : runner.step(run::StopAsked{"bench"}, decision - epoch)) hands.carry_out(command);
  if (!pump(runner, hands, epoch, [&] { return runner.state() == run::State::done; })) give_up("the run did not end");
  if (!runner.result().times.last_revert) give_up("not all faults were reverted: " + runner.result().reasons.front());
  round.abort = seconds(*runner.result().times.last_revert - (decision - epoch)) * 1000;
  others.finish();
  return round;
}

void measure(const std::filesystem::path& folder, std::size_t count, int rounds, double hold) {
  std::vector<double> took;
  Round first;
  for (int i = 0; i < rounds; ++i) {
    const auto round = one_round(folder, count);
    if (i == 0) first = round;
    took.push_back(round.abort);
  }
  std::sort(took.begin(), took.end());
  const auto p99 = took[std::min(took.size() - 1, took.size() * 99 / 100)];
  const double agents = static_cast<double>(count);
  std::printf("%5zu agents, mutual TLS: %.1f KB each (hold 64), %ld threads (%ld before), %.2f descriptors each (hold 2)\n", count,
              static_cast<double>(first.during.kilobytes - first.before.kilobytes) / agents, first.during.threads, first.before.threads,
              static_cast<double>(first.during.descriptors - first.before.descriptors) / agents);
  std::printf("%5zu agents, abort to last revert, %d rounds: p50 %.1f ms, p99 %.1f ms; hold %.0f ms: %s\n", count, rounds,
              took[took.size() / 2], p99, hold, p99 <= hold ? "yes" : "NO");
}

void measure_renewals(const std::filesystem::path& folder, std::size_t count, Duration length) {
  Others others(folder, count, true);
  std::atomic<std::size_t> opened = 0, failed = 0;
  {
    std::vector<fleet::Address> addresses;
    for (std::size_t i = 0; i < count; ++i) addresses.push_back(address_of(folder, i));
    std::vector<std::unique_ptr<fleet::Lease>> leases;
    for (const auto& agent : must_have(fleet::reach(std::move(addresses)))) {
      fleet::LeaseNews news{.opened = [&] { ++opened; }, .failed = [&](const Error&, bool) { return ++failed, true; }};
      leases.push_back(
          std::make_unique<fleet::Lease>(agent, protocol::LeaseRequest{.experiment = run_name, .ttl = run::lease_ttl}, std::move(news)));
    }
    std::this_thread::sleep_for(length);
  }
  const auto longest = others.finish();
  const Duration due = run::lease_ttl / 3;
  std::printf(
      "%5zu agents, a third slow, silent or dead (%zu leases open, %zu renewals failed): longest time between two renewals of the "
      "others %.0f ms, of a lease of %.0f ms that is due every %.0f ms\n",
      count, opened.load(), failed.load(), seconds(longest) * 1000, seconds(run::lease_ttl) * 1000, seconds(due) * 1000);
}

}  // namespace
}  // namespace arashi

int main(int argc, char** argv) {
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;  // of the stand-ins; the fleet raises its own
  ::setrlimit(RLIMIT_NOFILE, &files);
  std::string name = "/tmp/arashi-fleet-XXXXXX";
  const std::filesystem::path top = ::mkdtemp(name.data());
  const auto folder = top / "pki";
  const std::size_t most = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 1000;  // one size only: bench_fleet 200
  arashi::make_certificates(folder, most);
  if (argc == 1) arashi::measure(folder, 100, 10, 100);
  arashi::measure(folder, most, 3, 500);
  arashi::measure_renewals(folder, most, std::chrono::seconds(20));
  std::filesystem::remove_all(top);
  return 0;
}
