// Abort decision → last fault reverted, over many agents on this machine: the real runner, hands and fleet against agents that speak the
// protocol over unix sockets and revert nothing. Prints p50 and p99 over the rounds; DESIGN section 11 has what to hold.
#include "experiments/engine/hands.hpp"
#include "injector/core/fd.hpp"
#include "injector/core/json.hpp"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

namespace arashi {
namespace {

using std::chrono::milliseconds;

// All agents of a round on one thread. Each answers what a real one would, at once.
class FakeAgents {
 public:
  FakeAgents(const std::filesystem::path& folder, std::size_t count)
      : epoll_(::epoll_create1(EPOLL_CLOEXEC)), end_(::eventfd(0, EFD_CLOEXEC)) {
    watch(end_.get());
    for (std::size_t i = 0; i < count; ++i) {
      sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
      paths_.push_back((folder / std::to_string(i)).string());
      paths_.back().copy(address.sun_path, sizeof address.sun_path - 1);
      Fd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
      const bool up =
          ::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 && ::listen(listener.get(), 64) == 0;
      if (!up) std::perror("listen"), std::exit(1);
      watch(listener.get());
      listeners_.emplace(listener.get(), std::move(listener));
    }
    thread_ = std::thread([this] { serve(); });
  }
  ~FakeAgents() {
    const std::uint64_t one = 1;
    if (::write(end_.get(), &one, sizeof one) != sizeof one) std::abort();
    thread_.join();
  }
  [[nodiscard]] const std::vector<std::string>& paths() const { return paths_; }

 private:
  struct Peer {
    Fd socket;
    std::string in;
  };

