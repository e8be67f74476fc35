// The engine behind host names as peers: asks the target's resolver, and follows what it answers into the peers of the attached programs.
// It has the target's network namespace, and a mount namespace of its own in which the target's hosts and resolv.conf lie over the
// machine's: so glibc's resolver does the rest, with everything that these files may say, and no library of the target's is ever loaded.
#include "agent/workers/channel.hpp"
#include "agent/workers/worker_main.hpp"
#include "injector/host/netns.hpp"
#include "injector/network/bpf.hpp"
#include "injector/network/traffic.hpp"
#include "injector/network/workers.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <netdb.h>
#include <nss.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <tuple>

namespace arashi::workers {

extern const Worker names_worker;

namespace {

using namespace std::chrono_literals;

constexpr Duration ask_every = 2s;
constexpr std::array files{"hosts", "resolv.conf"};

// A file of the target, without leaving the target's root by a link.
Fd open_in(const Fd& root, const std::string& path) {
  open_how how{};
  how.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  Fd file(static_cast<int>(syscall(SYS_openat2, root.get(), path.c_str(), &how, sizeof how)));
  struct stat found {};
  if (file && (fstat(file.get(), &found) != 0 || !S_ISREG(found.st_mode))) file.reset();
  return file;
}

class Files {
 public:
  static Result<Files> open(const Resolver& resolver) {
    Files made;
    made.root_.reset(::open(resolver.root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!made.root_) return sys_fail("open the target's root '", resolver.root, "'");
    made.overlay_ = resolver.overlay;
    made.foreign_ = resolver.root != "/";
    if (unshare(CLONE_NEWNS) != 0) return sys_fail("make a mount namespace");
    if (mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return sys_fail("make the mount namespace private");
    return made;
  }

  // Lays the target's files over ours; again only where it has another file than before, as one that is written anew has.
  void lay() {
    for (const auto* name : files) {
      const auto file = find(name);
      struct stat found {};
      const bool there = file && fstat(file.get(), &found) == 0;
      const auto identity = there ? std::tuple(found.st_dev, found.st_ino) : std::tuple(dev_t{}, ino_t{});
      auto& laid = laid_[name];
      if (laid.known && laid.identity == identity) continue;
      const auto place = "/etc/" + std::string(name);
      if (laid.known && laid.mounted) (void)umount2(place.c_str(), MNT_DETACH);
      const auto source = there ? "/proc/self/fd/" + std::to_string(file.get()) : "/dev/null";
      // A machine without that file itself cannot be laid over: then there is none for the target either.
      const bool needed = there || foreign_;
      laid = {
          .known = true, .mounted = needed && mount(source.c_str(), place.c_str(), nullptr, MS_BIND, nullptr) == 0, .identity = identity};
    }
  }

 private:
  struct Laid {
    bool known = false, mounted = false;
    std::tuple<dev_t, ino_t> identity;
  };
  Fd find(const std::string& name) const {
    if (!overlay_.empty())
      if (Fd file(::open((overlay_ + "/" + name).c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)); file) return file;
    return foreign_ ? open_in(root_, "etc/" + name) : Fd();
  }
  Fd root_;
  std::string overlay_;
  bool foreign_ = false;
  std::map<std::string, Laid> laid_;
};

struct Asked {
  std::vector<Cidr> addresses;
  std::string problem;
};

Asked ask(const std::string& name) {
  Asked asked;
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  const int code = getaddrinfo(name.c_str(), nullptr, &hints, &list);
  if (code != 0) asked.problem = gai_strerror(code);
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(code == 0 ? list : nullptr, freeaddrinfo);
  for (const auto* one = owner.get(); one != nullptr; one = one->ai_next) {
    std::array<char, INET6_ADDRSTRLEN> text{};
    if (getnameinfo(one->ai_addr, one->ai_addrlen, text.data(), text.size(), nullptr, 0, NI_NUMERICHOST) != 0) continue;
    if (auto address = parse_cidr(text.data())) asked.addresses.push_back(*address);
  }
  std::ranges::sort(asked.addresses);
  asked.addresses.erase(std::unique(asked.addresses.begin(), asked.addresses.end()), asked.addresses.end());
  return asked;
}

// What each name stands for goes into the traffic; one that is not answered keeps what it had.
std::map<std::string, std::string> ask_all(Traffic& traffic) {
  std::map<std::string, std::string> problems;
  for (auto* names : {&traffic.peer_names, &traffic.except_names})
    for (auto& one : *names) {
      auto asked = ask(one.name);
      if (asked.addresses.empty()) problems[one.name] = asked.problem.empty() ? "no address" : asked.problem;
      if (!asked.addresses.empty()) one.addresses = std::move(asked.addresses);
    }
  return problems;
}

Result<void> change_all(const std::vector<std::uint32_t>& programs, const Traffic& before, const Traffic& now) {
  for (const auto program : programs) TRY(change_peers(program, peer_rules(before), peer_rules(now)));
  return {};
}

// Until the holder lets go, or the programs are gone.
Result<void> follow(Files& sources, Traffic traffic, const std::vector<std::uint32_t>& programs) {
  std::uint64_t changes = 0;
  Channel channel;
  for (;;) {
    const auto in_place = traffic;
    sources.lay();
    (void)ask_all(traffic);
    if (in_place != traffic) {
      TRY(change_all(programs, in_place, traffic));
      ++changes;
    }
    while (!channel.stats(NamesStats{.traffic = traffic, .problems = {}, .changes = changes}, boot_now()))
      if (!Channel::wait_until(boot_now() + 200ms)) return {};
    if (!Channel::wait_until(boot_now() + ask_every)) return {};
  }
}

Result<void> run(const NamesConfig& config) {
  Host host;
  host.proc = config.proc;
  host.netns = config.named;
  const auto& in_place = config.traffic;
  auto sources = TRY(Files::open(in_place.resolver));
  const auto netns = TRY(open_netns(host, config.netns));
  if (setns(netns.get(), CLONE_NEWNET) != 0) return sys_fail("enter the target's network namespace");
  __nss_configure_lookup("hosts", "files dns");  // not what this machine would ask besides: the target would not
  auto traffic = in_place;
  if (!config.programs.empty()) {  // an injection does not wait for a slow server: what was answered when it was prepared holds so far
    Channel::ready(NamesStats{.traffic = traffic, .problems = {}});
    return follow(sources, std::move(traffic), config.programs);
  }
  sources.lay();
  auto problems = ask_all(traffic);
  Channel::ready(NamesStats{.traffic = std::move(traffic), .problems = std::move(problems)});
  return {};
}

}  // namespace

const Worker names_worker = make_worker<run>("names");

}  // namespace arashi::workers
