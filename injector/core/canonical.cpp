// What arrives over a wire as canonical is checked once more: the process that acts on it has more rights than the one that sent it.
#include "injector/core/params.hpp"
#include "injector/core/peer.hpp"
#include "injector/core/ports.hpp"
#include "injector/core/suggest.hpp"

#include <algorithm>

namespace arashi {

namespace {

bool is_peer(const Json& item) { return item.is_string() && parse_peer(item.get_ref<const std::string&>()).has_value(); }

bool is_port(const Json& item) { return item.is_string() && parse_ports(item.get_ref<const std::string&>()).has_value(); }

bool has_type(const Param& param, const Json& value) {
  switch (param.type) {
    case ParamType::duration:
    case ParamType::bytes:
    case ParamType::integer:
    case ParamType::bandwidth:
      return value.is_number_integer();
    case ParamType::percent:
    case ParamType::rate:
      return value.is_number();
    case ParamType::text:
      return value.is_string();
    case ParamType::boolean:
      return value.is_boolean();
    case ParamType::choice:
      return value.is_string() && std::ranges::find(param.choices, value.get<std::string>()) != param.choices.end();
    case ParamType::peers:
      return value.is_array() && std::ranges::all_of(value, is_peer);
    case ParamType::ports:
      return value.is_array() && std::ranges::all_of(value, is_port);
    case ParamType::list:
      return value.is_array() && std::ranges::all_of(value, [](const Json& item) { return item.is_string(); });
    case ParamType::percents:
      return value.is_array() && std::ranges::all_of(value, [](const Json& item) { return item.is_number(); });
    case ParamType::numbers:
      return value.is_array() && std::ranges::all_of(value, [](const Json& item) { return item.is_number_integer(); });
  }
  return false;
}

bool is_within(const Param& param, const Json& value) {
  if (value.is_array()) return std::ranges::all_of(value, [&param](const Json& item) { return is_within(param, item); });
  if (!value.is_number()) return true;
  const auto number = value.get<double>();
  const bool can_be_negative = param.type == ParamType::integer || param.type == ParamType::numbers;
  const bool is_fraction = (param.type != ParamType::percent && param.type != ParamType::percents) || number <= 1;
  return number >= param.least && number <= param.most && is_fraction && (can_be_negative || number >= 0);
}

}  // namespace

std::vector<ParamProblem> check_canonical(std::span<const Param> declared, const Json& canonical) {
  if (!canonical.is_object()) return {{"", "canonical parameters are not an object"}};
  std::vector<ParamProblem> problems;
  std::vector<std::string_view> known;
  known.reserve(declared.size());
  for (const auto& param : declared) known.push_back(param.name);
  for (const auto& [name, value] : canonical.items())
    if (std::ranges::find(known, name) == known.end())
      problems.push_back({name, "unknown parameter '" + name + "'" + suggestion(name, known)});
  for (const auto& param : declared) {
    const std::string name(param.name);
    const auto found = canonical.find(name);
    if (found == canonical.end()) {
      if (param.required) problems.push_back({name, "parameter '" + name + "' is missing"});
    } else if (!has_type(param, *found) || !is_within(param, *found)) {
      problems.push_back({name, "parameter '" + name + "' is " + to_text(*found).substr(0, 60) + ": not a canonical " +
                                    std::string(name_of(param.type)) + " within its bounds"});
    }
  }
  return problems;
}

}  // namespace arashi
