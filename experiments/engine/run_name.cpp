#include "experiments/engine/run_name.hpp"

#include "injector/core/id.hpp"

namespace arashi::engine {

namespace {

constexpr std::size_t most = 63 - 1 - 8;  // a DNS label, less "-" and an id

std::string stem_of(const std::string& experiment) {
  std::string stem = experiment.substr(0, most);
  while (!stem.empty() && stem.back() == '-') stem.pop_back();
  return stem;
}

}  // namespace

std::string new_run_name(const std::string& experiment) { return stem_of(experiment) + "-" + new_id(); }

bool is_run_of(const std::string& run, const std::string& said) {
  if (run == said) return true;
  const std::string stem = stem_of(said);
  return run.size() == stem.size() + 9 && run.starts_with(stem + "-") && is_id(run.substr(stem.size() + 1));
}

}  // namespace arashi::engine
