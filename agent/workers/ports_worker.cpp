// The engine behind ports.exhaust: sockets that are bound to the ephemeral ports of a namespace and do nothing else, in as many processes
// as the limit of descriptors makes necessary. The kernel gives a port that is bound to no connection, wherever it goes. The sockets have
// an address of loopback that nobody uses, so that neither an open connection nor a packet to these ports is in their way.
#include "agent/workers/channel.hpp"
#include "agent/workers/worker_main.hpp"
#include "injector/core/crc.hpp"
#include "injector/faults/ports_exhaust.hpp"
#include "injector/host/ephemeral_ports.hpp"
#include "injector/host/netns.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace arashi::workers {

extern const Worker ports_worker;

namespace {

using namespace std::chrono_literals;
using ports_exhaust::Change;
using ports_exhaust::Stats;

constexpr Duration look_every = 500ms;
constexpr Duration patience = 10s;  // for the first round of all processes
constexpr int retry_ms = 250;

struct Slot {
  int type = SOCK_STREAM;
  std::uint16_t port = 0;
};

// What a process that holds ports tells the first one, in memory that both have.
struct Told {
  std::atomic<std::uint32_t> held, busy, rounds;
  std::atomic<int> problem;  // an errno that is not about a single port
};

sockaddr_in name_of(std::uint32_t address, std::uint16_t port) {
  sockaddr_in name{};
  name.sin_family = AF_INET;
  name.sin_port = htons(port);
  name.sin_addr.s_addr = htonl(address);
  return name;
}

// 127.87.x.y of the injection.
std::uint32_t address_of(std::string_view id) { return 0x7f570000U | (crc32c(id) & 0xffffU); }

// Nothing and an errno when it cannot be had.
Fd bound(const Slot& slot, std::uint32_t address) {
  Fd socket(::socket(AF_INET, slot.type | SOCK_CLOEXEC, 0));
  if (!socket) return {};
  const int on = 1;
  ::setsockopt(socket.get(), IPPROTO_IP, IP_FREEBIND, &on, sizeof on);  // also where loopback is down
  const auto name = name_of(address, slot.port);
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name) != 0) return {};
  return socket;
}

// Whether a program that wants any port gets none: the kernel's own answer.
bool is_refused(int type) {
  const Fd socket(::socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const auto name = name_of(INADDR_LOOPBACK, 9);  // discard; with no port to come from, nothing is sent
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name) == 0) return false;
  if (errno == EADDRNOTAVAIL || errno == EAGAIN) return true;
  if (errno != ENETUNREACH) return false;
  const auto any = name_of(INADDR_ANY, 0);
  return ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&any), sizeof any) != 0 && errno == EADDRINUSE;
}

// So many that can be had now are left, of the highest; what somebody else holds is not counted as left.
std::vector<Slot> slots_of(int type, std::vector<std::uint16_t> ports, std::size_t left, std::uint32_t address) {
  std::vector<Slot> slots;
  while (!ports.empty()) {
    const Slot slot{.type = type, .port = ports.back()};
    ports.pop_back();
    if (left > 0 && bound(slot, address)) {
      --left;
      continue;
    }
    slots.push_back(slot);
  }
  return slots;
}

// Holds what can be had, and tries again for what becomes free. Ends with its parent.
[[noreturn]] void hold(std::span<const Slot> slots, std::uint32_t address, Told& told, std::int32_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(0);
  ::close(STDIN_FILENO);
  ::close(STDOUT_FILENO);
  std::vector<Fd> sockets(slots.size());
  while (true) {
    std::uint32_t held = 0;
    for (std::size_t i = 0; i < slots.size(); ++i) {
      if (!sockets[i]) sockets[i] = bound(slots[i], address);
      if (sockets[i]) ++held;
      if (!sockets[i] && errno != EADDRINUSE) told.problem = errno;
    }
    told.held = held;
    told.busy = static_cast<std::uint32_t>(slots.size()) - held;
    ++told.rounds;
    ::poll(nullptr, 0, retry_ms);
  }
}

