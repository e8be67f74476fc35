#include "injector/capabilities.hpp"

#include "injector/network/kernel_features.hpp"

#include <linux/capability.h>
#include <sys/utsname.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace arashi {

namespace {

namespace fs = std::filesystem;

struct Known {
  std::string_view name, works, remedy;
};

constexpr std::array known_features{
    Known{"netem", "qdisc netem: delay, jitter and loss in the kernel",
          "`modprobe sch_netem` (Debian: in linux-image, Ubuntu: in linux-modules-extra, Fedora: in kernel-modules-extra); without it the "
          "bpf and tap backends do the same"},
    Known{"clsact", "qdisc clsact: programs on a device's way in and out", "`modprobe sch_ingress`; Linux 4.5 or later"},
    Known{"cls_bpf", "tc filters that are BPF programs", "`modprobe cls_bpf`"},
    Known{"veth", "pairs of veth devices: netem for some of a device's packets", "`modprobe veth`"},
    Known{"tbf", "qdisc tbf: netem's rate with a burst", "`modprobe sch_tbf`"},
    Known{"tcx", "TCX links: programs that go when their holder dies", "Linux 6.6 or later; clsact takes its place"},
    Known{"tun", "TAP devices: the tap backend's delay", "`modprobe tun`, and give a container the device /dev/net/tun"},
    Known{"bpf", "BPF programs for the network", "CONFIG_BPF_SYSCALL, and CAP_BPF with CAP_NET_ADMIN (or root)"},
    Known{"sock_destroy", "ending TCP connections by SOCK_DESTROY: network.reset, network.partition with established: reset",
          "Linux 4.9 or later with CONFIG_INET_DIAG_DESTROY; `modprobe tcp_diag`"},
    Known{"nft", "nftables tables that go with their holder: network.reset of new connections, dns.answer",
          "Linux 5.12 or later with nf_tables (`modprobe nf_tables`), and the package libnftables1 (elsewhere: nftables)"},
    Known{"conntrack", "the kernel's table of tracked connections: dns.answer, conntrack.exhaust", "`modprobe nf_conntrack_netlink`"},
};

struct Mount {
  fs::path at;
  std::string type, options;
};

// proc_pid_mountinfo(5): "ID PARENT MAJ:MIN ROOT POINT OPTIONS [TAGS] - TYPE SOURCE SUPEROPTIONS"
std::vector<Mount> cgroup_mounts(const Host& host) {
  std::vector<Mount> found;
  std::ifstream file(host.proc / "self/mountinfo");
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string skipped, point, word;
    Mount mount;
    words >> skipped >> skipped >> skipped >> skipped >> point;
    while (words >> word && word != "-") {
    }
    words >> mount.type >> skipped >> mount.options;
    mount.at = point;
    if (mount.type == "cgroup" || mount.type == "cgroup2") found.push_back(std::move(mount));
  }
  return found;
}

bool holds_word(std::string_view comma_separated, std::string_view word) {
  return ("," + std::string(comma_separated) + ",").find("," + std::string(word) + ",") != std::string::npos;
}

Capability freezer_v1(const std::vector<Mount>& mounts) {
  Capability entry{.name = "cgroup v1 freezer", .available = false, .detail = "no v1 freezer is mounted", .remedy = {}};
  for (const auto& mount : mounts)
    if (mount.type == "cgroup" && holds_word(mount.options, "freezer")) {
      entry.available = true;
      entry.detail = "mounted at " + mount.at.string();
    }
  if (!entry.available) entry.remedy = "nothing, where cgroup v2 has a freezer; else mount the v1 freezer hierarchy";
  return entry;
}

struct V2File {
  std::string_view name, file;
  int major, minor;  // of the first Linux that has it
};

