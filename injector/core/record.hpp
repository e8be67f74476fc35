// A struct and its JSON, bound once: each key stands in one row with the member that it is, and reading, writing and whoever wants to know
// the keys go by these rows. For what we write ourselves and read back later (journals, what travels to workers), so it is strict: every
// key is there, an absent std::optional as null; no key is unknown; nothing is converted. Nothing here throws.
//
//   struct Change {
//     std::string id;
//     Netns netns;
//     std::optional<std::uint64_t> seed;
//     static constexpr auto keys = std::tuple(key("id", &Change::id), key("netns", &Change::netns), key("seed", &Change::seed));
//   };
//   const auto change = TRY(read_record<Change>(json));   // "key 'netns.inode' must be a whole number of this size, but is \"x\""
//   const Json json = print_record(change);
//
// A struct with a Json member may have mistyped_key(), which names what is wrong in it ("match.name"; "": nothing), and `wanted`.
//
// A member may be a text, path, bool, number, Duration (nanoseconds), Json (as it is), a struct with keys, an optional, vector or map of
// these, or whatever has an AsText.
#pragma once

#include "injector/core/json.hpp"
#include "injector/core/keys.hpp"
#include "injector/core/result.hpp"
#include "injector/core/units.hpp"

#include <algorithm>
#include <array>
#include <concepts>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace arashi {

template <class Value>
concept HasKeys = requires {
  std::tuple_size<std::remove_cvref_t<decltype(Value::keys)>>::value;
};
template <class Value>
concept HasText = requires(std::string_view text) {
  AsText<Value>::parse(text);
};

template <class Value>
Json print_record(const Value& value);
template <class Value>
Result<Value> read_record(const Json& json, std::string_view name = {});

