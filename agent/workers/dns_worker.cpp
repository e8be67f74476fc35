// The engine behind dns.answer: queries of the target come here by a redirecting rule. Those that match get the answer that is asked for;
// all others go, byte for byte, where they were going, and their answers come back. When this process ends, its rule goes with it.
#include "agent/workers/channel.hpp"
#include "agent/workers/dns_resend.hpp"
#include "agent/workers/dns_streams.hpp"
#include "agent/workers/worker_main.hpp"
#include "injector/faults/dns_answer.hpp"
#include "injector/host/conntrack.hpp"
#include "injector/host/netns.hpp"
#include "injector/host/nft.hpp"
#include "injector/network/dns_redirect.hpp"
#include "injector/network/nft_rules.hpp"

#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <thread>
#include <utility>

namespace arashi::workers {

extern const Worker dns_worker;

namespace {

using namespace std::chrono_literals;
using dns::Act;

constexpr std::size_t largest_packet = 65535;
constexpr std::size_t most_waiting = 4096;  // queries on their way or held back; the oldest gives way, as in a full buffer
constexpr Duration longest_wait = 10s;      // for the answer of the server that was asked
constexpr Duration stats_every = 200ms;
constexpr std::array<Duration, 4> late_answers{200ms, 1s, 5s, 10s};  // after the begin, when those to queries of before have come
constexpr Duration last_patience = 5ms;                              // at the end, for queries that were redirected and are not here yet

// A query on its way to the server it was meant for.
struct Asked {
  Fd socket;
  std::vector<std::byte> query;
  dns::SocketName client;
  int listener = -1;
  Duration until{};
};

struct Way {
  AddressPort client, server;
};
// Where queries to a listener came from and were going, before the redirection: by the listener, and the client as it sees it.
using Ways = std::map<std::pair<AddressPort, AddressPort>, Way>;

Ways ways_of(const std::vector<Tracked>& entries) {
  Ways ways;
  for (const auto& entry : entries)
    if (entry.protocol == IPPROTO_UDP) ways[{entry.answerer, entry.asker}] = {.client = entry.source, .server = entry.destination};
  return ways;
}

// A query that is held back.
struct Held {
  std::vector<std::byte> query;
  dns::SocketName client;
  int listener = -1;
  dns::Fate fate{};
};

std::optional<Held> receive(int listener) {
  Held query{.query = std::vector<std::byte>(largest_packet), .client = {}, .listener = listener};
  const auto got = ::recvfrom(listener, query.query.data(), query.query.size(), MSG_DONTWAIT, query.client.address(), &query.client.length);
  if (got < 0) return std::nullopt;
  query.query.resize(static_cast<std::size_t>(got));
  return query;
}

class Loop {
 public:
  Loop(dns::Rules& rules, std::vector<Fd> listeners, netlink::Socket conntrack, const NftTable& table,
       std::function<Result<void>()> forget_earlier)
      : rules_(rules),
        listeners_(std::move(listeners)),
        conntrack_(std::move(conntrack)),
        table_(table),
        forget_earlier_(std::move(forget_earlier)) {}

  Result<void> run() {
    while (true) {
      wait();
      if (ended_) return {};
      for (const auto& listener : listeners_) read_queries(listener.get());
      pass_answers();
      for (auto due = held_.begin(); due != held_.end() && due->first <= boot_now(); due = held_.erase(due)) settle(due->second);
      std::erase_if(asked_, [now = boot_now()](const Asked& each) { return each.until <= now; });
      TRY(tell());
    }
  }

  // The end: no new query is redirected, the kernel forgets which were, and those that are still here go where they were going in their
  // clients' own names. So none is lost, as no client asks again soon, and none is waited for, however long its server takes.
  Result<void> finish(const std::vector<std::uint16_t>& ports) {
    TRY(table_.empty("out"));
    for (const auto& listener : listeners_) read_queries(listener.get());
    pass_answers();
    for (const auto& [due, query] : held_)
      if (query.fate.act == Act::answer) settle(query);
    auto entries = TRY(redirected(conntrack_, ports));
    const auto ways = ways_of(entries);
    TRY(forget(conntrack_, std::move(entries)));
    for (const auto& [due, query] : held_)
      if (query.fate.act == Act::pass) resend(query, ways);
    for (const auto& each : asked_) resend(each, ways);
    resend_late(ways);
    return {};
  }

