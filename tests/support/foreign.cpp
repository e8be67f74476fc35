#include "tests/support/foreign.hpp"

#include "injector/host/netlink.hpp"

#include <bpf/bpf.h>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>

#include <array>
#include <cstddef>

namespace arashi::test {

namespace {

constexpr std::uint32_t zero = 0;

bpf_insn instruction(int code, int to, int from, int offset, std::int32_t value) {
  bpf_insn made{};
  made.code = static_cast<__u8>(code);
  made.dst_reg = static_cast<__u8>(to & 0xf);
  made.src_reg = static_cast<__u8>(from & 0xf);
  made.off = static_cast<__s16>(offset);
  made.imm = value;
  return made;
}

// r6 = skb. What is not ICMP over IPv4 (protocol at byte 23 of the frame) goes on uncounted.
std::vector<bpf_insn> instructions(int counter, ForeignProgram::Verdict verdict, std::int32_t to) {
  constexpr int icmp_at = ETH_HLEN + 9;
  const int last = verdict == ForeignProgram::redirect_icmp ? 4 : 2;
  std::vector<bpf_insn> text{
      instruction(BPF_ALU64 | BPF_MOV | BPF_X, 6, 1, 0, 0),
      instruction(BPF_LDX | BPF_MEM | BPF_W, 2, 6, offsetof(__sk_buff, protocol), 0),
      instruction(BPF_JMP | BPF_JNE | BPF_K, 2, 0, 12 + last, htons(ETH_P_IP)),
      instruction(BPF_LD | BPF_ABS | BPF_B, 0, 0, 0, icmp_at),  // r0 = the byte
      instruction(BPF_JMP | BPF_JNE | BPF_K, 0, 0, 10 + last, IPPROTO_ICMP),
      instruction(BPF_ST | BPF_MEM | BPF_W, 10, 0, -4, 0),
      instruction(BPF_LD | BPF_IMM | BPF_DW, 1, BPF_PSEUDO_MAP_FD, 0, counter),
      instruction(0, 0, 0, 0, 0),
      instruction(BPF_ALU64 | BPF_MOV | BPF_X, 2, 10, 0, 0),
      instruction(BPF_ALU64 | BPF_ADD | BPF_K, 2, 0, 0, -4),  // NOLINT(misc-redundant-expression): both are 0, and say two things
      instruction(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_map_lookup_elem),
      instruction(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 3 + last, 0),
      instruction(BPF_ALU64 | BPF_MOV | BPF_K, 1, 0, 0, 1),
      instruction(BPF_STX | BPF_ATOMIC | BPF_DW, 0, 1, 0, BPF_ADD),
      instruction(BPF_JMP | BPF_JA, 0, 0, 0, 0),
  };
  if (verdict == ForeignProgram::redirect_icmp) {
    text.push_back(instruction(BPF_ALU64 | BPF_MOV | BPF_K, 1, 0, 0, to));
    text.push_back(instruction(BPF_ALU64 | BPF_MOV | BPF_K, 2, 0, 0, 0));
    text.push_back(instruction(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_redirect));
  } else {
    text.push_back(instruction(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, verdict == ForeignProgram::ok ? TC_ACT_OK : TC_ACT_UNSPEC));
  }
  text.push_back(instruction(BPF_JMP | BPF_EXIT, 0, 0, 0, 0));
  text.push_back(instruction(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, verdict == ForeignProgram::ok ? TC_ACT_OK : TC_ACT_UNSPEC));
  text.push_back(instruction(BPF_JMP | BPF_EXIT, 0, 0, 0, 0));
  return text;
}

netlink::Socket socket_of(const std::string& netns) {
  const Fd there(::open(netns.c_str(), O_RDONLY | O_CLOEXEC));
  REQUIRE(there);
  auto socket = netlink::Socket::open(there);
  REQUIRE(socket.has_value());
  return *std::move(socket);
}

std::int32_t index_in(const std::string& netns, const std::string& name) {
  auto socket = socket_of(netns);
  const auto present = links(socket);
  REQUIRE(present.has_value());
  for (const auto& link : *present)
    if (link.device.name == name) return link.device.index;
  FAIL("no device ", name);
  return 0;
}

}  // namespace

ForeignProgram::ForeignProgram(Verdict verdict, std::int32_t to)
    : counter_(bpf_map_create(BPF_MAP_TYPE_ARRAY, "foreign", sizeof zero, sizeof(std::uint64_t), 1, nullptr)) {
  REQUIRE(counter_);
  const auto text = instructions(counter_.get(), verdict, to);
  std::array<char, 65536> log{};
  bpf_prog_load_opts options{};
  options.sz = sizeof options;
  options.log_buf = log.data();
  options.log_size = log.size();
  options.log_level = 1;
  program_ = Fd(bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "foreign", "GPL", text.data(), text.size(), &options));
  REQUIRE_MESSAGE(program_, log.data());
}

ForeignProgram::ForeignProgram(const std::string& netns, const std::string& device, Hook hook, std::uint16_t priority, Verdict verdict,
                               const std::string& to)
    : ForeignProgram(verdict, to.empty() ? 0 : index_in(netns, to)) {
  auto socket = socket_of(netns);
  tcmsg header{};
  header.tcm_ifindex = index_in(netns, device);
  header.tcm_parent = TC_H_MAKE(TC_H_CLSACT, hook == Hook::egress ? TC_H_MIN_EGRESS : TC_H_MIN_INGRESS);
  header.tcm_info = TC_H_MAKE(static_cast<std::uint32_t>(priority) << 16U, htons(ETH_P_ALL));
  netlink::Message message(RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_EXCL);
  message.header(header).put_text(TCA_KIND, "bpf");
  const auto nested = message.nest(TCA_OPTIONS);
  message.put_u32(TCA_BPF_FD, static_cast<std::uint32_t>(program_.get())).put_text(TCA_BPF_NAME, "cil_foreign");
  message.put_u32(TCA_BPF_FLAGS, TCA_BPF_FLAG_ACT_DIRECT);
  message.end(nested);
  const auto ack = socket.change(std::move(message));
  REQUIRE(ack.has_value());
  REQUIRE_MESSAGE(ack->code == 0, ack->said);
}

std::uint64_t ForeignProgram::icmp() const {
  std::uint64_t count = 0;
  REQUIRE(bpf_map_lookup_elem(counter_.get(), &zero, &count) == 0);
  return count;
}

void ForeignProgram::reset() const {
  const std::uint64_t none = 0;
  REQUIRE(bpf_map_update_elem(counter_.get(), &zero, &none, BPF_ANY) == 0);
}

}  // namespace arashi::test
