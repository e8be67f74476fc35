#include "injector/core/json.hpp"

template class nlohmann::basic_json<>;

namespace arashi {

namespace {

// nlohmann's parser recurses on neither arrays nor objects, but its destructor and our readers do: bound the depth.
constexpr int deepest = 64;

}  // namespace

Result<Json> parse_json(std::string_view text, std::size_t limit) {
  if (text.size() > limit) return fail(Blame::input, "JSON of ", text.size(), " bytes: at most ", limit, " are accepted");
  // For the library a NUL is the end: what stands behind it would never be read.
  if (const auto nul = text.find('\0'); nul != std::string_view::npos)
    return fail(Blame::input, "not valid JSON: byte ", nul + 1, " is a NUL, which no text holds");
  bool too_deep = false;
  const auto guard_depth = [&too_deep](int depth, Json::parse_event_t, Json&) {
    if (depth > deepest) too_deep = true;
    return !too_deep;
  };
  try {
    auto value = Json::parse(text, guard_depth);
    if (too_deep) return fail(Blame::input, "JSON nested deeper than ", deepest, " levels");
    return value;
  } catch (const Json::exception& error) {
    return fail(Blame::input, "not valid JSON: ", error.what());
  }
}

std::string to_text(const Json& value, int indent) { return value.dump(indent, ' ', false, Json::error_handler_t::replace); }

}  // namespace arashi
