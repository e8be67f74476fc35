#include "injector/found.hpp"
#include "injector/host/cgroup.hpp"
#include "injector/host/files.hpp"
#include "injector/host/netns.hpp"
#include "injector/host/proc.hpp"
#include "injector/resolver.hpp"

#include <pwd.h>

#include <algorithm>
#include <array>
#include <optional>
#include <set>

namespace arashi {

namespace {

namespace fs = std::filesystem;

// The inodes that a "netns" key of a process selector means: a name's (a glob) or a file's.
std::set<std::uint64_t> netns_inodes(const Host& host, const std::string& text) {
  std::set<std::uint64_t> inodes;
  if (text.find('/') != std::string::npos) {
    if (const auto inode = netns_inode(text)) inodes.insert(*inode);
    return inodes;
  }
  for (const auto& each : named_netns(host, text)) inodes.insert(each.netns);
  return inodes;
}

// Whether the process is in a cgroup that fits, or below one, in any hierarchy.
bool lives_in(const Host& host, std::int32_t pid, const std::string& pattern) {
  const auto all = memberships(host, pid);
  if (!all) return false;
  return std::ranges::any_of(*all, [&](const Membership& each) {
    for (fs::path path = without_slashes(each.path); !path.empty(); path = path.parent_path())
      if (fits_glob(without_slashes(pattern), path.string())) return true;
    return false;
  });
}

Result<std::uint32_t> user_number(const std::string& user) {
  if (user.find_first_not_of("0123456789") == std::string::npos) return static_cast<std::uint32_t>(number(user));
  std::array<char, 4096> buffer{};
  struct passwd entry {};
  struct passwd* found = nullptr;
  ::getpwnam_r(user.c_str(), &entry, buffer.data(), buffer.size(), &found);
  if (found == nullptr) return fail(Blame::input, "there is no user '", user, "' on this machine");
  return static_cast<std::uint32_t>(found->pw_uid);
}

// What the match asks, looked up once for all processes.
struct ProcessQuestion {
  const Selector& match;
  std::optional<std::set<std::int32_t>> listening;
  std::optional<std::set<std::uint64_t>> netns;
  std::optional<std::uint32_t> user;
};

Result<ProcessQuestion> ask(const Host& host, const Selector& match) {
  ProcessQuestion question{.match = match};
  if (const auto* port = match.text("port")) {
    const auto pids = TRY(listeners(host, static_cast<std::uint16_t>(number(*port))));
    question.listening.emplace(pids.begin(), pids.end());
  }
  if (const auto* netns = match.text("netns")) question.netns = netns_inodes(host, *netns);
  if (const auto* user = match.text("user")) question.user = TRY(user_number(*user));
  return question;
}

bool fits(const Host& host, const ProcessQuestion& question, const Process& process) {
  const auto& match = question.match;
  if (process.kernel_thread || process.state == 'Z' || is_protected(host, process.pid)) return false;
  if (const auto* pid = match.text("pid"); pid != nullptr && number(*pid) != process.pid) return false;
  if (question.listening && !question.listening->contains(process.pid)) return false;
  if (const auto* name = match.text("name"); name != nullptr && !has_name(host, process, *name)) return false;
  if (question.user && user_of(host, process.pid).value_or(~0U) != *question.user) return false;
  if (question.netns && !question.netns->contains(netns_of(host, process.pid).value_or(0))) return false;
  const auto* cgroup = match.text("cgroup");
  return cgroup == nullptr || lives_in(host, process.pid, *cgroup);
}

Result<std::vector<Victim>> resolve(const Host& host, const Selector& match) {
  const auto question = TRY(ask(host, match));
  const auto* const only = match.text("pid");
  const auto pids = only != nullptr ? std::vector{static_cast<std::int32_t>(number(*only))} : all_pids(host);
  std::vector<Victim> found;
  for (const auto pid : pids) {
    const auto process = read_process(host, pid);
    if (process && fits(host, question, *process)) found.push_back(process_victim(host, *process));
  }
  return found;
}

}  // namespace

extern const KindResolver process_resolver;
const KindResolver process_resolver{.kind = "process", .resolve = resolve};

}  // namespace arashi
