// Doing something inside a network namespace: where each thread is meanwhile and afterwards, as readlink tells of it.
#include "injector/host/netns.hpp"
#include "injector/target.hpp"
#include "tests/support/namespaces.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <future>

using namespace arashi;
using namespace arashi::testing;

namespace {

std::string namespace_of(pid_t thread) {
  return run({"readlink", "/proc/" + std::to_string(getpid()) + "/task/" + std::to_string(thread) + "/ns/net"}).output;
}

std::string link_to(std::uint64_t inode) { return "net:[" + std::to_string(inode) + "]\n"; }

Fd opened(const Namespace& there) {
  auto fd = open_netns(Host{}, {.path = there.path().string(), .inode = there.inode()});
  REQUIRE(fd.has_value());
  return *std::move(fd);
}

}  // namespace

TEST_CASE("a thread that does something inside a namespace comes back, also when that fails or throws") {
  const Namespace there;
  const auto fd = opened(there);
  const auto home = namespace_of(getpid());
  std::async(std::launch::async, [&] {
    const auto self = gettid();
    std::string meanwhile;
    CHECK(inside(fd, [&]() -> Result<void> {
            meanwhile = namespace_of(self);
            return {};
          }).has_value());
    CHECK(meanwhile == link_to(there.inode()));
    CHECK(namespace_of(self) == home);
    CHECK_FALSE(inside(fd, [] { return Result<void>(fail(Blame::system, "on purpose")); }).has_value());
    CHECK(namespace_of(self) == home);
    CHECK_THROWS_AS((void)inside(fd, []() -> Result<void> { throw std::runtime_error("on purpose"); }), std::runtime_error);
    CHECK(namespace_of(self) == home);
  }).get();
}

TEST_CASE("the first thread of a process, whose namespace is the process's, never moves") {
  const Namespace there;
  const auto fd = opened(there);
  const auto home = namespace_of(getpid());
  std::string first, acting;
  CHECK(inside(fd, [&]() -> Result<void> {
          first = namespace_of(getpid());
          acting = namespace_of(gettid());
          return {};
        }).has_value());
  CHECK(first == home);
  CHECK(acting == link_to(there.inode()));
}

TEST_CASE("only a network namespace is opened as one: neither a FIFO, nor a device, nor another kind of namespace") {
  const Namespace there;
  const Directory directory;
  const auto fifo = directory.path() / "fifo";
  REQUIRE(mkfifo(fifo.c_str(), 0600) == 0);
  const auto link = directory.path() / "link";
  std::filesystem::create_symlink(there.path(), link);
  CHECK(netns_inode(there.path()).value_or(0) == there.inode());
  CHECK(netns_inode(link).value_or(0) == there.inode());
  for (const std::string& path :
       {fifo.string(), std::string("/dev/null"), std::string("/proc/self/ns/mnt"), std::string("/etc/hostname")}) {
    CAPTURE(path);
    const auto opened = open_netns_file(path);
    REQUIRE_FALSE(opened.has_value());
    CHECK(opened.error().blame == Blame::input);
    CHECK(opened.error().message.find("namespace") != std::string::npos);
    for (const char* kind : {"netns", "process"}) {
      const auto key = std::string_view(kind) == "netns" ? "path" : "netns";
      const auto found = resolve(Host{}, {.kind = kind, .match = {{key, path}}});
      CHECK((!found || found->empty()));
    }
    struct stat info {};
    REQUIRE(stat(path.c_str(), &info) == 0);
    // A request that names it all the same, as a forged one would.
    CHECK_FALSE(open_netns(Host{}, {.path = path, .inode = info.st_ino}).has_value());
    CHECK_FALSE(run_command({.argv = {"true"}, .netns = path}, std::chrono::seconds(10), 10).has_value());
  }
  CHECK(netns_inode(directory.path() / "none").error().blame == Blame::missing);
}
