#include "experiments/plan/limits.hpp"

#include "experiments/spec/zone.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <set>
#include <tuple>

namespace arashi::plan {
namespace {

constexpr std::array<const char*, 7> day_names{"mon", "tue", "wed", "thu", "fri", "sat", "sun"};
constexpr double rounding = 1e-9;

std::string clock(Duration since_midnight) {
  const auto minutes = std::chrono::duration_cast<std::chrono::minutes>(since_midnight).count();
  std::array<char, 16> text{};
  std::snprintf(text.data(), text.size(), "%02d:%02d", static_cast<int>(minutes / 60), static_cast<int>(minutes % 60));
  return text.data();
}

bool is_open(const spec::Hours& hours, const spec::LocalTime& time) {
  const auto holds = [&](int day) { return std::ranges::find(hours.days, day) != hours.days.end(); };
  const int yesterday = time.day == 1 ? 7 : time.day - 1;
  if (hours.from < hours.to) return holds(time.day) && time.since_midnight >= hours.from && time.since_midnight < hours.to;
  return (holds(time.day) && time.since_midnight >= hours.from) || (holds(yesterday) && time.since_midnight < hours.to);
}

// One victim hit through two targets counts once.
std::size_t distinct_victims(const Plan& plan) {
  std::set<std::tuple<std::string, std::string, std::int32_t, std::uint64_t, std::uint64_t, std::uint64_t>> seen;
  for (const Planned& one : plan.injections)
    seen.insert({one.agent, one.victim.kind, one.victim.pid, one.victim.start_time, one.victim.netns, one.victim.cgroup});
  return seen.size();
}

}  // namespace

std::string in_words(const Selector& selector) {
  std::string text = selector.kind;
  for (const auto& [key, value] : selector.match.items())
    text.append(text == selector.kind ? " " : ", ")
        .append(key)
        .append("=")
        .append(value.is_string() ? value.get<std::string>() : to_text(value));
  return text;
}

std::string in_words(const spec::Hours& hours) {
  std::string days;
  for (std::size_t i = 0; i < hours.days.size(); ++i) {
    std::size_t last = i;
    while (last + 1 < hours.days.size() && hours.days[last + 1] == hours.days[last] + 1) ++last;
    days.append(days.empty() ? "" : ",").append(day_names.at(static_cast<std::size_t>(hours.days[i]) - 1));
    if (last > i) days.append("-").append(day_names.at(static_cast<std::size_t>(hours.days[last]) - 1));
    i = last;
  }
  return days + " " + clock(hours.from) + "-" + clock(hours.to) + " " + hours.timezone;
}

void check_limits(const spec::Experiment& experiment, Plan& plan) {
  const auto& limits = experiment.limits;
  const std::size_t victims = distinct_victims(plan);
  if (limits.targets > 0 && victims > static_cast<std::size_t>(limits.targets))
    plan.refusals.push_back(std::to_string(victims) + " victims would be hit, limits.targets allows " + std::to_string(limits.targets) +
                            ": pick fewer, or raise the limit if that is meant");
  for (const Group& group : plan.groups) {
    if (group.found.empty() || !group.hit) continue;
    const double share = static_cast<double>(group.picked.size()) / static_cast<double>(group.found.size());
    if (share > limits.share.fraction + rounding)
      plan.refusals.push_back("target '" + group.target + "': " + std::to_string(group.picked.size()) + " of " +
                              std::to_string(group.found.size()) + " (" + to_text(Percent{share}) + ") would be hit, limits.share allows " +
                              to_text(limits.share) + ": pick fewer, or raise the limit if that is meant");
  }
  if (spec::timeline_length(experiment) > limits.duration)
    plan.refusals.push_back("the timeline is " + to_text(spec::timeline_length(experiment)) + " long, limits.duration allows " +
                            to_text(limits.duration));
}

void check_window(const spec::Experiment& experiment, std::int64_t now, Plan& plan) {
  const auto& window = experiment.limits.window;
  if (!window) return;
  const auto length = std::chrono::duration_cast<std::chrono::seconds>(experiment.steady_for + spec::timeline_length(experiment)).count();
  const auto begin = spec::local_time(window->timezone, now);
  const auto end = spec::local_time(window->timezone, now + length);
  if (!begin || !end)
    plan.refusals.push_back("limits.window can't be checked: " + (begin ? end : begin).error().message);
  else if (!is_open(*window, *begin))
    plan.refusals.push_back("it is " + begin->text + ", limits.window allows " + in_words(*window));
  else if (!is_open(*window, *end))
    plan.refusals.push_back("it would still inject faults at " + end->text + ", limits.window allows " + in_words(*window));
}

void check_periods(const spec::Experiment& experiment, std::int64_t now, Plan& plan) {
  for (const spec::Slo& slo : experiment.slos)
    if (slo.period && spec::may_outlast(experiment, *slo.period, now))
      plan.warnings.push_back("SLO '" + slo.name + "': a new window begins at " + slo.period->next +
                              ", and the experiment may still be under way then: all that it spends is spent of " + slo.period->words +
                              ", and no new budget comes while it runs");
}

}  // namespace arashi::plan
