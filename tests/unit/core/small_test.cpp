#include "injector/core/crc.hpp"
#include "injector/core/evidence.hpp"
#include "injector/core/id.hpp"
#include "injector/core/json.hpp"
#include "injector/core/suggest.hpp"
#include "injector/core/victim.hpp"
#include "injector/core/whole.hpp"

#include <doctest/doctest.h>

#include <array>
#include <set>

using namespace arashi;

TEST_CASE("CRC-32C gives the check values of RFC 3720 B.4") {
  CHECK(crc32c("123456789") == 0xE3069283);
  CHECK(crc32c(std::string(32, '\0')) == 0x8A9136AA);
  CHECK(crc32c(std::string(32, '\xff')) == 0x62A8AB43);
}

TEST_CASE("ids are names that a kernel object can carry") {
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    const auto id = new_id();
    CHECK(is_id(id));
    CHECK(id[0] >= 'a');
    seen.insert(id);
  }
  CHECK(seen.size() == 1000);
  for (const char* wrong : {"", "abc", "../../ab", "ABCDEFGH", "abcdefghi"}) CHECK_FALSE(is_id(wrong));
  CHECK(is_name("checkout-survives"));
  for (const char* wrong : {"", "-a", "a-", "A", "a.b", "a/b"}) CHECK_FALSE(is_name(wrong));
}

TEST_CASE("a mistyped word finds its neighbour, a strange one the list") {
  constexpr std::array<std::string_view, 3> known{"delay", "jitter", "loss"};
  CHECK(nearest("dealy", known) == "delay");
  CHECK(nearest("Jiter", known) == "jitter");
  CHECK(nearest("banana", known).empty());
  CHECK(suggestion("banana", known) == "; known are delay, jitter, loss");
}

TEST_CASE("JSON from outside is bounded in size and depth and never throws") {
  CHECK(parse_json(R"({"a":[1,2]})")->at("a").size() == 2);
  CHECK_FALSE(parse_json("{").has_value());
  CHECK_FALSE(parse_json(std::string(1000, '[') + std::string(1000, ']')).has_value());
  CHECK_FALSE(parse_json("[1,2,3]", 4).has_value());
  CHECK_FALSE(parse_json(std::string_view("{}\0[", 4)).has_value());
  CHECK(whole<std::int64_t>(Json(-7)) == -7);
  CHECK(whole<std::int64_t>(Json(7U)) == 7);
  CHECK_THROWS(whole<std::int32_t>(Json(std::uint64_t{1} << 40U)));
  CHECK_THROWS(whole<std::int64_t>(Json(1e30)));
  CHECK_THROWS(whole<std::int64_t>(Json(1.5)));
  CHECK_THROWS(whole<std::uint64_t>(Json(-1)));
  CHECK_THROWS(whole<std::int64_t>(Json("7")));
  CHECK(to_text(Json("\xff")) == "\"\xEF\xBF\xBD\"");
}

TEST_CASE("selectors are checked and survive the wire") {
  CHECK(check_selector({"process", {{"name", "wallet"}, {"port", "8080"}}}).empty());
  CHECK(check_selector({"node", {}}).empty());
  CHECK(check_selector({"proces", {}})[0] == "unknown kind of target 'proces'; did you mean 'process'?");
  CHECK(check_selector({"process", {{"port", "70000"}, {"nam", "x"}}}).size() == 2);
  CHECK(check_selector({"process", {}}).size() == 1);
  const Victim victim{.kind = "process",
                      .label = "w",
                      .pid = 7,
                      .start_time = 9,
                      .netns = 11,
                      .netns_path = "/p",
                      .cgroup = 1,
                      .cgroup_path = "/c",
                      .selector = {"process", {{"name", "w"}}}};
  CHECK(Json(victim).get<Victim>() == victim);
  const Evidence evidence{
      .in_place = true, .bit = true, .seen = 5, .affected = 2, .values = {{"loss", "fraction", 0.5, std::nullopt, "n"}}, .detail = "d"};
  CHECK(Json(evidence).get<Evidence>() == evidence);
}