namespace record {

// Where in a document a value is: a chain on the stack.
struct Place {
  const Place* outer = nullptr;
  std::string_view key;
  std::optional<std::size_t> index{};
};

[[nodiscard]] Unexpected<Error> missing(const Place& at);
[[nodiscard]] Unexpected<Error> unknown(const Place& at, std::span<const std::string_view> known);
[[nodiscard]] Unexpected<Error> mistyped(const Place& at, std::string_view wanted, const Json& found);
[[nodiscard]] Unexpected<Error> because(const Place& at, const Error& error);

template <class Value>
inline constexpr bool is_list = false;
template <class Item>
inline constexpr bool is_list<std::vector<Item>> = true;
template <class Value>
inline constexpr bool is_map = false;
template <class Item>
inline constexpr bool is_map<std::map<std::string, Item>> = true;
template <class Value>
inline constexpr bool is_optional = false;
template <class Item>
inline constexpr bool is_optional<std::optional<Item>> = true;

Result<void> read_number(const Json& json, const Place& at, double& into);
Result<void> read_flag(const Json& json, const Place& at, bool& into);
Result<void> read_words(const Json& json, const Place& at, std::string& into);

template <std::integral Number>
Result<void> read_whole(const Json& json, const Place& at, Number& into) {
  const auto* natural = json.get_ptr<const Json::number_unsigned_t*>();
  const auto* integer = json.get_ptr<const Json::number_integer_t*>();
  if (natural != nullptr && std::in_range<Number>(*natural))
    into = static_cast<Number>(*natural);
  else if (natural == nullptr && integer != nullptr && std::in_range<Number>(*integer))
    into = static_cast<Number>(*integer);
  else
    return mistyped(at, "a whole number of this size", json);
  return {};
}

template <class Value>
Result<void> read(const Json& json, const Place& at, Value& into);

template <HasKeys Value>
Result<void> read_keys(const Json& json, const Place& at, Value& into) {
  if (!json.is_object()) return mistyped(at, "an object", json);
  constexpr auto count = std::tuple_size_v<std::remove_cvref_t<decltype(Value::keys)>>;
  Result<void> outcome;
  const auto read_one = [&](const auto& row) {
    const auto found = json.find(row.name);
    const Place here{.outer = &at, .key = row.name};
    outcome = found == json.end() ? Result<void>(missing(here)) : read(*found, here, into.*(row.member));
    return outcome.has_value();
  };
  const bool all = std::apply([&](const auto&... rows) { return (read_one(rows) && ...); }, Value::keys);
  if constexpr (requires { into.mistyped_key(); }) {  // of a Json member, what the struct itself asks of it
    if (const auto wrong = all ? into.mistyped_key() : std::string(); !wrong.empty())
      return mistyped({.outer = &at, .key = wrong}, into.wanted, json);
  }
  if (!all || json.size() == count) return outcome;
  const auto known = std::apply([](const auto&... rows) { return std::array<std::string_view, count>{rows.name...}; }, Value::keys);
  for (const auto& [name, value] : json.items())
    if (std::find(known.begin(), known.end(), name) == known.end()) return unknown({.outer = &at, .key = name}, known);
  return outcome;
}

template <class Item>
Result<void> read_list(const Json& json, const Place& at, std::vector<Item>& into) {
  if (!json.is_array()) return mistyped(at, "a list", json);
  into.clear();
  into.reserve(json.size());
  for (const auto& each : json) {
    Item item{};
    TRY(read(each, {.outer = &at, .key = {}, .index = into.size()}, item));
    into.push_back(std::move(item));
  }
  return {};
}

template <class Item>
Result<void> read_map(const Json& json, const Place& at, std::map<std::string, Item>& into) {
  if (!json.is_object()) return mistyped(at, "an object", json);
  into.clear();
  for (const auto& [name, value] : json.items()) TRY(read(value, {.outer = &at, .key = name}, into[name]));
  return {};
}

template <HasText Value>
Result<void> read_text(const Json& json, const Place& at, Value& into) {
  std::string text;
  TRY(read_words(json, at, text));
  auto parsed = AsText<Value>::parse(text);
  if (!parsed) return because(at, parsed.error());
  into = std::move(parsed).value();
  return {};
}

template <class Value>
Result<void> read(const Json& json, const Place& at, Value& into) {
  if constexpr (HasKeys<Value>) {
    return read_keys(json, at, into);
  } else if constexpr (HasText<Value>) {
    return read_text(json, at, into);
  } else if constexpr (is_optional<Value>) {
    into.reset();
    return json.is_null() ? Result<void>() : read(json, at, into.emplace());
  } else if constexpr (is_list<Value>) {
    return read_list(json, at, into);
  } else if constexpr (is_map<Value>) {
    return read_map(json, at, into);
  } else if constexpr (std::is_same_v<Value, Json>) {
    into = json;
    return {};
  } else if constexpr (std::is_same_v<Value, std::string>) {
    return read_words(json, at, into);
  } else if constexpr (std::is_same_v<Value, std::filesystem::path>) {
    std::string text;
    TRY(read_words(json, at, text));
    into = std::move(text);
    return {};
  } else if constexpr (std::is_same_v<Value, bool>) {
    return read_flag(json, at, into);
  } else if constexpr (std::is_same_v<Value, Duration>) {
    Duration::rep count = 0;
    TRY(read_whole(json, at, count));
    into = Duration(count);
    return {};
  } else if constexpr (std::integral<Value>) {
    return read_whole(json, at, into);
  } else {
    static_assert(std::is_same_v<Value, double>, "this type has no form in a record: give it keys, or an AsText");
    return read_number(json, at, into);
  }
}

}  // namespace record

template <class Value>
Json print_record(const Value& value) {
  if constexpr (HasKeys<Value>) {
    Json json = Json::object();
    const auto print_one = [&](const auto& row) { json.emplace(row.name, print_record(value.*(row.member))); };
    std::apply([&](const auto&... rows) { (print_one(rows), ...); }, Value::keys);
    return json;
  } else if constexpr (HasText<Value>) {
    return AsText<Value>::print(value);
  } else if constexpr (record::is_optional<Value>) {
    return value ? print_record(*value) : Json();
  } else if constexpr (record::is_list<Value>) {
    Json json = Json::array();
    for (const auto& each : value) json.push_back(print_record(each));
    return json;
  } else if constexpr (record::is_map<Value>) {
    Json json = Json::object();
    for (const auto& [name, each] : value) json.emplace(name, print_record(each));
    return json;
  } else if constexpr (std::is_same_v<Value, std::filesystem::path>) {
    return value.string();
  } else if constexpr (std::is_same_v<Value, Duration>) {
    return value.count();
  } else {
    return value;
  }
}

template <class Value>
Result<Value> read_record(const Json& json, std::string_view name) {
  Value value{};
  TRY(record::read(json, {.outer = nullptr, .key = name}, value));
  return value;
}

}  // namespace arashi
