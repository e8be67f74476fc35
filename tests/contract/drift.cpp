#include "tests/contract/drift.hpp"

namespace arashi::testing {

namespace {

using Drifts = std::vector<Drift>;

// The only classifier that every kernel we run on has; it lets everything pass.
const std::string their_filter = "tc filter add dev eth0 egress pref 77 bpf da bytecode '1,6 0 0 4294967295'; ";
const std::string their_clsact = "tc qdisc add dev eth0 clsact 2>/dev/null || true; " + their_filter;
const std::string filter_stands = "tc filter show dev eth0 egress | grep -q 'pref 77'";
const std::string clsact_goes = "tc qdisc del dev eth0 clsact";

// Both ends go with one of them, and so do the addresses.
const std::string new_pair =
    "ip link del eth0; ip link add eth0 type veth peer name eth0 netns $PEER; ip addr add 10.99.0.1/24 dev eth0; "
    "ip -n $PEER addr add 10.99.0.2/24 dev eth0; ";
const std::string new_device = new_pair +
                               "ip link set eth0 up; ip -n $PEER link set eth0 up; for end in '' \"-n $PEER\"; do "
                               "until ip $end -o link show dev eth0 | grep -q 'state UP'; do sleep 0.01; done; done; ";
const std::string new_device_stands = "ip -o link show dev eth0 up | grep -q eth0";

Drifts both(Drifts one, const Drifts& other) {
  one.insert(one.end(), other.begin(), other.end());
  return one;
}

Drift device_replaced() {
  return {.what = "the device is replaced by another of its name",
          .does = new_device + their_clsact,
          .seen = Step::lost,
          .stands = new_device_stands + " && " + filter_stands,
          .for_good = true,
          .passes_on = true};
}

Drift filter_beside() {
  return {.what = "a filter of somebody else comes beside it", .does = their_clsact, .stands = filter_stands, .takes_back = clsact_goes};
}

Drifts of_filters() {
  return {
      filter_beside(),
      {.what = "its filters are deleted",
       .does = "tc filter del dev eth0 egress; tc filter del dev eth0 ingress",
       .seen = Step::lost,
       .passes_on = true},
      {.what = "its qdisc is deleted", .does = clsact_goes, .seen = Step::lost, .passes_on = true},
      {.what = "its qdisc is replaced by somebody else's",
       .does = clsact_goes + "; " + their_clsact,
       .seen = Step::lost,
       .stands = filter_stands,
       .takes_back = clsact_goes,
       .passes_on = true},
      device_replaced(),
  };
}

// Its cgroup has the injection's name, in whichever hierarchy it is.
const std::string freeze_worker =
    "for cgroup in $(find /sys/fs/cgroup -maxdepth 3 -type d -name $ID); do "
    "if [ -e $cgroup/cgroup.freeze ]; then echo 1 >$cgroup/cgroup.freeze; else echo FROZEN >$cgroup/freezer.state; fi; frozen=$cgroup; "
    "done; [ -n \"$frozen\" ]";

Drifts of_a_worker(bool passes_on) {
  return {{.what = "its worker is killed", .does = "kill -KILL $WORKER", .seen = Step::lost, .passes_on = passes_on},
          {.what = "its worker is stopped", .does = "kill -STOP $WORKER", .seen = Step::lost, .passes_on = passes_on},
          {.what = "its worker is frozen", .does = freeze_worker, .seen = Step::lost, .passes_on = passes_on}};
}

Drifts of_a_tap() {
  return both(
      of_a_worker(true),
      {{.what = "its tap device is deleted", .does = "ip link del ar$(echo $ID | cut -c1-8)-0", .seen = Step::lost, .passes_on = true},
       {.what = "its program is detached from the device",
        .does = "for link in $(sed -n 's/^link_id:[[:space:]]*//p' /proc/$WORKER/fdinfo/*); do bpftool link detach id $link; done",
        .seen = Step::lost,
        .passes_on = true},
       filter_beside(),
       device_replaced()});
}

const std::string their_table = "nft add table inet somebody; nft add chain inet somebody input; ";

// The table belongs to the worker's socket: others can neither flush nor delete it.
Drifts of_nft() {
  return {{.what = "somebody else flushes the ruleset, and makes a table of his own",
           .does = "nft list table inet stage >$OTHER/stage; nft flush ruleset; " + their_table,
           .stands = "nft list tables | grep -q somebody",
           .takes_back = "nft delete table inet somebody; nft -f $OTHER/stage"}};
}

Drifts of_down(const Way& way) {
  if (way.given.contains("every")) return of_a_worker(false);
  return {
      {.what = "somebody brings the device up", .does = "ip link set eth0 up", .seen = Step::lost, .passes_on = true},
      {.what = "somebody brings the device up with another address",
       .does = "ip addr del 10.99.0.1/24 dev eth0; ip addr add 10.99.0.7/24 dev eth0; ip link set eth0 up",
       .seen = Step::lost,
       .ended = Step::drifted,
       .stands = "! ip -o addr show dev eth0 | grep -qF 10.99.0.1/ && ip -o addr show dev eth0 | grep -qF 10.99.0.7/",
       .takes_back = "ip addr del 10.99.0.7/24 dev eth0; ip addr add 10.99.0.1/24 dev eth0",
       .passes_on = true},
      {.what = "somebody changes the device's MTU and queue meanwhile",
       .does = "ip link set eth0 mtu 1400; tc qdisc add dev eth0 root pfifo limit 77",
       .stands = "ip -o link show dev eth0 | grep -qF 'mtu 1400' && tc qdisc show dev eth0 | grep -qF 'limit 77p'",
       .takes_back = "ip link set eth0 mtu 1500; tc qdisc del dev eth0 root"},
      {.what = "somebody renames the device",
       .does = "ip link set eth0 name eth7",
       .stands = "ip link show dev eth7",
       .takes_back = "ip link set eth7 name eth0"},
      {.what = "the device is replaced by another of its name",
       .does = new_pair,
       .seen = Step::lost,
       .stands = "! ip -o link show dev eth0 up | grep -q eth0",
       .for_good = true},
  };
}

// A service's supervisor, or a user, starts again what was killed: that is no victim any more.
Drift successor() {
  return {.what = "what was killed is started again",
          .does = "setsid sleep 300 </dev/null >/dev/null 2>&1 & echo $! >$OTHER/pid",
          .stands = "kill -0 $(cat $OTHER/pid)",
          .takes_back = "kill -KILL $(cat $OTHER/pid)"};
}

Drifts of_kill(const Way& way) {
  if (!way.given.contains("every")) return {successor()};
  return of_a_worker(false);
}

Drifts of_pause(const std::string& mechanism) {
  if (mechanism == "sigstop")
    return {{.what = "somebody continues the process", .does = "kill -CONT $PID", .seen = Step::lost},
            {.what = "somebody kills the process",
             .does = "kill -KILL $PID",
             .seen = Step::lost,
             .stands = "! grep -q '^State:.[RSTD]' /proc/$PID/status",
             .for_good = true}};
  const std::string thaw = "echo 0 >$CGROUP/cgroup.freeze; ";
  return {
      {.what = "somebody thaws the cgroup", .does = thaw, .seen = Step::lost},
      {.what = "somebody replaces the cgroup by a frozen one of his own",
       .does = thaw + "echo 1 >$CGROUP/cgroup.kill; until rmdir $CGROUP; do sleep 0.01; done; mkdir $CGROUP; echo 1 >$CGROUP/cgroup.freeze",
       .seen = Step::lost,
       .stands = "grep -qx 1 $CGROUP/cgroup.freeze",
       .for_good = true}};
}

Drifts of_command() {
  return {{.what = "what the command made is taken away", .does = "rm $FILES/it"},
          {.what = "somebody removes its empty cgroups",  // as systemd may
           .does = R"(cgroups=$(find /sys/fs/cgroup -maxdepth 3 -type d -name "$ID*"); [ -n "$cgroups" ]; rmdir $cgroups)"},
          {.what = "somebody makes another file",
           .does = "echo mine >$FILES/mine",
           .stands = "grep -q mine $FILES/mine",
           .takes_back = "rm $FILES/mine"}};
}

}  // namespace

std::vector<Drift> drifts_of(const Way& way, const std::string& mechanism) {
  const auto& name = way.fault->name;
  const bool uses_nft = mechanism.find("nft") != std::string::npos;
  if (name == "network.impair" || name == "network.partition") return mechanism == "tap" ? of_a_tap() : of_filters();
  if (name == "network.down") return of_down(way);
  if (name == "network.reset") return uses_nft ? both(of_a_worker(true), of_nft()) : of_nft();
  if (name == "dns.answer") return both(of_a_worker(true), of_nft());
  if (name == "process.kill") return of_kill(way);
  if (name == "process.pause") return of_pause(mechanism);
  if (name == "command.run") return of_command();
  if (!way.fault->worker.empty()) return of_a_worker(true);
  return {};
}

}  // namespace arashi::testing
