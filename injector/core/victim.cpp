#include "injector/core/victim.hpp"

#include "injector/core/suggest.hpp"
#include "injector/core/whole.hpp"

#include <algorithm>
#include <charconv>

namespace arashi {

const std::vector<SelectorKind>& selector_kinds() {
  static const std::vector<SelectorKind> kinds{
      {"process",
       "processes of this machine; every key given must fit",
       "process: {name: wallet}",
       {"name", "pid", "port", "user", "netns", "cgroup"}},
      {"netns", "network namespaces, by name (a glob), file or a process in it", "netns: {name: pay-ledger-*}", {"name", "path", "pid"}},
      {"cgroup", "cgroups, by path below the root (a glob)", "cgroup: {path: pay/ledger-*}", {"path"}},
      {"unit", "systemd units, by name (a glob)", "unit: {name: nginx.service}", {"name"}},
      {"node", "the machine itself", "node: {}", {}},
  };
  return kinds;
}

namespace {

bool is_number_up_to(const std::string& text, unsigned long most) {
  unsigned long value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end == text.data() + text.size() && value > 0 && value <= most;
}

void check_value(const std::string& key, const std::string& value, std::vector<std::string>& problems) {
  if (value.empty())
    problems.push_back("'" + key + "' is empty");
  else if (key == "pid" && !is_number_up_to(value, 1UL << 22U))
    problems.push_back("pid '" + value + "' is not a process number");
  else if (key == "port" && !is_number_up_to(value, 65535))
    problems.push_back("port '" + value + "' is not a number from 1 to 65535");
}

}  // namespace

std::vector<std::string> check_selector(const Selector& selector) {
  std::vector<std::string> problems;
  const auto& kinds = selector_kinds();
  const auto kind = std::ranges::find(kinds, selector.kind, &SelectorKind::kind);
  if (kind == kinds.end()) {
    std::vector<std::string_view> known;
    known.reserve(kinds.size());
    for (const auto& each : kinds) known.push_back(each.kind);
    problems.push_back("unknown kind of target '" + selector.kind + "'" + suggestion(selector.kind, known));
    return problems;
  }
  for (const auto& [key, value] : selector.match) {
    if (std::ranges::find(kind->keys, key) == kind->keys.end())
      problems.push_back("a " + selector.kind + " target has no '" + key + "'" + suggestion(key, kind->keys));
    else
      check_value(key, value, problems);
  }
  if (selector.match.empty() && !kind->keys.empty())
    problems.push_back("a " + selector.kind + " target needs at least one of its keys, such as " + std::string(kind->example));
  return problems;
}

void to_json(Json& json, const Selector& selector) { json = {{"kind", selector.kind}, {"match", selector.match}}; }

void from_json(const Json& json, Selector& selector) {
  json.at("kind").get_to(selector.kind);
  json.at("match").get_to(selector.match);
}

void to_json(Json& json, const Victim& victim) {
  json = {{"kind", victim.kind},        {"label", victim.label},          {"pid", victim.pid},       {"startTime", victim.start_time},
          {"netns", victim.netns},      {"netnsPath", victim.netns_path}, {"cgroup", victim.cgroup}, {"cgroupPath", victim.cgroup_path},
          {"selector", victim.selector}};
  if (!victim.addresses.empty()) json["addresses"] = victim.addresses;
}

void from_json(const Json& json, Victim& victim) {
  json.at("kind").get_to(victim.kind);
  json.at("label").get_to(victim.label);
  victim.pid = whole<std::int32_t>(json.at("pid"));
  victim.start_time = whole<std::uint64_t>(json.at("startTime"));
  victim.netns = whole<std::uint64_t>(json.at("netns"));
  json.at("netnsPath").get_to(victim.netns_path);
  victim.cgroup = whole<std::uint64_t>(json.at("cgroup"));
  json.at("cgroupPath").get_to(victim.cgroup_path);
  json.at("selector").get_to(victim.selector);
  victim.addresses = json.value("addresses", std::vector<std::string>{});
}

}  // namespace arashi
