// Reads the policy file. JSON is YAML too, so one parser serves both; yaml-cpp's exceptions stop here.
#include "agent/policy.hpp"
#include "injector/core/suggest.hpp"
#include "injector/fault.hpp"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <set>

namespace arashi {

namespace {

constexpr std::size_t largest_file = std::size_t{1} << 20U;

struct Wrong {
  YAML::Mark at;
  std::string reason;
};

using Wrongs = std::vector<Wrong>;

std::optional<std::string> scalar(const YAML::Node& node, std::string_view want, Wrongs& wrongs) {
  if (node.IsScalar()) return node.Scalar();
  wrongs.push_back({node.Mark(), "must be " + std::string(want)});
  return std::nullopt;
}

void read(const YAML::Node& node, std::vector<std::string>& out, Wrongs& wrongs) {
  if (!node.IsSequence()) return wrongs.push_back({node.Mark(), "must be a list"});
  out.clear();
  for (const auto& item : node)
    if (auto text = scalar(item, "a list of texts", wrongs)) out.push_back(*std::move(text));
}

// A fault that no agent has can't be what was meant: a mistyped one would be allowed.
void read_faults(const YAML::Node& node, std::vector<std::string>& out, Wrongs& wrongs) {
  read(node, out, wrongs);
  if (!node.IsSequence()) return;
  std::vector<std::string_view> names;
  for (const Fault* fault : all_faults()) names.push_back(fault->name);
  for (const auto& item : node)
    if (item.IsScalar() && std::ranges::none_of(names, [&](std::string_view name) { return matches_glob(item.Scalar(), name); }))
      wrongs.push_back({item.Mark(), "'" + item.Scalar() + "' is no fault of this agent" + suggestion(item.Scalar(), names)});
}

void read(const YAML::Node& node, Duration& out, Wrongs& wrongs) {
  const auto text = scalar(node, "a duration such as 60s", wrongs);
  if (!text) return;
  const auto parsed = parse_duration(*text);
  if (!parsed) return wrongs.push_back({node.Mark(), parsed.error().message});
  if (*parsed <= Duration::zero()) return wrongs.push_back({node.Mark(), "must be > 0"});
  out = *parsed;
}

void read(const YAML::Node& node, std::size_t& out, Wrongs& wrongs) {
  const auto text = scalar(node, "a number", wrongs);
  if (!text) return;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), out);
  if (error != std::errc{} || end != text->data() + text->size())
    wrongs.push_back({node.Mark(), "must be a whole number, not '" + *text + "'"});
}

struct Key {
  std::string_view name;
  void (*read_into)(const YAML::Node&, Policy&, Wrongs&);
};

template <auto member>
constexpr Key key(std::string_view name) {
  return {name, [](const YAML::Node& node, Policy& policy, Wrongs& wrongs) { read(node, policy.*member, wrongs); }};
}

template <auto member>
constexpr Key faults_key(std::string_view name) {
  return {name, [](const YAML::Node& node, Policy& policy, Wrongs& wrongs) { read_faults(node, policy.*member, wrongs); }};
}

constexpr std::array keys{faults_key<&Policy::allowed_faults>("allowedFaults"), faults_key<&Policy::denied_faults>("deniedFaults"),
                          key<&Policy::protected_units>("protectedUnits"),      key<&Policy::protected_processes>("protectedProcesses"),
                          key<&Policy::protected_cgroups>("protectedCgroups"),  key<&Policy::protected_namespaces>("protectedNamespaces"),
                          key<&Policy::longest_lease>("longestLease"),          key<&Policy::longest_duration>("longestDuration"),
                          key<&Policy::most_injections>("mostInjections")};

void read_entry(const std::string& name, const YAML::Node& value, Policy& policy, Wrongs& wrongs) {
  const auto* known = std::ranges::find(keys, name, &Key::name);
  Wrongs of_value;
  known->read_into(value, policy, of_value);
  for (auto& wrong : of_value) wrongs.push_back({wrong.at, name + ": " + wrong.reason});
}

Policy read_policy(const YAML::Node& root, Wrongs& wrongs) {
  Policy policy;
  if (root.IsNull()) return policy;
  if (!root.IsMap()) {
    wrongs.push_back({root.Mark(), "must be an object"});
    return policy;
  }
  std::vector<std::string_view> names(keys.size());
  std::ranges::transform(keys, names.begin(), &Key::name);
  std::set<std::string> seen;
  for (const auto& entry : root) {
    const auto name = scalar(entry.first, "a key", wrongs);
    if (!name) continue;
    if (std::ranges::find(names, *name) == names.end())
      wrongs.push_back({entry.first.Mark(), "unknown key '" + *name + "'" + suggestion(*name, names)});
    else if (!seen.insert(*name).second)
      wrongs.push_back({entry.first.Mark(), "'" + *name + "' is a duplicate key: keep one of them"});
    else
      read_entry(*name, entry.second, policy, wrongs);
  }
  return policy;
}

std::string line_of(const std::string& name, const Wrong& wrong) {
  if (wrong.at.is_null()) return name + ": " + wrong.reason;
  return name + ":" + std::to_string(wrong.at.line + 1) + ":" + std::to_string(wrong.at.column + 1) + ": " + wrong.reason;
}

std::string lines_of(const std::string& name, const Wrongs& wrongs) {
  std::string text;
  for (const auto& wrong : wrongs) text += (text.empty() ? "" : "\n") + line_of(name, wrong);
  return text;
}

}  // namespace

Result<Policy> parse_policy(const std::string& text, const std::string& name) {
  if (text.size() > largest_file) return fail(Blame::input, name, ": a policy of ", text.size(), " bytes: at most ", largest_file);
  Wrongs wrongs;
  try {
    const auto documents = YAML::LoadAll(text);
    if (documents.empty()) return Policy{};
    auto policy = read_policy(documents[0], wrongs);
    if (documents.size() > 1) wrongs.push_back({documents[1].Mark(), "a second document: a policy is one"});
    if (wrongs.empty()) return policy;
  } catch (const YAML::Exception& error) {
    wrongs.push_back({error.mark, error.msg});
  }
  return fail(Blame::input, lines_of(name, wrongs));
}

}  // namespace arashi
