// Reads the policy file. JSON is YAML too, so one parser serves both; yaml-cpp's exceptions stop here.
#include "agent/policy.hpp"
#include "injector/core/suggest.hpp"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <functional>

namespace arashi {

namespace {

constexpr std::size_t largest_file = std::size_t{1} << 20U;

struct Wrong {
  YAML::Mark at;
  std::string reason;
};

std::string scalar(const YAML::Node& node, std::string_view want) {
  if (!node.IsScalar()) throw Wrong{node.Mark(), "must be " + std::string(want)};
  return node.Scalar();
}

void read(const YAML::Node& node, std::vector<std::string>& out) {
  if (!node.IsSequence()) throw Wrong{node.Mark(), "must be a list"};
  out.clear();
  for (const auto& item : node) out.push_back(scalar(item, "a list of texts"));
}

void read(const YAML::Node& node, Duration& out) {
  const auto parsed = parse_duration(scalar(node, "a duration such as 60s"));
  if (!parsed) throw Wrong{node.Mark(), parsed.error().message};
  if (*parsed <= Duration::zero()) throw Wrong{node.Mark(), "must be longer than nothing"};
  out = *parsed;
}

void read(const YAML::Node& node, std::size_t& out) {
  const auto text = scalar(node, "a number");
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc{} || end != text.data() + text.size()) throw Wrong{node.Mark(), "must be a whole number, not '" + text + "'"};
}

struct Key {
  std::string_view name;
  void (*read_into)(const YAML::Node&, Policy&);
};

template <auto member>
constexpr Key key(std::string_view name) {
  return {name, [](const YAML::Node& node, Policy& policy) { read(node, policy.*member); }};
}

constexpr std::array keys{key<&Policy::allowed_faults>("allowedFaults"),       key<&Policy::denied_faults>("deniedFaults"),
                          key<&Policy::protected_units>("protectedUnits"),     key<&Policy::protected_processes>("protectedProcesses"),
                          key<&Policy::protected_cgroups>("protectedCgroups"), key<&Policy::protected_namespaces>("protectedNamespaces"),
                          key<&Policy::longest_lease>("longestLease"),         key<&Policy::longest_duration>("longestDuration"),
                          key<&Policy::most_injections>("mostInjections")};

void read_entry(const YAML::Node& name, const YAML::Node& value, Policy& policy) {
  const auto text = scalar(name, "a key");
  for (const auto& known : keys) {
    if (known.name != text) continue;
    try {
      return known.read_into(value, policy);
    } catch (const Wrong& wrong) {
      throw Wrong{wrong.at, text + ": " + wrong.reason};
    }
  }
  std::vector<std::string_view> names(keys.size());
  std::ranges::transform(keys, names.begin(), &Key::name);
  throw Wrong{name.Mark(), "unknown key '" + text + "'" + suggestion(text, names)};
}

Unexpected<Error> at(const std::string& name, const YAML::Mark& mark, const std::string& reason) {
  if (mark.is_null()) return fail(Blame::input, name, ": ", reason);
  return fail(Blame::input, name, ":", mark.line + 1, ":", mark.column + 1, ": ", reason);
}

}  // namespace

Result<Policy> parse_policy(const std::string& text, const std::string& name) {
  if (text.size() > largest_file) return fail(Blame::input, name, ": a policy of ", text.size(), " bytes: at most ", largest_file);
  try {
    Policy policy;
    const auto root = YAML::Load(text);
    if (root.IsNull()) return policy;
    if (!root.IsMap()) throw Wrong{root.Mark(), "must be an object"};
    for (const auto& entry : root) read_entry(entry.first, entry.second, policy);
    return policy;
  } catch (const Wrong& wrong) {
    return at(name, wrong.at, wrong.reason);
  } catch (const YAML::Exception& error) {
    return at(name, error.mark, error.msg);
  }
}

}  // namespace arashi
