#include "injector/network/kernel_features.hpp"

#include "injector/core/fd.hpp"
#include "injector/core/units.hpp"
#include "injector/host/conntrack.hpp"
#include "injector/host/netlink.hpp"
#include "injector/host/netns.hpp"
#include "injector/host/nft.hpp"
#include "injector/host/sock_diag.hpp"
#include "injector/network/netem_message.hpp"

#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/if_tun.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include <array>
#include <functional>
#include <mutex>
#include <optional>
#include <span>

namespace arashi {

namespace {

using netlink::Message;
using netlink::Socket;

constexpr std::int32_t loopback = 1;       // a new namespace has lo and, built into some kernels, tunnel ends behind it
constexpr std::uint32_t tcx_ingress = 46;  // BPF_TCX_INGRESS; Debian 12's headers are older than Linux 6.6
constexpr std::uint32_t handle = 0x10000;  // 1:

tcmsg on_loopback(std::uint32_t parent, std::uint32_t own_handle) {
  tcmsg header{};
  header.tcm_ifindex = loopback;
  header.tcm_parent = parent;
  header.tcm_handle = own_handle;
  return header;
}

Result<void> change(Socket& socket, Message message, std::string_view what) {
  const auto ack = TRY(socket.change(std::move(message)));
  if (ack) return {};
  return netlink::ack_fail(ack, what);
}

template <class Options>
Result<void> try_root(Socket& socket, std::string_view kind, const Options& options) {
  Message add(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL);
  add.header(on_loopback(TC_H_ROOT, handle)).put_text(TCA_KIND, kind).put(TCA_OPTIONS, std::as_bytes(std::span(&options, 1)));
  TRY(change(socket, std::move(add), "add qdisc " + std::string(kind)));
  return change(socket, Message(RTM_DELQDISC, 0).header(on_loopback(TC_H_ROOT, handle)), "delete qdisc " + std::string(kind));
}

Result<void> try_netem(Socket& socket) {
  tc_netem_qopt options{};
  options.limit = 1;
  return try_root(socket, "netem", options);
}

Result<void> try_clsact(Socket& socket) {
  Message add(RTM_NEWQDISC, NLM_F_CREATE);
  add.header(on_loopback(TC_H_CLSACT, TC_H_MAKE(TC_H_CLSACT, 0))).put_text(TCA_KIND, "clsact");
  return change(socket, std::move(add), "add qdisc clsact");
}

Result<Fd> empty_program() {
  const std::array<bpf_insn, 2> pass_all{bpf_insn{.code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = -1}, bpf_insn{.code = BPF_JMP | BPF_EXIT}};
  constexpr const char* license = "GPL";
  bpf_attr attr{};
  attr.prog_type = BPF_PROG_TYPE_SCHED_CLS;
  attr.insns = reinterpret_cast<std::uintptr_t>(pass_all.data());
  attr.insn_cnt = pass_all.size();
  attr.license = reinterpret_cast<std::uintptr_t>(license);
  Fd program(static_cast<int>(syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof attr)));
  if (!program) return sys_fail("load a BPF program");
  return program;
}

Result<void> try_bpf() {
  const auto program = empty_program();
  return program ? Result<void>{} : pass(program.error());
}

Result<void> try_cls_bpf(Socket& socket) {
  const auto program = TRY(empty_program());
  TRY(try_clsact(socket));
  auto header = on_loopback(TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_EGRESS), 0);
  header.tcm_info = TC_H_MAKE(1U << 16U, htons(ETH_P_ALL));
  Message add(RTM_NEWTFILTER, NLM_F_CREATE);
  add.header(header).put_text(TCA_KIND, "bpf");
  const auto options = add.nest(TCA_OPTIONS);
  add.put_u32(TCA_BPF_FD, static_cast<std::uint32_t>(program.get())).put_text(TCA_BPF_NAME, "probe");
  add.put_u32(TCA_BPF_FLAGS, TCA_BPF_FLAG_ACT_DIRECT).end(options);
  return change(socket, std::move(add), "add a bpf filter");
}

