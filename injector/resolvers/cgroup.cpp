#include "injector/found.hpp"
#include "injector/resolver.hpp"

namespace arashi {

namespace {

Result<std::vector<Victim>> resolve(const Host& host, const Selector& match) {
  const auto pattern = without_slashes(*match.text("path"));
  return cgroups_that(host, "cgroup", [&](const std::filesystem::path& path) { return fits_glob(pattern, path.string()); });
}

}  // namespace

extern const KindResolver cgroup_resolver;
const KindResolver cgroup_resolver{.kind = "cgroup", .resolve = resolve};

}  // namespace arashi
