#include "injector/injection.hpp"

#include "injector/core/whole.hpp"

#include <algorithm>
#include <array>
#include <stdexcept>

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

// Thrown only into the JSON library's own hands: whoever reads a record catches its exceptions and this alike.
Step step_from(const std::string& name) {
  const auto found = std::ranges::find(step_names, name, &StepName::name);
  if (found == step_names.end()) throw std::invalid_argument("unknown step '" + name + "'");
  return found->step;
}

}  // namespace

std::string_view name_of(Step step) {
  const auto found = std::ranges::find(step_names, step, &StepName::step);
  return found == step_names.end() ? "?" : found->name;
}

bool is_over(Step step) { return step == Step::reverted || step == Step::drifted; }

bool claims_overlap(std::string_view one, std::string_view other) {
  if (one.size() > other.size()) std::swap(one, other);
  return other.starts_with(one) && (one.size() == other.size() || other[one.size()] == '/');
}

void to_json(Json& json, const Injection& injection) {
  json = {{"id", injection.id},
          {"experiment", injection.experiment},
          {"fault", injection.fault},
          {"victim", injection.victim},
          {"params", injection.params},
          {"change", injection.change},
          {"claims", injection.claims},
          {"mechanism", injection.mechanism},
          {"because", injection.because},
          {"undo", injection.undo},
          {"boot", injection.boot},
          {"made", injection.made.count()},
          {"deadline", injection.deadline.count()},
          {"step", name_of(injection.step)},
          {"evidence", injection.evidence},
          {"problem", injection.problem},
          {"outlivesReboot", injection.outlives_reboot}};
}

void from_json(const Json& json, Injection& injection) {
  json.at("id").get_to(injection.id);
  json.at("experiment").get_to(injection.experiment);
  json.at("fault").get_to(injection.fault);
  json.at("victim").get_to(injection.victim);
  injection.params = json.at("params");
  injection.change = json.at("change");
  json.at("claims").get_to(injection.claims);
  json.at("mechanism").get_to(injection.mechanism);
  json.at("because").get_to(injection.because);
  json.at("undo").get_to(injection.undo);
  json.at("boot").get_to(injection.boot);
  injection.made = Duration(whole<std::int64_t>(json.at("made")));
  injection.deadline = Duration(whole<std::int64_t>(json.at("deadline")));
  injection.step = step_from(json.at("step").get<std::string>());
  json.at("evidence").get_to(injection.evidence);
  json.at("problem").get_to(injection.problem);
  json.at("outlivesReboot").get_to(injection.outlives_reboot);
}

}  // namespace arashi
