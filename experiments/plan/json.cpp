// The plan as `arashi plan --json` prints it and result.json keeps it. Durations are seconds, shares are fractions.
#include "injector/core/json.hpp"

#include "experiments/plan/plan.hpp"

namespace arashi::plan {
namespace {

Json to_json(const Group& group) {
  const double share = group.found.empty() ? 0 : static_cast<double>(group.picked.size()) / static_cast<double>(group.found.size());
  Json json{{"target", group.target}, {"agent", group.agent}, {"found", group.found}, {"picked", group.picked},
            {"share", share},         {"seed", group.seed},   {"hit", group.hit}};
  if (!group.found_on.empty()) {
    json["foundOn"] = group.found_on;
    json["pickedOn"] = group.picked_on;
  }
  return json;
}

Json to_json(const Planned& one) {
  return {{"id", one.id},
          {"step", one.step},
          {"agent", one.agent},
          {"fault", one.fault},
          {"victim", one.victim},
          {"params", one.params},
          {"at", seconds(one.at)},
          {"for", seconds(one.length)},
          {"claims", one.how.claims},
          {"mechanism", one.how.mechanism},
          {"because", one.how.because},
          {"undo", one.how.undo},
          {"reversible", one.how.reversible}};
}

Json to_json(const Cost& cost) {
  return {{"slo", cost.slo}, {"budgetShare", cost.budget_share}, {"stopAt", cost.stop_at}, {"untilStop", seconds(cost.until_stop)}};
}

template <class Each>
Json list(const std::vector<Each>& things) {
  Json made = Json::array();
  for (const auto& thing : things) made.push_back(to_json(thing));
  return made;
}

}  // namespace

Json to_json(const Plan& plan) {
  return {{"groups", list(plan.groups)},
          {"injections", list(plan.injections)},
          {"worstCase", list(plan.worst_case)},
          {"refusals", plan.refusals},
          {"warnings", plan.warnings}};
}

}  // namespace arashi::plan
