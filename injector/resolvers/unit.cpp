#include "injector/found.hpp"
#include "injector/resolver.hpp"

namespace arashi {

namespace {

// systemd escapes nothing that a unit's name may hold but "/", so the directory's name is the unit's.
Result<std::vector<Victim>> resolve(const Host& host, const Selector& match) {
  const auto& pattern = *match.text("name");
  const auto is_unit = [&](const std::filesystem::path& path) {
    const auto type = path.extension();
    return (type == ".service" || type == ".scope" || type == ".slice") && fits_glob(pattern, path.filename().string());
  };
  auto found = cgroups_that(host, "unit", is_unit);
  for (auto& victim : found) victim.label = "unit " + std::filesystem::path(victim.cgroup_path).filename().string();
  return found;
}

}  // namespace

extern const KindResolver unit_resolver;
const KindResolver unit_resolver{.kind = "unit", .resolve = resolve};

}  // namespace arashi
