#include "injector/host/tcx.hpp"

#include <linux/bpf.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace arashi {

namespace {

// Debian 12's headers end before TCX (Linux 6.6).
constexpr int tcx_ingress = 46;
constexpr int tcx_egress = 47;
constexpr std::uint32_t before_all = 1U << 3U;  // BPF_F_BEFORE without a relative: the first

int tcx_type(Hook hook) { return hook == Hook::egress ? tcx_egress : tcx_ingress; }

long bpf_call(int command, bpf_attr& attr) { return syscall(SYS_bpf, command, &attr, sizeof attr); }

}  // namespace

Result<Fd> attach_tcx(int program, std::int32_t device, Hook hook) {
  bpf_attr attr{};
  attr.link_create.prog_fd = static_cast<std::uint32_t>(program);
  attr.link_create.target_ifindex = static_cast<std::uint32_t>(device);
  attr.link_create.attach_type = static_cast<std::uint32_t>(tcx_type(hook));
  attr.link_create.flags = before_all;
  Fd link(static_cast<int>(bpf_call(BPF_LINK_CREATE, attr)));
  if (link) return link;
  if (errno == EINVAL) return fail(Blame::unsupported, "this kernel has no TCX (Linux 6.6)");
  return sys_fail("attach a TCX program to device ", device);
}

Result<std::vector<std::uint32_t>> tcx_programs(std::int32_t device, Hook hook) {
  std::vector<std::uint32_t> ids(64);
  bpf_attr attr{};
  attr.query.target_fd = static_cast<std::uint32_t>(device);  // target_ifindex shares its place
  attr.query.attach_type = static_cast<std::uint32_t>(tcx_type(hook));
  attr.query.prog_ids = reinterpret_cast<std::uintptr_t>(ids.data());
  attr.query.prog_cnt = static_cast<std::uint32_t>(ids.size());
  if (bpf_call(BPF_PROG_QUERY, attr) != 0) {
    if (errno == EINVAL) return fail(Blame::unsupported, "this kernel has no TCX (Linux 6.6)");
    return sys_fail("list the TCX programs of device ", device);
  }
  ids.resize(std::min<std::size_t>(ids.size(), attr.query.prog_cnt));
  return ids;
}

}  // namespace arashi