  void watch(int fd) {
    epoll_event event{.events = EPOLLIN, .data = {.fd = fd}};
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event);
  }
  void serve() {
    std::array<epoll_event, 256> events{};
    while (true) {
      const int ready = ::epoll_wait(epoll_.get(), events.data(), events.size(), -1);
      for (int i = 0; i < ready; ++i) {
        const int fd = events.at(static_cast<std::size_t>(i)).data.fd;
        if (fd == end_.get()) return;
        if (listeners_.contains(fd)) {
          Fd peer(::accept4(fd, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
          watch(peer.get());
          const int number = peer.get();
          peers_[number] = {std::move(peer), {}};
        } else {
          talk(peers_[fd]);
        }
      }
    }
  }
  void talk(Peer& peer) {
    std::array<char, 16384> buffer{};
    const ssize_t got = ::read(peer.socket.get(), buffer.data(), buffer.size());
    if (got <= 0) {
      peers_.erase(peer.socket.get());
      return;
    }
    peer.in.append(buffer.data(), static_cast<std::size_t>(got));
    const auto head = peer.in.find("\r\n\r\n");
    if (head == std::string::npos) return;
    std::size_t length = 0;
    if (const auto at = peer.in.find("Content-Length: "); at < head) length = std::strtoul(peer.in.c_str() + at + 16, nullptr, 10);
    if (peer.in.size() < head + 4 + length) return;
    const std::string body = answer(peer.in.substr(0, peer.in.find("\r\n")), peer.in.substr(head + 4, length));
    peer.in.erase(0, head + 4 + length);
    const std::string reply =
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
    if (::write(peer.socket.get(), reply.data(), reply.size()) != static_cast<ssize_t>(reply.size())) std::abort();
  }
  static std::string answer(const std::string& request, const std::string& body) {
    using protocol::print;
    if (request.find("/v1/lease") != std::string::npos) return print(protocol::LeaseReply{.ttl = std::chrono::seconds(5), .live = 1});
    if (request.find("/v1/inject") != std::string::npos) {
      const auto asked = protocol::parse<protocol::InjectRequest>(body);
      return print(protocol::InjectReply{.id = asked ? asked->id : "", .evidence = {.in_place = true, .bit = true}});
    }
    if (request.find("/v1/revert") != std::string::npos) return print(protocol::RevertReply{});
    return print(protocol::StatusReply{});
  }

  Fd epoll_, end_;
  std::vector<std::string> paths_;
  std::map<int, Fd> listeners_;
  std::map<int, Peer> peers_;
  std::thread thread_;
};

struct Fleet {
  engine::Agents agents;
  plan::Plan plan;
};

Fleet fleet_of(const FakeAgents& fakes) {
  Fleet fleet;
  const auto loop = fleet::Loop::start().value();
  for (std::size_t i = 0; i < fakes.paths().size(); ++i) {
    const std::string name = "agent-" + std::to_string(i);
    fleet.agents[name] = fleet::reach(loop, {.name = name, .unix_socket = fakes.paths()[i]});
    plan::Planned one{.id = "a" + std::to_string(1'000'000 + i), .agent = name, .fault = "network.impair"};
    one.length = std::chrono::hours(1);
    fleet.plan.injections.push_back(std::move(one));
  }
  return fleet;
}

// One event after the other until `done` says so; false after 60 s.
template <class Done>
bool pump(run::Runner& runner, engine::Hands& hands, Duration epoch, Done done) {
  for (const Duration end = boot_now() + std::chrono::seconds(60); boot_now() < end;) {
    for (const auto& happening : hands.inbox().take())
      for (const auto& command : runner.step(happening, boot_now() - epoch)) hands.carry_out(command);
    for (const auto& command : runner.step(run::Tick{}, boot_now() - epoch)) hands.carry_out(command);
    if (done()) return true;
    std::this_thread::sleep_for(milliseconds(1));
  }
  return false;
}

[[noreturn]] void give_up(const std::string& why) {
  std::fprintf(stderr, "bench_abort: %s\n", why.c_str());
  std::exit(1);
}

double one_round(std::size_t count, const std::filesystem::path& folder) {
  const FakeAgents fakes(folder, count);
  Fleet fleet = fleet_of(fakes);
  spec::Experiment experiment;
  experiment.name = "abort";
  const Duration epoch = boot_now();
  run::Runner runner(experiment, "abort-k3v9x0qa");
  engine::Hands hands({.experiment = experiment, .run = "abort-k3v9x0qa"}, fleet.agents, epoch);
  runner.step(run::Planned{fleet.plan}, {});  // what it asks for before is not carried out: the answers are here
  for (const auto& command : runner.step(run::PastRead{{.slos = {}, .length = std::chrono::minutes(1)}}, {})) hands.carry_out(command);
  const auto all_stand = [&] {
    const auto& faults = runner.result().faults;
    return std::all_of(faults.begin(), faults.end(), [](const auto& fault) { return fault.step == Step::active; });
  };
  if (!pump(runner, hands, epoch, all_stand)) give_up("not all faults became active");
  const Duration decision = boot_now();
  for (const auto& command : runner.step(run::StopAsked{"bench"}, decision - epoch)) hands.carry_out(command);
  if (!pump(runner, hands, epoch, [&] { return runner.state() == run::State::done; })) give_up("the run did not end");
  if (!runner.result().times.last_revert) give_up("not all faults were reverted: " + runner.result().reasons.front());
  return seconds(*runner.result().times.last_revert - (decision - epoch)) * 1000;
}

void measure(std::size_t count, int rounds, double hold, const std::filesystem::path& folder) {
  std::vector<double> took;
  for (int i = 0; i < rounds; ++i) {
    std::filesystem::remove_all(folder);
    std::filesystem::create_directory(folder);
    took.push_back(one_round(count, folder));
  }
  std::sort(took.begin(), took.end());
  const auto p99 = took[std::min(took.size() - 1, took.size() * 99 / 100)];
  std::printf("abort to last revert, %4zu agents, %d rounds: p50 %.1f ms, p99 %.1f ms; hold %.0f ms: %s (%.2f of it)\n", count, rounds,
              took[took.size() / 2], p99, hold, p99 <= hold ? "yes" : "NO", p99 / hold);
}

}  // namespace
}  // namespace arashi

int main(int argc, char** argv) {
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
  std::string name = "/tmp/arashi-abort-XXXXXX";
  const std::filesystem::path folder = std::filesystem::path(::mkdtemp(name.data())) / "s";
  if (argc > 1) {  // one size only: bench_abort 1000
    arashi::measure(std::strtoul(argv[1], nullptr, 10), 3, 500, folder);
  } else {
    arashi::measure(100, 30, 100, folder);
    arashi::measure(1000, 10, 500, folder);
  }
  std::filesystem::remove_all(folder.parent_path());
  return 0;
}
