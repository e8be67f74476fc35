#include "agent/channel.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace arashi;

namespace {

Call some_call() {
  return {.id = 0xfedcba9876543210U,
          .method = "POST",
          .path = "/v1/inject",
          .body = std::string("{\0}", 3),
          .peer = "10.0.0.9",
          .reached = "10.0.0.3"};
}

std::string content(const std::string& framed) { return framed.substr(4); }

}  // namespace

TEST_CASE("calls and answers arrive as they were sent") {
  const auto call = decode_call(content(encode(some_call())));
  REQUIRE(call.has_value());
  CHECK(*call == some_call());
  const Answer sent{.id = 7, .status = 409, .type = "application/json", .body = std::string(100000, 'x')};
  const auto answer = decode_answer(content(encode(sent)));
  REQUIRE(answer.has_value());
  CHECK(*answer == sent);
}

TEST_CASE("a frame cut anywhere, or with a byte too many, is refused") {
  const auto whole = content(encode(some_call()));
  for (std::size_t length = 0; length < whole.size(); ++length) CHECK_FALSE(decode_call(whole.substr(0, length)).has_value());
  CHECK_FALSE(decode_call(whole + "x").has_value());
  const auto answer = content(encode(Answer{.id = 1}));
  for (std::size_t length = 0; length < answer.size(); ++length) CHECK_FALSE(decode_answer(answer.substr(0, length)).has_value());
}

TEST_CASE("a text that claims to be longer than its frame is refused without being allocated") {
  auto frame = content(encode(some_call()));
  frame.replace(8, 4, "\xff\xff\xff\xff");
  CHECK_FALSE(decode_call(frame).has_value());
}

TEST_CASE("frames are found whatever the pieces they arrive in") {
  std::string stream;
  for (std::uint64_t id = 1; id <= 5; ++id) stream += encode(Answer{.id = id, .body = std::string(id * 3, 'b')});
  for (const std::size_t piece : {1U, 3U, 7U, 1000U}) {
    Frames frames;
    std::vector<std::uint64_t> ids;
    for (std::size_t at = 0; at < stream.size(); at += piece) {
      frames.add(std::string_view(stream).substr(at, piece));
      for (auto frame = frames.next(); frame.has_value() && frame->has_value(); frame = frames.next())
        ids.push_back(decode_answer(**frame)->id);
    }
    CHECK(ids == std::vector<std::uint64_t>{1, 2, 3, 4, 5});
  }
}

TEST_CASE("a frame longer than the limit is an error at once, not a wait for its bytes") {
  Frames frames;
  frames.add("\x7f\xff\xff\xff");
  CHECK_FALSE(frames.next().has_value());
}

TEST_CASE("a channel carries what was written and tells its end") {
  auto pair = channel_pair();
  REQUIRE(pair.has_value());
  auto& [here, there] = *pair;
  Frames frames;
  CHECK(*receive_into(frames, there.get()));
  std::string pending = encode(some_call());
  REQUIRE(send_from(pending, here.get()).has_value());
  CHECK(pending.empty());
  CHECK(*receive_into(frames, there.get()));
  CHECK(decode_call(**frames.next()).value() == some_call());
  pending.assign(std::size_t{8} << 20U, 'x');  // more than a socket holds: the rest stays
  REQUIRE(send_from(pending, here.get()).has_value());
  CHECK_FALSE(pending.empty());
  here.reset();
  Frames rest;
  bool open = true;
  while (open) open = *receive_into(rest, there.get());
  CHECK_FALSE(open);
  CHECK_FALSE(send_from(pending, there.get()).has_value());
}
