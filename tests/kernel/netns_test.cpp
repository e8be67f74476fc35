// Doing something inside a network namespace: where each thread is meanwhile and afterwards, as readlink tells of it.
#include "injector/host/netns.hpp"
#include "tests/support/namespaces.hpp"

#include <doctest/doctest.h>
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
