#include "agent/policy.hpp"

#include "injector/core/suggest.hpp"

#include <algorithm>

namespace arashi {

bool matches_glob(std::string_view glob, std::string_view text) {
  // Linear but for one star of backtracking: what a star took grows by one on each mismatch after it.
  std::size_t at = 0;
  std::size_t star = std::string_view::npos;
  std::size_t taken = 0;
  std::size_t position = 0;
  while (position < text.size()) {
    if (at < glob.size() && glob[at] == '*') {
      star = at++;
      taken = position;
    } else if (at < glob.size() && (glob[at] == '?' || glob[at] == text[position])) {
      ++at;
      ++position;
    } else if (star != std::string_view::npos) {
      at = star + 1;
      position = ++taken;
    } else {
      return false;
    }
  }
  return glob.find_first_not_of('*', at) == std::string_view::npos;
}

namespace {

const std::string* match(const std::vector<std::string>& globs, std::string_view text) {
  const auto found = std::ranges::find_if(globs, [&](const std::string& glob) { return matches_glob(glob, text); });
  return found == globs.end() ? nullptr : &*found;
}

// A rule of `rules` that covers the path or a directory above it.
const std::string* covers_path(const std::vector<std::string>& rules, std::string_view path) {
  for (auto end = path.size(); end != std::string_view::npos && end > 0; end = path.rfind('/', end - 1))
    if (const auto* rule = match(rules, path.substr(0, end))) return rule;
  return nullptr;
}

// A rule that names a unit somewhere on the path.
const std::string* names_unit(const std::vector<std::string>& rules, std::string_view path) {
  for (std::size_t start = 0; start <= path.size();) {
    const auto end = std::min(path.find('/', start), path.size());
    if (const auto* rule = match(rules, path.substr(start, end - start))) return rule;
    start = end + 1;
  }
  return nullptr;
}

template <class... Parts>
Unexpected<Error> against(const Subject& subject, const Parts&... parts) {
  return fail(Code::policy, subject.fault, " on ", subject.victim.label, " is against this agent's policy: ", parts...);
}

Result<void> check_cgroups(const Policy& policy, const Subject& subject) {
  for (const auto& path : subject.cgroups) {
    if (const auto* rule = names_unit(policy.protected_units, path))
      return against(subject, "it would hit unit '", path, "' (protectedUnits has '", *rule, "')");
    if (const auto* rule = covers_path(policy.protected_cgroups, path))
      return against(subject, "it would hit cgroup '", path, "' (protectedCgroups has '", *rule, "')");
  }
  return {};
}

}  // namespace

Result<void> check_policy(const Policy& policy, const Subject& subject, std::size_t live) {
  if (const auto* rule = match(policy.denied_faults, subject.fault)) return against(subject, "deniedFaults has '", *rule, "'");
  if (match(policy.allowed_faults, subject.fault) == nullptr) return against(subject, "allowedFaults does not have it");
  if (subject.duration <= Duration::zero())
    return fail(Blame::input, subject.fault, " on ", subject.victim.label, ": its duration must be > 0");
  if (subject.duration > policy.longest_duration)
    return against(subject, "it would last ", to_text(subject.duration), ", longestDuration is ", to_text(policy.longest_duration));
  if (live >= policy.most_injections)
    return against(subject, live, " injections are active already, mostInjections is ", policy.most_injections);
  if (subject.holds_agent) return against(subject, "it would hit the agent itself, which has to run to revert it");
  if (subject.victim.pid == 1) return against(subject, "process 1 is init: the machine would go down with it");
  if (!subject.namespace_name.empty())
    if (const auto* rule = match(policy.protected_namespaces, subject.namespace_name))
      return against(subject, "protectedNamespaces has '", *rule, "'");
  for (const auto& process : subject.processes)
    if (const auto* rule = match(policy.protected_processes, process))
      return against(subject, "it would hit process '", process, "' (protectedProcesses has '", *rule, "')");
  return check_cgroups(policy, subject);
}

}  // namespace arashi
