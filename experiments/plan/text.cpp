#include "experiments/plan/text.hpp"

#include "experiments/plan/limits.hpp"
#include "injector/core/json.hpp"

#include <algorithm>
#include <cmath>

namespace arashi::plan {
namespace {

using arashi::to_text;

// Columns, not bytes: UTF-8 continuation bytes take none.
std::size_t width(const std::string& text) {
  return static_cast<std::size_t>(std::ranges::count_if(text, [](unsigned char c) { return (c & 0xC0U) != 0x80U; }));
}

std::string padded(const std::string& text, std::size_t columns) {
  return text + std::string(columns > width(text) ? columns - width(text) : 0, ' ');
}

std::string percent(double share) {
  const double exact = share < 0.01 ? 1e5 : 1e3;  // three digits are enough to decide by
  return to_text(Percent{std::round(share * exact) / exact});
}

std::string brief(Duration duration) {
  const bool sub_second = duration < std::chrono::seconds(10);
  const Duration unit = sub_second ? Duration(std::chrono::milliseconds(100)) : Duration(std::chrono::seconds(1));
  return to_text(Duration{std::llround(static_cast<double>(duration.count()) / static_cast<double>(unit.count())) * unit.count()});
}

std::string number_text(const std::string& type, const Json& value) {
  if (type == "duration") return to_text(Duration{value.get<std::int64_t>()});
  if (type == "percent") return to_text(Percent{value.get<double>()});
  if (type == "rate") return to_text(Rate{value.get<double>()});
  if (type == "bytes") return to_text(Bytes{value.get<std::uint64_t>()});
  if (type == "bandwidth") return to_text(Bandwidth{value.get<std::uint64_t>()});
  return to_text(value);
}

std::string unquoted(const Json& value) { return value.is_string() ? value.get<std::string>() : to_text(value); }

std::string value_text(const ParamText& param, const Json& value) {
  if (value.is_number()) return number_text(param.type, value);
  if (!value.is_array()) return unquoted(value);
  constexpr std::size_t shown = 8;
  if (param.type == "numbers" && value.size() > shown) return "of " + std::to_string(value.size()) + " numbers";
  std::string list;
  for (const auto& item : value)
    list += (list.empty() ? "" : " ") + (param.type == "percents" ? number_text("percent", item) : unquoted(item));
  return "[" + list + "]";
}

// "delay 200ms, loss 1%": what was given; what is as always is left out.
std::string params_text(const Planned& one, const std::vector<protocol::FaultText>& faults) {
  const auto fault = std::ranges::find(faults, one.fault, &protocol::FaultText::name);
  const Json& params = one.params;
  std::string text;
  if (fault == faults.end() || !params.is_object()) return text;
  for (const auto& param : fault->params) {
    if (!params.contains(param.name)) continue;
    const std::string value = value_text(param, params.at(param.name));
    if (value != param.fallback) text += (text.empty() ? "" : ", ") + param.name + " " + value;
  }
  return text;
}

std::string heading(const std::string& text) { return "\n" + text + "\n"; }

std::string group_text(const spec::Experiment& experiment, const Group& group) {
  const double share = group.found.empty() ? 0 : static_cast<double>(group.picked.size()) / static_cast<double>(group.found.size());
  const auto* target = spec::find_target(experiment, group.target);
  const bool drawn = group.picked.size() < group.found.size();
  std::string text = "  " + padded(group.target, 12) + " " + std::to_string(group.picked.size()) + " of " +
                     std::to_string(group.found.size()) + " (" + percent(share) + ")" +
                     (drawn ? ", seed " + std::to_string(group.seed) : "") + (group.hit ? "" : ", as peers");
  text = padded(text, 40) + "  " + (target == nullptr ? "" : in_words(target->selector)) + "\n";
  for (std::size_t i = 0; i < group.picked.size(); ++i)
    text += "    * " + group.picked[i].label + (i < group.picked_on.size() ? " on " + group.picked_on[i] : "") + "\n";
  return text;
}

std::string how_text(const Planned& one) {
  std::string text = "    * " + one.victim.label + "\n";
  if (!one.how.mechanism.empty())
    text += wrapped("      how:  ", one.how.mechanism + (one.how.because.empty() ? "" : ", because " + one.how.because), 12);
  if (!one.how.undo.empty()) text += wrapped("      undo: ", one.how.undo, 12);
  return text;
}

std::string timeline_text(const spec::Experiment& experiment, const Plan& plan, const std::vector<protocol::FaultText>& faults) {
  std::string text = heading("Timeline: " + brief(spec::timeline_length(experiment)) + " of faults, then up to " +
                             brief(experiment.recovery_within) + " to recover");
  const Planned* before = nullptr;
  for (const Planned& one : plan.injections) {
    if (before == nullptr || before->step != one.step)
      text += wrapped("  " + padded(to_text(one.at) + " to " + to_text(one.at + one.length), 14) + " " + padded(one.fault, 18) + " ",
                      params_text(one, faults), 36);
    text += how_text(one);
    before = &one;
  }
  return plan.injections.empty() ? text + "  no faults\n" : text;
}

std::string cost_text(const spec::Experiment& experiment, const Plan& plan) {
  if (plan.worst_case.empty()) return {};
  std::string text = heading("Worst case: every request is bad from the first fault to the end of recovery");
  for (const Cost& cost : plan.worst_case) {
    const auto slo = std::ranges::find(experiment.slos, cost.slo, &spec::Slo::name);
    const std::string of = slo == experiment.slos.end() ? "the budget"
                           : slo->period                ? "the budget of " + slo->period->words
                                                        : "the " + to_text(slo->window) + " budget";
    const std::string stop = cost.budget_share <= cost.stop_at ? "under the " + percent(cost.stop_at) + " at which the guard stops"
                                                               : "but the guard stops at " + percent(cost.stop_at) + ", after " +
                                                                     brief(cost.until_stop) + " of a total outage";
    const std::string share = cost.budget_share > 1 ? "all of " + of + " and more" : percent(cost.budget_share) + " of " + of;
    text += wrapped("  " + padded(cost.slo, 12) + " ", share + ", " + stop, 15);
  }
  return text;
}

std::string lines(const std::string& title, const std::vector<std::string>& each) {
  if (each.empty()) return {};
  std::string text = heading(title);
  for (const auto& line : each) text += wrapped("  - ", line, 4);
  return text;
}

}  // namespace

std::string wrapped(const std::string& first, const std::string& text, std::size_t indent, std::size_t columns) {
  std::string made = first;
  std::size_t used = width(first);
  bool at_start = true;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find(' ', begin), text.size());
    const std::string word = text.substr(begin, end - begin);
    if (!at_start && used + 1 + width(word) > columns) {
      made += "\n" + std::string(indent, ' ');
      used = indent;
      at_start = true;
    }
    made += (at_start ? "" : " ") + word;
    used += width(word) + (at_start ? 0 : 1);
    at_start = false;
    begin = end + 1;
  }
  while (made.ends_with(' ')) made.pop_back();
  return made + "\n";
}

std::string to_text(const spec::Experiment& experiment, const Plan& plan, const std::vector<protocol::FaultText>& faults) {
  std::string text = "Plan of " + experiment.name + "\n";
  if (!experiment.hypothesis.empty()) text += wrapped("  ", experiment.hypothesis, 2);
  text += heading("Victims");
  for (const Group& group : plan.groups) text += group_text(experiment, group);
  if (plan.groups.empty()) text += "  none\n";
  text += timeline_text(experiment, plan, faults) + cost_text(experiment, plan);
  text += lines("Warnings", plan.warnings);
  text += lines("REFUSED, nothing would be started", plan.refusals);
  return text;
}

}  // namespace arashi::plan
