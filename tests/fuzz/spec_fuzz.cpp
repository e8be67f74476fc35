// Whatever the bytes are: parse ends, every problem has a place and a reason, and what passes can be planned and drawn.
#include "experiments/plan/plan.hpp"
#include "experiments/plan/text.hpp"
#include "experiments/spec/parse.hpp"
#include "tests/unit/spec/catalogue.hpp"

#include <cstdint>
#include <cstdlib>
#include <string_view>

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace arashi;
  static const auto faults = test::catalogue();
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto parsed = spec::parse(text, faults);
  for (const auto& problem : parsed.problems) {
    require(problem.where.line >= 1 && problem.where.column >= 1);
    require(!problem.message.empty());
    require(spec::to_text("f", problem).find('\n') == std::string::npos);
  }
  if (!parsed.problems.empty()) return 0;
  const auto& experiment = parsed.experiment;
  require(!experiment.name.empty());
  for (const auto& step : experiment.timeline) require(spec::find_target(experiment, step.on) != nullptr && step.length > Duration{0});
  std::map<std::string, plan::Group> found;
  for (const auto& target : experiment.targets)
    found[target.name] = {.target = target.name, .agent = "local", .found = {Victim{}, Victim{}}};
  auto plan = plan::make(experiment, found, 0, size);
  plan::check_claims("fuzz", plan);
  require(!plan::to_text(experiment, plan, faults).empty());
  return 0;
}
