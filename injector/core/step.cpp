#include "injector/core/step.hpp"

#include <algorithm>
#include <array>

namespace arashi {

namespace {

struct StepName {
  Step step;
  std::string_view name;
};
constexpr std::array step_names{StepName{Step::intended, "intended"},   StepName{Step::applying, "applying"},
                                StepName{Step::active, "active"},       StepName{Step::lost, "lost"},
                                StepName{Step::reverting, "reverting"}, StepName{Step::reverted, "reverted"},
                                StepName{Step::drifted, "drifted"},     StepName{Step::stuck, "stuck"}};

}  // namespace

std::string_view name_of(Step step) {
  const auto found = std::ranges::find(step_names, step, &StepName::step);
  return found == step_names.end() ? "?" : found->name;
}

std::optional<Step> step_from(std::string_view name) {
  const auto found = std::ranges::find(step_names, name, &StepName::name);
  return found == step_names.end() ? std::nullopt : std::optional(found->step);
}

bool is_over(Step step) { return step == Step::reverted || step == Step::drifted; }

Result<Step> AsText<Step>::parse(std::string_view text) {
  const auto step = step_from(text);
  if (!step) return fail(Blame::input, "unknown step '", text, "'");
  return *step;
}

}  // namespace arashi
