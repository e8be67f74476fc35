#include "injector/core/record.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <limits>

using namespace arashi;

namespace {

enum class Colour : std::uint8_t { red, green };

}  // namespace

template <>
struct arashi::AsText<Colour> {
  static std::string print(Colour colour) { return colour == Colour::red ? "red" : "green"; }
  static Result<Colour> parse(std::string_view text) {
    if (text == "red" || text == "green") return text == "red" ? Colour::red : Colour::green;
    return fail(Blame::input, "'", text, "' is no colour");
  }
};

namespace {

struct Inner {
  std::string name;
  std::uint16_t port = 0;
  bool operator==(const Inner&) const = default;
  static constexpr auto keys = std::tuple(key("name", &Inner::name), key("port", &Inner::port));
};

struct Whole {
  std::string text;
  std::filesystem::path file;
  bool flag = false;
  std::int32_t small = 0;
  std::uint64_t large = 0;
  double share = 0;
  Duration time{};
  Colour colour = Colour::red;
  Json raw;
  std::optional<Inner> maybe;
  std::vector<Inner> list;
  std::map<std::string, std::string> texts;
  bool operator==(const Whole&) const = default;
  static constexpr auto keys =
      std::tuple(key("text", &Whole::text), key("file", &Whole::file), key("flag", &Whole::flag), key("small", &Whole::small),
                 key("large", &Whole::large), key("share", &Whole::share), key("time", &Whole::time), key("colour", &Whole::colour),
                 key("raw", &Whole::raw), key("maybe", &Whole::maybe), key("list", &Whole::list), key("texts", &Whole::texts));
};

Whole sample() {
  return {.text = "línea\n",
          .file = "/run/a b",
          .flag = true,
          .small = -7,
          .large = std::numeric_limits<std::uint64_t>::max(),
          .share = 0.1,
          .time = std::chrono::milliseconds(20),
          .colour = Colour::green,
          .raw = {{"any", {1, "two", nullptr}}},
          .maybe = Inner{"one", 1},
          .list = {{"two", 2}, {"three", 3}},
          .texts = {{"KEY", "value"}, {"", ""}}};
}

std::string problem_of(const Json& json) {
  const auto read = read_record<Whole>(json);
  return read ? "" : read.error().message;
}

std::string problem_with(const Json::json_pointer& place, const Json& value) {
  auto json = print_record(sample());
  json[place] = value;
  return problem_of(json);
}

}  // namespace

TEST_CASE("a record that was written is read back as it was, through its text too") {
  for (const auto& each : {sample(), Whole{}}) {
    const auto json = print_record(each);
    CHECK(read_record<Whole>(json).value() == each);
    CHECK(read_record<Whole>(parse_json(to_text(json)).value()).value() == each);
    CHECK(json.size() == 12);  // what is absent is null, and not left out
  }
}

TEST_CASE("each missing key is named with its path, at every depth") {
  const auto whole = print_record(sample());
  for (const auto& [name, value] : whole.items()) {
    auto json = whole;
    json.erase(name);
    CHECK(problem_of(json) == "key '" + name + "' is missing");
  }
  auto json = whole;
  json["list"][1].erase("port");
  CHECK(problem_of(json) == "key 'list[1].port' is missing");
  json = whole;
  json["maybe"].erase("name");
  CHECK(problem_of(json) == "key 'maybe.name' is missing");
  const auto named = read_record<Whole>(Json::object(), "change");
  CHECK(named.error().message == "key 'change.text' is missing");
}

TEST_CASE("an unknown key is named, with what may be meant") {
  CHECK(problem_with("/smal"_json_pointer, 1).starts_with("unknown key 'smal'"));
  CHECK(problem_with("/smal"_json_pointer, 1).find("small") != std::string::npos);
  CHECK(problem_with("/list/0/more"_json_pointer, 1).starts_with("unknown key 'list[0].more'"));
}

TEST_CASE("nothing is converted: a value of another type is named with what it must be") {
  const Json wrong = Json::array({Json::array()});
  for (const auto* place : {"/text", "/file", "/flag", "/small", "/large", "/share", "/time", "/colour", "/maybe", "/list", "/texts",
                            "/list/0", "/list/0/name", "/texts/KEY"}) {
    INFO(place);
    CHECK(problem_with(Json::json_pointer(place), wrong).find("must be") != std::string::npos);
    if (std::string_view(place) != "/maybe") CHECK(problem_with(Json::json_pointer(place), nullptr).find("must be") != std::string::npos);
  }
  CHECK(problem_with("/small"_json_pointer, "7") == "key 'small' must be a whole number of this size, but is \"7\"");
  CHECK(problem_with("/small"_json_pointer, 1.0).find("whole number") != std::string::npos);
  CHECK(problem_with("/small"_json_pointer, 1LL << 31).find("whole number") != std::string::npos);
  CHECK(problem_with("/large"_json_pointer, -1).find("whole number") != std::string::npos);
  CHECK(problem_with("/list/0/port"_json_pointer, 65536).find("list[0].port") != std::string::npos);
  CHECK(problem_with("/flag"_json_pointer, 1).find("true or false") != std::string::npos);
  CHECK(problem_with("/share"_json_pointer, 1).empty());  // a number is a number: JSON has one kind
  CHECK(problem_with("/colour"_json_pointer, "blue") == "key 'colour': 'blue' is no colour");
  CHECK(problem_of(Json::array()) == "the record must be an object, but is []");
  CHECK(problem_with("/text"_json_pointer, Json::array({std::string(500, 'x')})).size() < 150);
}