 private:
  void wait() {
    std::vector<pollfd> watched{{Channel::input(), POLLIN, 0}};
    for (const auto& listener : listeners_) watched.push_back({listener.get(), POLLIN, 0});
    for (const auto& each : asked_) watched.push_back({each.socket.get(), POLLIN, 0});
    auto left = stats_every;
    if (!held_.empty()) left = std::clamp(held_.begin()->first - boot_now(), Duration{}, left);
    const auto whole = std::chrono::floor<std::chrono::seconds>(left);
    const timespec timeout{whole.count(), (left - whole).count()};
    if (::ppoll(watched.data(), watched.size(), &timeout, nullptr) > 0) ended_ = watched.front().revents != 0;
  }

  // A query whose way is not known is one that its client has given up. Errors are as those of a network: a packet less.
  template <class Query>
  static void resend(const Query& query, const Ways& ways) {
    const auto way = ways.find({dns::name_of_socket(query.listener).endpoint(), query.client.endpoint()});
    if (way != ways.end()) (void)dns::send_as(way->second.client, way->second.server, query.query);
  }

  // What was redirected before the end and comes to the listeners only now.
  void resend_late(const Ways& ways) {
    for (const auto until = boot_now() + last_patience; boot_now() < until; std::this_thread::sleep_for(1ms))
      for (const auto& listener : listeners_)
        while (const auto query = receive(listener.get())) resend(*query, ways);
  }

  void read_queries(int listener) {
    for (int burst = 0; burst < 64; ++burst) {
      auto query = receive(listener);
      if (!query) return;
      query->fate = rules_.fate_of(query->query);
      if (query->fate.delay == Duration{}) {
        settle(*query);
      } else {
        if (held_.size() >= most_waiting) held_.erase(held_.begin());
        held_.emplace(boot_now() + query->fate.delay, std::move(*query));
      }
    }
  }

  void settle(const Held& query) {
    if (query.fate.act == Act::pass) return ask(query);
    if (query.fate.act == Act::answer)
      ::sendto(query.listener, query.fate.answer.data(), query.fate.answer.size(), 0, query.client.address(), query.client.length);
  }

  void ask(const Held& query) {
    const auto here = dns::name_of_socket(query.listener);
    const auto server = original_destination(conntrack_, here.endpoint(), query.client.endpoint());
    if (!server || !*server) return;
    auto socket = dns::connect_to(**server, SOCK_DGRAM);
    if (!socket || ::send(socket->get(), query.query.data(), query.query.size(), 0) < 0) return;
    if (asked_.size() >= most_waiting) asked_.pop_front();
    asked_.push_back({std::move(*socket), query.query, query.client, query.listener, boot_now() + longest_wait});
  }

