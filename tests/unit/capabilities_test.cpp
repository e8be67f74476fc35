#include "injector/capabilities.hpp"

#include <doctest/doctest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>

using namespace arashi;

namespace {

namespace fs = std::filesystem;

// A machine made of files: /proc/self/status and mountinfo, and a cgroup v2 mount.
struct FakeMachine {
  fs::path root = fs::temp_directory_path() / ("arashi-capabilities-" + std::to_string(getpid()));
  FakeMachine() { fs::create_directories(root / "proc/self"); }
  ~FakeMachine() { fs::remove_all(root); }
  FakeMachine(const FakeMachine&) = delete;
  FakeMachine& operator=(const FakeMachine&) = delete;
  FakeMachine(FakeMachine&&) = delete;
  FakeMachine& operator=(FakeMachine&&) = delete;
  void write(const std::string& file, const std::string& text) const { std::ofstream(root / file) << text; }
  [[nodiscard]] Host host() const {
    Host host;
    host.proc = root / "proc";
    return host;
  }
};

Capability named(const std::vector<Capability>& list, const std::string& name) {
  const auto found = std::find_if(list.begin(), list.end(), [&name](const Capability& each) { return each.name == name; });
  REQUIRE_MESSAGE(found != list.end(), name);
  return *found;
}

}  // namespace

TEST_CASE("capabilities are always the same names in the same order, and each missing one has a remedy") {
  const FakeMachine machine;
  const auto real = capabilities({});
  const auto fake = capabilities(machine.host());
  REQUIRE(real.size() == fake.size());
  std::set<std::string> names;
  for (std::size_t i = 0; i < real.size(); ++i) {
    CHECK(real[i].name == fake[i].name);
    CHECK_FALSE(real[i].detail.empty());
    CHECK(real[i].available == real[i].remedy.empty());
    names.insert(real[i].name);
  }
  CHECK(names.size() == real.size());
  for (const auto* name : {"netem", "clsact", "cls_bpf", "veth", "tbf", "tcx", "tun", "bpf", "cgroup v1 freezer", "cgroup v2 freezer",
                           "cgroup v2 kill", "CAP_NET_ADMIN", "CAP_SYS_ADMIN", "CAP_BPF", "CAP_KILL"})
    CHECK_MESSAGE(names.contains(name), name);
}

TEST_CASE("what a backend lacks is named with the kernel's words and what to load or install") {
  const auto lacking = [](std::string_view feature) {
    return capability_of({.name = feature, .works = fail(Blame::unsupported, "add it: No such file or directory")});
  };
  struct Want {
    std::string_view feature;
    const char* remedy;
  };
  for (const auto& want : {Want{"netem", "modprobe sch_netem"}, Want{"netem", "linux-modules-extra"}, Want{"cls_bpf", "modprobe cls_bpf"},
                           Want{"clsact", "modprobe sch_ingress"}, Want{"veth", "modprobe veth"}, Want{"tbf", "modprobe sch_tbf"},
                           Want{"tun", "modprobe tun"}, Want{"tun", "/dev/net/tun"}, Want{"tcx", "Linux 6.6"}, Want{"bpf", "CAP_BPF"}}) {
    const auto said = lacking(want.feature);
    INFO(said.name, ": ", said.remedy);
    CHECK_FALSE(said.available);
    CHECK(said.detail == "add it: No such file or directory");
    CHECK(said.remedy.find(want.remedy) != std::string::npos);
    const auto works = capability_of({.name = want.feature, .works = {}});
    CHECK(works.available);
    CHECK(works.remedy.empty());
    CHECK_FALSE(works.detail.empty());
  }
}

TEST_CASE("rights are read from the effective capabilities of the process") {
  const FakeMachine machine;
  machine.write("proc/self/status", "Name:\tx\nCapEff:\t0000000000001000\n");  // bit 12
  const auto list = capabilities(machine.host());
  CHECK(named(list, "CAP_NET_ADMIN").available);
  CHECK_FALSE(named(list, "CAP_SYS_ADMIN").available);
  CHECK_FALSE(named(list, "CAP_BPF").available);
  CHECK_FALSE(named(list, "CAP_KILL").available);
}

TEST_CASE("a process whose rights cannot be read has none") {
  const FakeMachine machine;
  const auto missing = named(capabilities(machine.host()), "CAP_NET_ADMIN");
  CHECK_FALSE(missing.available);
  CHECK(missing.detail.find("not known") != std::string::npos);
}

TEST_CASE("freezers of both cgroup versions are found by what is mounted") {
  const FakeMachine machine;
  const auto v2 = (machine.root / "cgroup").string();
  machine.write("proc/self/mountinfo",
                "31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n"
                "37 31 0:34 / /cg/freezer rw,relatime shared:9 - cgroup cgroup rw,freezer\n"
                "41 31 0:38 / " +
                    v2 + " rw,relatime - cgroup2 cgroup2 rw\n");
  fs::create_directories(v2 + "/some.slice");
  machine.write("cgroup/some.slice/cgroup.freeze", "0\n");
  const auto list = capabilities(machine.host());
  CHECK(named(list, "cgroup v1 freezer").available);
  CHECK(named(list, "cgroup v1 freezer").detail == "mounted at /cg/freezer");
  CHECK(named(list, "cgroup v2 freezer").available);
  CHECK_FALSE(named(list, "cgroup v2 kill").available);  // a kernel before 5.14
  CHECK(named(list, "cgroup v2 kill").remedy == "Linux 5.14 or later");
}

TEST_CASE("a machine without cgroups has no freezer") {
  const FakeMachine machine;
  machine.write("proc/self/mountinfo", "37 31 0:34 / /cg/cpu rw - cgroup cgroup rw,cpu\n");
  const auto list = capabilities(machine.host());
  CHECK_FALSE(named(list, "cgroup v1 freezer").available);
  CHECK_FALSE(named(list, "cgroup v2 freezer").available);
}