Result<void> try_veth(Socket& socket) {
  Message add(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
  add.header(ifinfomsg{}).put_text(IFLA_IFNAME, "probe");
  const auto info = add.nest(IFLA_LINKINFO);
  add.put_text(IFLA_INFO_KIND, "veth").end(info);
  return change(socket, std::move(add), "add a pair of veth devices");
}

Result<void> try_tbf(Socket& socket) {
  TRY(change(socket, netem::add_tbf(loopback, handle, {.bits_per_second = 1'000'000, .burst = 100'000}), "add qdisc tbf"));
  return change(socket, Message(RTM_DELQDISC, 0).header(on_loopback(TC_H_ROOT, handle)), "delete qdisc tbf");
}

Result<void> try_tcx() {
  const auto program = TRY(empty_program());
  bpf_attr attr{};
  attr.link_create.prog_fd = static_cast<std::uint32_t>(program.get());
  attr.link_create.target_ifindex = loopback;
  attr.link_create.attach_type = tcx_ingress;
  const Fd link(static_cast<int>(syscall(SYS_bpf, BPF_LINK_CREATE, &attr, sizeof attr)));
  if (!link) return sys_fail("attach a program by TCX");
  return {};
}

Result<void> try_tun() {
  const Fd tap(::open("/dev/net/tun", O_RDWR | O_CLOEXEC));
  if (!tap) return sys_fail("open '/dev/net/tun'");
  ifreq request{};
  request.ifr_flags = IFF_TAP | IFF_NO_PI;
  if (ioctl(tap.get(), TUNSETIFF, &request) != 0) return sys_fail("make a TAP device");
  return {};
}

// What was made inside is gone with the namespace, whose last holders are the thread and the socket.
Result<void> in_scratch_netns(const std::function<void(Socket&)>& act) {
  return in_new_netns([&act]() -> Result<void> {
    auto socket = TRY(Socket::open());
    act(socket);
    return {};
  });
}

struct Trial {
  std::string_view name;
  Result<void> (*run)(Socket&);
};

// netem's own come first: where one is missing, netem_works needs no more.
constexpr std::array trials{
    Trial{"netem", try_netem},
    Trial{"cls_bpf", try_cls_bpf},
    Trial{"clsact", try_clsact},
    Trial{"veth", try_veth},
    Trial{"tbf", try_tbf},
    Trial{"tcx", [](Socket&) { return try_tcx(); }},
    Trial{"tun", [](Socket&) { return try_tun(); }},
    Trial{"bpf", [](Socket&) { return try_bpf(); }},
    Trial{"sock_destroy", [](Socket&) { return probe_sock_destroy(); }},
    Trial{"nft", [](Socket&) { return probe_nft(); }},
    Trial{"conntrack", [](Socket&) { return probe_conntrack(); }},
};
constexpr std::size_t for_netem = 4;  // of the trials above

Result<void> try_netem_parts() {
  Result<void> outcome;
  TRY(in_scratch_netns([&outcome](Socket& socket) {
    for (const auto& trial : std::span(trials).first(for_netem))
      if (const auto works = trial.run(socket); !works) {
        outcome = fail(Blame::unsupported, "this kernel has no ", trial.name, " (", works.error().message, ")");
        return;
      }
  }));
  return outcome;
}

struct Remembered {
  std::mutex mutex;
  std::optional<Result<void>> outcome;
  Duration until{};
};

}  // namespace

std::vector<KernelFeature> kernel_features() {
  std::vector<KernelFeature> found;
  const auto tried = in_scratch_netns([&found](Socket& socket) {
    for (const auto& trial : trials) found.push_back({trial.name, trial.run(socket)});
  });
  if (tried) return found;
  found.clear();
  for (const auto& trial : trials) found.push_back({trial.name, because(tried.error(), "not tried")});
  return found;
}

Result<void> netem_works() {
  static Remembered remembered;
  constexpr auto good_for = std::chrono::minutes(1);
  const std::lock_guard lock(remembered.mutex);
  if (!remembered.outcome || boot_now() > remembered.until) {
    remembered.outcome = try_netem_parts();
    remembered.until = boot_now() + good_for;
  }
  return *remembered.outcome;
}

Result<void> tbf_works() {
  Result<void> outcome;
  TRY(in_scratch_netns([&outcome](Socket& socket) {
    if (const auto works = try_tbf(socket); !works)
      outcome = fail(Blame::unsupported, "this kernel has no tbf, which a rate with a burst needs (", works.error().message, ")");
  }));
  return outcome;
}

}  // namespace arashi
