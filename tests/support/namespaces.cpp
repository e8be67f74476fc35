#include "tests/support/namespaces.hpp"

#include "tests/support/remains.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include <csignal>
#include <cstdlib>

namespace arashi::testing {

namespace {

void must(const Ran& ran, const std::string& what) {
  if (ran.exit_code != 0) FAIL(what << ": exit " << ran.exit_code << ": " << ran.output);
}

void ip(const std::string& netns, std::vector<std::string> words) {
  std::vector<std::string> argv{"ip", "-n", netns};
  argv.insert(argv.end(), words.begin(), words.end());
  std::string text;
  for (const auto& word : argv) text += word + " ";
  must(run(argv), text);
}

}  // namespace

std::string unique_name(const std::string& prefix) {
  static int count = 0;
  return prefix + "-" + std::to_string(::getpid()) + "-" + std::to_string(count++);
}

void end_processes_in(const std::filesystem::path& netns) {
  struct stat wanted {};
  struct stat own {};
  if (::stat(netns.c_str(), &wanted) != 0 || ::stat("/proc/self/ns/net", &own) != 0) return;
  if (wanted.st_ino == own.st_ino) return;  // the machine's own: never
  std::error_code error;
  for (std::filesystem::directory_iterator entry("/proc", error), end; !error && entry != end; entry.increment(error)) {
    const auto pid = std::atoi(entry->path().filename().c_str());
    struct stat found {};
    if (pid > 1 && ::stat((entry->path() / "ns/net").c_str(), &found) == 0 && found.st_dev == wanted.st_dev &&
        found.st_ino == wanted.st_ino)
      ::kill(pid, SIGKILL);
  }
}

Namespace::Namespace(const std::string& prefix) : name_(unique_name(prefix)) {
  note(Made::netns, name_);
  must(testing::run({"ip", "netns", "add", name_}), "ip netns add " + name_);
  // No router solicitations and neighbour discovery of its own, so that packet counts are the test's.
  must(run({"sysctl", "-qw", "net.ipv6.conf.default.accept_dad=0", "net.ipv6.conf.default.router_solicitations=0",
            "net.ipv6.conf.default.addr_gen_mode=1"}),
       "sysctl in " + name_);
  ip(name_, {"link", "set", "lo", "up"});
}

Namespace::~Namespace() {
  end_processes_in(path());
  testing::run({"ip", "netns", "delete", name_});
}

std::uint64_t Namespace::inode() const {
  struct stat info {};
  return ::stat(path().c_str(), &info) == 0 ? info.st_ino : 0;
}

Pair::Pair(const std::string& prefix) : left(prefix + "l"), right(prefix + "r") {
  ip(left.name(), {"link", "add", device, "type", "veth", "peer", "name", device, "netns", right.name()});
  // Both links before the addresses: else the first IPv6 neighbour waits a second for a solicitation that was lost.
  for (const auto* end : {&left, &right}) ip(end->name(), {"link", "set", device, "up"});
  const auto set_up = [](const std::string& netns, const char* v4, const char* v6) {
    ip(netns, {"address", "add", std::string(v4) + "/24", "dev", device});
    ip(netns, {"address", "add", std::string(v6) + "/64", "dev", device, "nodad"});
  };
  set_up(left.name(), left_v4, left_v6);
  set_up(right.name(), right_v4, right_v6);
}

Directory::Directory(const std::filesystem::path& below) {
  std::string text = (below / "arashi-test-XXXXXX").string();
  if (::mkdtemp(text.data()) == nullptr) FAIL("make a directory below " << below.string());
  path_ = text;
  note(Made::directory, path_);
}

Directory::~Directory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace arashi::testing
