#include "injector/core/record.hpp"

#include "injector/core/suggest.hpp"

namespace arashi::record {

namespace {

constexpr std::size_t shown = 60;  // bytes of a wrong value

// "impairment.devices[1].name"
std::string path_of(const Place& at) {
  auto path = at.outer == nullptr ? std::string() : path_of(*at.outer);
  if (at.index) return path + "[" + std::to_string(*at.index) + "]";
  if (!path.empty() && !at.key.empty()) path += '.';
  return path + std::string(at.key);
}

std::string words_for(const Place& at) {
  const auto path = path_of(at);
  return path.empty() ? "the record" : "key '" + path + "'";
}

}  // namespace

Unexpected<Error> missing(const Place& at) { return fail(Blame::input, words_for(at), " is missing"); }

Unexpected<Error> unknown(const Place& at, std::span<const std::string_view> known) {
  return fail(Blame::input, "unknown ", words_for(at), suggestion(at.key, known));
}

Unexpected<Error> mistyped(const Place& at, std::string_view wanted, const Json& found) {
  auto text = to_text(found);
  if (text.size() > shown) text = text.substr(0, shown) + "…";
  return fail(Blame::input, words_for(at), " must be ", wanted, ", but is ", text);
}

Unexpected<Error> because(const Place& at, const Error& error) { return fail(Blame::input, words_for(at), ": ", error.message); }

Result<void> read_number(const Json& json, const Place& at, double& into) {
  if (!json.is_number()) return mistyped(at, "a number", json);
  into = json.get<double>();
  return {};
}

Result<void> read_flag(const Json& json, const Place& at, bool& into) {
  if (!json.is_boolean()) return mistyped(at, "true or false", json);
  into = json.get<bool>();
  return {};
}

Result<void> read_words(const Json& json, const Place& at, std::string& into) {
  const auto* text = json.get_ptr<const Json::string_t*>();
  if (text == nullptr) return mistyped(at, "a text", json);
  into = *text;
  return {};
}

}  // namespace arashi::record