class Holders {
 public:
  Result<void> start(std::span<const Slot> slots, std::uint32_t address) {
    const auto each = most_sockets_of_a_process();
    if (each == 0) return fail(Blame::refused, "the limit of descriptors leaves none for sockets");
    count_ = (slots.size() + each - 1) / each;
    void* memory = ::mmap(nullptr, count_ * sizeof(Told), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return sys_fail("share memory between the processes that hold ports");
    told_ = static_cast<Told*>(memory);  // zeros, which is what a Told begins with
    const auto parent = ::getpid();
    for (std::size_t i = 0; i < count_; ++i) {
      const auto pid = ::fork();
      if (pid < 0) return sys_fail("start a process that holds ports");
      if (pid == 0) hold(slots.subspan(i * each, std::min(each, slots.size() - i * each)), address, told_[i], parent);
    }
    return {};
  }

  [[nodiscard]] bool have_tried() const {
    return std::ranges::all_of(all(), [](const Told& each) { return each.rounds > 0; });
  }
  [[nodiscard]] std::uint64_t held() const { return sum(&Told::held); }
  [[nodiscard]] std::uint64_t busy() const { return sum(&Told::busy); }
  [[nodiscard]] Result<void> check() const {
    for (const auto& each : all())
      if (const int code = each.problem; code != 0) return fail(Blame::system, "hold a port: ", std::strerror(code));
    if (::waitpid(-1, nullptr, WNOHANG) > 0) return fail(Blame::system, "a process that held ports has ended");
    return {};
  }

 private:
  [[nodiscard]] std::span<Told> all() const { return {told_, count_}; }
  [[nodiscard]] std::uint64_t sum(std::atomic<std::uint32_t> Told::*what) const {
    std::uint64_t total = 0;
    for (const auto& each : all()) total += each.*what;
    return total;
  }
  Told* told_ = nullptr;
  std::size_t count_ = 0;
};

std::vector<int> types_of(const std::string& protocol) {
  std::vector<int> types;
  if (protocol != "udp") types.push_back(SOCK_STREAM);
  if (protocol != "tcp") types.push_back(SOCK_DGRAM);
  return types;
}

Result<void> allow_all_descriptors() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return sys_fail("read the limit of descriptors");
  limit.rlim_cur = limit.rlim_max;
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) return sys_fail("raise the limit of descriptors to ", limit.rlim_max);
  return {};
}

Stats stats_of(const Holders& holders, const std::vector<int>& types) {
  return {.held = holders.held(), .busy = holders.busy(), .refused = std::ranges::all_of(types, is_refused)};
}

Result<void> run(const Change& config) {
  const auto netns = TRY(open_netns(Host{}, config.netns));
  const auto ports = TRY(ephemeral_ports(Host{}, netns));
  if (::setns(netns.get(), CLONE_NEWNET) != 0) return sys_fail("enter the network namespace");
  TRY(allow_all_descriptors());
  const auto address = address_of(config.id);
  const auto types = types_of(config.protocol);
  std::vector<Slot> slots;
  for (const int type : types) std::ranges::copy(slots_of(type, ports, config.free, address), std::back_inserter(slots));
  Holders holders;
  TRY(holders.start(slots, address));
  const auto deadline = boot_now() + patience;
  while (!holders.have_tried()) {
    TRY(holders.check());
    if (boot_now() > deadline) return fail(Blame::system, "ports could not be bound in time");
    if (!Channel::wait_until(boot_now() + 2ms)) return {};
  }
  Channel::ready(stats_of(holders, types));
  Channel channel;
  while (Channel::wait_until(boot_now() + look_every)) {
    TRY(holders.check());
    channel.stats(stats_of(holders, types), boot_now());
  }
  return {};
}

}  // namespace

const Worker ports_worker = make_worker<run>("ports");

}  // namespace arashi::workers
