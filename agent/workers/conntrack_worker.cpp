// The engine behind conntrack.exhaust: keeps a namespace's table of tracked connections as full as is asked for. Its entries go by
// themselves soon after nobody renews them.
#include "agent/workers/channel.hpp"
#include "agent/workers/worker_main.hpp"
#include "injector/faults/conntrack_exhaust.hpp"
#include "injector/host/conntrack_table.hpp"
#include "injector/host/netns.hpp"

#include <sched.h>

#include <algorithm>
#include <string>

namespace arashi::workers {

extern const Worker conntrack_worker;

namespace {

using namespace std::chrono_literals;
using conntrack_exhaust::Change;
using conntrack_exhaust::Stats;

constexpr Duration look_every = 200ms;
constexpr std::int64_t looks_for_all = Fillers::lifetime / 3 / look_every;  // until each entry was renewed once

class Table {
 public:
  Table(netlink::Socket& socket, const Change& config) : socket_(socket), fillers_(socket, config.id), wanted_(config.wanted) {}

  Result<void> begin() {
    refusals_before_ = TRY(tracking_refusals(socket_));
    return fill();
  }

  // Only as many as there is room for: one too many would put out somebody's entry that was not answered yet.
  Result<void> fill() {
    table_ = TRY(tracking_table(Host{}));
    if (table_.count + wanted_ / 2 < ours_) ours_ = 0;  // someone has emptied it
    if (table_.count >= wanted_ || ours_ >= wanted_) return {};
    const auto missing = std::min<std::size_t>(wanted_ - table_.count, wanted_ - ours_);
    TRY(fillers_.put(ours_, missing));
    ours_ += missing;
    table_ = TRY(tracking_table(Host{}));
    return {};
  }

  Result<void> renew_some() {
    if (ours_ == 0) return {};
    if (next_ >= ours_) next_ = 0;
    const auto count = std::min(ours_ - next_, ours_ / static_cast<std::size_t>(looks_for_all) + 1);
    std::size_t room = wanted_ - std::min<std::size_t>(table_.count, wanted_);
    TRY(restore(next_, count, room));
    next_ += count;
    return {};
  }

  Result<Stats> stats() {
    const auto refusals = TRY(tracking_refusals(socket_));
    return Stats{.count = table_.count, .most = table_.most, .ours = ours_, .refusals = refusals - refusals_before_};
  }

 private:
  // Renews these, and makes those anew that are gone: someone took them away, perhaps while they were being put. As many as there is room
  // for.
  Result<void> restore(std::size_t first, std::size_t count, std::size_t& room) {
    const auto gone = TRY(fillers_.renew(first, count));
    if (gone == 0 || room == 0) return {};
    if (gone > room && count > 1) {
      TRY(restore(first, count / 2, room));
      return restore(first + count / 2, count - count / 2, room);
    }
    TRY(fillers_.put(first, count));
    room -= gone;
    return {};
  }

  netlink::Socket& socket_;
  Fillers fillers_;
  TrackingTable table_;
  std::size_t wanted_, ours_ = 0, next_ = 0;
  std::uint64_t refusals_before_ = 0;
};

Result<void> run(const Change& config) {
  const auto netns = TRY(open_netns(Host{}, config.netns));
  if (::setns(netns.get(), CLONE_NEWNET) != 0) return sys_fail("enter the network namespace");
  auto socket = TRY(netlink::Socket::open(netlink::Socket::Family::netfilter));
  Table table(socket, config);
  TRY(table.begin());
  Channel::ready(TRY(table.stats()));
  Channel channel;
  while (Channel::wait_until(boot_now() + look_every)) {
    TRY(table.fill());
    TRY(table.renew_some());
    channel.stats(TRY(table.stats()), boot_now());
  }
  return {};
}

}  // namespace

const Worker conntrack_worker = make_worker<run>("conntrack");

}  // namespace arashi::workers