// The root cgroup has neither file and any other has both; where there is no other yet, the kernel's version tells.
Capability v2_file(const std::vector<Mount>& mounts, const V2File& wanted) {
  Capability entry{
      .name = std::string(wanted.name), .available = false, .detail = "cgroup v2 is not mounted", .remedy = "mount -t cgroup2"};
  const auto mount = std::find_if(mounts.begin(), mounts.end(), [](const Mount& each) { return each.type == "cgroup2"; });
  if (mount == mounts.end()) return entry;
  entry.remedy = "Linux " + std::to_string(wanted.major) + "." + std::to_string(wanted.minor) + " or later";
  std::error_code error;
  for (const auto& child : fs::directory_iterator(mount->at, error)) {
    if (!child.is_directory(error)) continue;
    entry.available = fs::exists(child.path() / wanted.file, error);
    entry.detail = (entry.available ? "" : "no ") + std::string(wanted.file) + " in " + child.path().string();
    if (entry.available) entry.remedy.clear();
    return entry;
  }
  utsname kernel{};
  uname(&kernel);
  int major = 0;
  int minor = 0;
  char dot = 0;
  std::istringstream(kernel.release) >> major >> dot >> minor;
  entry.available = std::pair(major, minor) >= std::pair(wanted.major, wanted.minor);
  entry.detail = "Linux " + std::string(kernel.release) + ", cgroup v2 at " + mount->at.string();
  if (entry.available) entry.remedy.clear();
  return entry;
}

std::optional<std::uint64_t> effective_capabilities(const Host& host) {
  std::ifstream file(host.proc / "self/status");
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with("CapEff:")) continue;
    const auto start = line.find_first_not_of(" \t", 7);
    std::uint64_t bits = 0;
    if (start == std::string::npos) return std::nullopt;
    const auto end = std::from_chars(line.data() + start, line.data() + line.size(), bits, 16);
    return end.ec == std::errc{} ? std::optional(bits) : std::nullopt;
  }
  return std::nullopt;
}

struct Right {
  std::string_view name, use;
  unsigned bit;
};

constexpr std::array rights{
    Right{"CAP_NET_ADMIN", "network faults", CAP_NET_ADMIN},
    Right{"CAP_SYS_ADMIN", "entering network namespaces", CAP_SYS_ADMIN},
    Right{"CAP_BPF", "loading BPF programs", 39},  // not in older headers
    Right{"CAP_KILL", "signals to other users' processes", CAP_KILL},
    Right{"CAP_SYS_PTRACE", "finding other users' network namespaces", CAP_SYS_PTRACE},
};

void add_rights(std::vector<Capability>& list, const Host& host) {
  const auto held = effective_capabilities(host);
  for (const auto& right : rights) {
    Capability entry{.name = std::string(right.name), .available = false, .detail = "for " + std::string(right.use), .remedy = {}};
    entry.available = held && ((*held >> right.bit) & 1U) != 0;
    if (!held) entry.detail = "not known: no CapEff in " + (host.proc / "self/status").string();
    if (!entry.available) entry.remedy = "run the agent as root, or give its container this capability";
    list.push_back(std::move(entry));
  }
}

}  // namespace

Capability capability_of(const KernelFeature& feature) {
  const auto known = std::ranges::find(known_features, feature.name, &Known::name);
  Capability one{.name = std::string(feature.name), .available = feature.works.has_value(), .detail = {}, .remedy = {}};
  if (!feature.works) one.detail = feature.works.error().message;
  if (known == known_features.end()) return one;
  (one.available ? one.detail : one.remedy) = std::string(one.available ? known->works : known->remedy);
  return one;
}

std::vector<Capability> capabilities(const Host& host) {
  std::vector<Capability> list;
  for (const auto& feature : kernel_features()) list.push_back(capability_of(feature));
  const auto mounts = cgroup_mounts(host);
  list.push_back(freezer_v1(mounts));
  list.push_back(v2_file(mounts, {"cgroup v2 freezer", "cgroup.freeze", 5, 2}));
  list.push_back(v2_file(mounts, {"cgroup v2 kill", "cgroup.kill", 5, 14}));
  add_rights(list, host);
  return list;
}

}  // namespace arashi
