#include "agent/event_loop.hpp"

#include <doctest/doctest.h>
#include <unistd.h>

#include <array>

using namespace arashi;

namespace {

constexpr std::uint32_t alarm_tag = 0, pipe_tag = 1;

struct Pipe {
  Pipe() {
    std::array<int, 2> ends{};
    REQUIRE(pipe(ends.data()) == 0);
    out.reset(ends[0]);
    in.reset(ends[1]);
  }
  Fd out, in;
};

using Tags = std::vector<std::uint32_t>;

}  // namespace

TEST_CASE("the loop tells which descriptor is ready, and no more of one that it is to forget") {
  EventLoop loop;
  REQUIRE(loop.open(alarm_tag));
  const Pipe pipe;
  loop.listen_to(pipe.out.get(), pipe_tag);
  REQUIRE(write(pipe.in.get(), "x", 1) == 1);
  CHECK(loop.wait() == Tags{pipe_tag});
  CHECK(loop.wait() == Tags{pipe_tag});  // it is still there to be read

  loop.listen_to(pipe.out.get(), pipe_tag, EPOLLOUT);  // known already: only what is waited for changes
  loop.wake_at(boot_now());
  CHECK(loop.wait() == Tags{alarm_tag});

  loop.listen_to(pipe.out.get(), pipe_tag);
  loop.forget(pipe.out.get());
  CHECK(loop.wait() == Tags{alarm_tag});
}

TEST_CASE("the loop wakes at the moment it was told and not before, and a moment that was taken back wakes nobody") {
  EventLoop loop;
  REQUIRE(loop.open(alarm_tag));
  const auto moment = boot_now() + std::chrono::milliseconds(20);
  loop.wake_at(moment);
  CHECK(loop.wait() == Tags{alarm_tag});
  CHECK(boot_now() >= moment);

  const Pipe pipe;
  loop.listen_to(pipe.out.get(), pipe_tag);
  REQUIRE(write(pipe.in.get(), "x", 1) == 1);
  loop.wake_at(std::nullopt);
  CHECK(loop.wait() == Tags{pipe_tag});  // though the moment has passed
  loop.wake_at(Duration(1));             // long ago is now, even 0 ns after the boot
  CHECK(loop.wait().size() == 2);
}
