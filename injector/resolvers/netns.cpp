#include "injector/found.hpp"
#include "injector/host/files.hpp"
#include "injector/resolver.hpp"

#include <algorithm>
#include <filesystem>
#include <optional>

namespace arashi {

namespace {

namespace fs = std::filesystem;

std::vector<Victim> netns_by_file(const fs::path& path, const std::string& label) {
  const auto inode = inode_of(path);
  if (!inode) return {};
  return {{.kind = "netns", .scope = Scope::netns, .label = label, .netns = *inode, .netns_path = path.string()}};
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
  if (const auto* path = match.text("path")) narrow(netns_by_file(*path, "netns " + *path));
  if (const auto* pid = match.text("pid")) narrow(netns_by_file(host.proc / *pid / "ns/net", "netns of process " + *pid));
  return found ? std::move(*found) : std::vector<Victim>{};
}

}  // namespace

extern const KindResolver netns_resolver;
const KindResolver netns_resolver{.kind = "netns", .resolve = resolve};

}  // namespace arashi
