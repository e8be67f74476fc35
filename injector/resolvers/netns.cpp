#include "injector/host/netns.hpp"
#include "injector/found.hpp"
#include "injector/host/files.hpp"
#include "injector/resolver.hpp"

#include <algorithm>
#include <filesystem>
#include <optional>

namespace arashi {

namespace {

namespace fs = std::filesystem;

Victim netns_victim(const fs::path& path, std::uint64_t inode, const std::string& label) {
  return {.kind = "netns", .scope = Scope::netns, .label = label, .netns = inode, .netns_path = path.string()};
}

// No such file is no match, and one that is something else is the selector's mistake.
Result<std::vector<Victim>> netns_by_path(const fs::path& path) {
  const auto inode = netns_inode(path);
  if (!inode && inode.error().blame == Blame::missing) return std::vector<Victim>{};
  if (!inode) return pass(inode.error());
  return std::vector{netns_victim(path, *inode, "netns " + path.string())};
}

std::vector<Victim> netns_of_process(const Host& host, const std::string& pid) {
  const auto path = host.proc / pid / "ns/net";
  const auto inode = inode_of(path);
  if (!inode) return {};
  return {netns_victim(path, *inode, "netns of process " + pid)};
}

Result<std::vector<Victim>> resolve(const Host& host, const Selector& match) {
  std::optional<std::vector<Victim>> found;
  const auto narrow = [&found](std::vector<Victim> with) {
    if (!found) {
      found = std::move(with);
      return;
    }
    std::erase_if(*found, [&](const Victim& each) { return std::ranges::find(with, each.netns, &Victim::netns) == with.end(); });
  };
  if (const auto* name = match.text("name")) narrow(named_netns(host, *name));
  if (const auto* path = match.text("path")) narrow(TRY(netns_by_path(*path)));
  if (const auto* pid = match.text("pid")) narrow(netns_of_process(host, *pid));
  return found ? std::move(*found) : std::vector<Victim>{};
}

}  // namespace

extern const KindResolver netns_resolver;
const KindResolver netns_resolver{.kind = "netns", .resolve = resolve};

}  // namespace arashi