  void pass_answers() {
    std::vector<std::byte> buffer(largest_packet);
    std::erase_if(asked_, [&buffer](const Asked& each) {
      const auto got = ::recv(each.socket.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
      if (got < 0) return errno != EAGAIN && errno != EINTR;
      ::sendto(each.listener, buffer.data(), static_cast<std::size_t>(got), 0, each.client.address(), each.client.length);
      return true;
    });
  }

  Result<void> tell() {
    if (boot_now() < next_stats_) return {};
    next_stats_ = boot_now() + stats_every;
    if (forgotten_ < late_answers.size() && boot_now() >= began_ + late_answers.at(forgotten_)) {
      TRY(forget_earlier_());
      ++forgotten_;
    }
    TRY(table_.counters());  // someone may have taken the table away: then there is no fault any more
    channel_.stats(rules_.stats(), boot_now());
    return {};
  }

  dns::Rules& rules_;
  std::vector<Fd> listeners_;
  netlink::Socket conntrack_;
  const NftTable& table_;
  std::function<Result<void>()> forget_earlier_;
  Duration began_ = boot_now();
  std::size_t forgotten_ = 0;  // how many times since then
  std::deque<Asked> asked_;
  std::multimap<Duration, Held> held_;
  Channel channel_;
  Duration next_stats_{};
  bool ended_ = false;
};

struct Listeners {
  std::uint16_t port = 0;
  std::vector<Fd> packets, streams;
};

Result<void> add_listener(Listeners& all, const char* address, int type) {
  const AddressPort here{.address = TRY(parse_cidr(address)), .port = all.port};
  auto socket = dns::listen_at(here, type);
  if (!socket && !here.address.v4() && socket.error().blame == Blame::missing) return {};  // a namespace without IPv6
  if (!socket) return pass(socket.error());
  (type == SOCK_DGRAM ? all.packets : all.streams).push_back(std::move(*socket));
  return {};
}

// UDP and TCP, IPv4 and (where there is any) IPv6, all on this port of loopback.
Result<Listeners> listen_on(std::uint16_t port) {
  Listeners all{.port = port, .packets = {}, .streams = {}};
  for (const char* address : {"127.0.0.1", "::1"})
    for (const int type : {SOCK_DGRAM, SOCK_STREAM}) TRY(add_listener(all, address, type));
  return all;
}

Result<Listeners> listen_on_one_of(const std::vector<std::uint16_t>& ports) {
  Result<Listeners> all = fail(Blame::input, "no port to listen on is given");
  for (const auto port : ports) {
    all = listen_on(port);
    if (all || all.error().blame != Blame::refused) break;  // else somebody else has it
  }
  return all;
}

// In front of other translations of destinations, such as a container engine's own resolver.
std::string rules_text(const dns_answer::Change& config, std::uint16_t port) {
  const auto& scope = config.scope;
  const auto of_target =
      scope ? "socket cgroupv2 level " + std::to_string(scope->cgroup.level) + " \"" + scope->nft_path + "\" " : std::string();
  std::string text = "  counter queries { }\n  chain others {\n" + pass_others(config.traffic, Remote::destination) +
                     "  }\n  chain out {\n    type nat hook output priority -110; policy accept;\n    meta mark " +
                     std::to_string(dns::mark) + " accept\n";
  for (const std::string protocol : {"udp", "tcp"}) {
    const auto query = "    " + of_target + protocol + " dport 53 ";
    text += query + "jump others\n" + query + "counter name \"queries\" redirect to :" + std::to_string(port) + "\n";
  }
  return text + "  }\n";
}

Result<void> run(const dns_answer::Change& config) {
  const auto& place = config.netns;
  const auto netns = TRY(open_netns(Host{}, place));
  if (::setns(netns.get(), CLONE_NEWNET) != 0) return sys_fail("enter the network namespace");
  auto conntrack = TRY(netlink::Socket::open(netlink::Socket::Family::netfilter));
  auto listeners = TRY(listen_on_one_of(config.ports));
  dns::Rules rules(config.rules);
  for (auto& stream : listeners.streams) dns::serve_streams(std::move(stream), rules);
  const auto table = TRY(NftTable::make(config.id, rules_text(config, listeners.port)));
  const auto cgroup = config.scope ? std::optional(config.scope->cgroup) : std::nullopt;
  const auto forget_earlier = [&] { return forget_earlier_queries(Host{}, place, config.traffic, cgroup, {listeners.port}); };
  TRY(forget_earlier());
  Channel::ready(rules.stats());
  Loop loop(rules, std::move(listeners.packets), std::move(conntrack), table, forget_earlier);
  auto outcome = loop.run();
  if (outcome) outcome = loop.finish(config.ports);
  if (!outcome) Channel::problem(outcome.error().message);
  ::_exit(outcome ? 0 : 1);  // the streams' threads still run, and use what a return would destroy
}

}  // namespace

const Worker dns_worker = make_worker<run>("dns");

}  // namespace arashi::workers
