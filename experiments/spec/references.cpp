#include "experiments/spec/references.hpp"

#include "injector/core/json.hpp"
#include "injector/core/kinds.hpp"
#include "injector/core/params.hpp"
#include "injector/core/peer.hpp"
#include "injector/core/suggest.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

namespace arashi::spec {
namespace {

// The burn rate at which the guard and Google's fast page stop: 2 % of a 30 day budget in an hour.
constexpr double fastest_burn = 14.4;

std::string number(double value) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.3g", value);
  return text.data();
}

template <class Named>
std::vector<std::string_view> names_of(const std::vector<Named>& things) {
  std::vector<std::string_view> names;
  names.reserve(things.size());
  for (const auto& thing : things) names.push_back(thing.name);
  return names;
}

template <class Named>
const Named* find_named(const std::vector<Named>& things, const std::string& name) {
  const auto found = std::ranges::find(things, name, &Named::name);
  return found == things.end() ? nullptr : &*found;
}

std::string unknown(std::string_view what, const std::string& name, const std::vector<std::string_view>& known) {
  std::string message = "there is no " + std::string(what) + " '" + name + "'";
  return message + (known.empty() ? "; none is declared" : suggestion(name, known));
}

void check_burn(const Slo& slo, const std::string& path, Report& report) {
  const double budget = 1 - slo.objective;
  if (slo.objective <= 0 || budget * fastest_burn < 1) return;
  report.complain(path + ".objective", "is " + to_text(Percent{slo.objective}) + ": the burn rate at which the guard stops, " +
                                           number(fastest_burn) + ", can never be reached, a total outage burns " + number(1 / budget) +
                                           " times too fast; an objective above " +
                                           to_text(Percent{std::ceil((1 - 1 / fastest_burn) * 1e4) / 1e4}) + " is needed");
}

// Less than one bad event allowed: the guard would stop at the first, whatever caused it.
void check_allowance(const Slo& slo, const Load& load, Duration run, const Guard& guard, const std::string& path, Report& report) {
  const Rate rate = mean_rate(load, run);
  const double events = rate.per_second * seconds(slo.window);
  const double allowed = events * (1 - slo.objective) * guard.budget.fraction;
  if (slo.method != Method::occurrences || !(slo.objective > 0) || !(rate.per_second > 0) || allowed >= 1) return;
  report.complain(path, "leaves no room for a single bad request: " + to_text(rate) + " over " + to_text(slo.window) + " are " +
                            number(events) + " requests, of which " + to_text(Percent{1 - slo.objective}) + " may be bad, and " +
                            to_text(guard.budget) + " of these (guard.budget) are " + number(allowed) +
                            "; raise the load's rate, the window or guard.budget");
}

// Time slices are few: a small share of the budget may be less than one of them.
void check_slices(const Slo& slo, const Guard& guard, const std::string& path, Report& report) {
  if (slo.method != Method::timeslices || !(slo.objective > 0) || slo.slice <= Duration{0}) return;
  const double slices = (1 - slo.objective) * seconds(slo.window) / seconds(slo.slice);
  if (slices * guard.budget.fraction >= 1) return;
  report.complain(path, "leaves no room for a single bad time slice: " + number(slices) + " slices of " + to_text(slo.slice) +
                            " may be bad in " + to_text(slo.window) + ", and " + to_text(guard.budget) + " of these (guard.budget) are " +
                            number(slices * guard.budget.fraction) + "; raise guard.budget to at least " +
                            to_text(Percent{std::ceil(1 / slices * 1e3) / 1e3}));
}

// What a load without an end in sight is held to.
void check_record(const Load& load, const Experiment& experiment, Report& report) {
  const Arrivals& arrivals = load.arrivals;
  const Duration run = run_length(experiment);
  if (arrivals.record.empty() || arrivals.period > Duration{} || experiment.timeline.empty() || arrivals.record.back() >= run) return;
  report.complain("spec.load." + load.name + ".arrivals", "end after " + to_text(arrivals.record.back()) +
                                                              ", and the experiment may take " + to_text(run) +
                                                              ": add repeat: true, or record more");
}

void check_load_measure(const Slo& slo, const Measure& measure, const Experiment& experiment, Report& report) {
  const std::string& path = measure.path;
  const Load* load = find_named(experiment.loads, measure.load);
  if (load == nullptr) return report.complain(path + ".load", unknown("load", measure.load, names_of(experiment.loads)));
  if (measure.latency > load->timeout)
    report.complain(path + ".latency", "is " + to_text(measure.latency) + ", more than the timeout of load '" + load->name + "' (" +
                                           to_text(load->timeout) + "): a request is cut off before it can be too slow");
  if (measure.rate.per_second > 0)
    report.complain(path + ".rate", "is for a source of counts: load '" + load->name + "' has a rate of its own");
  if (measure.authoritative) check_allowance(slo, *load, run_length(experiment), experiment.guard, path, report);
}

bool knows_control(const Measure& measure) {
  const auto* pages = std::get_if<MetricsSource>(&measure.source);
  return pages != nullptr && !pages->control.empty();
}

void check_measure(const Slo& slo, const Measure& measure, const Experiment& experiment, Report& report) {
  if (!measure.load.empty()) check_load_measure(slo, measure, experiment, report);
  const auto same_load = [&](const Measure& other) { return &other < &measure && other.load == measure.load; };
  if (!measure.load.empty() && std::ranges::any_of(slo.measures, same_load))
    report.complain(measure.path + ".load", "load '" + measure.load + "' measures this SLO already: the same events are evidence once");
  const bool can_time = std::holds_alternative<MetricsSource>(measure.source) || std::holds_alternative<AccessLogSource>(measure.source);
  if (measure.latency > Duration{0} && measure.load.empty() && !can_time && measure.source.index() != 0)
    report.complain(measure.path + ".latency",
                    "is not known to " + std::string(name_of(measure.source)) +
                        ": only a load, metrics.histogram and accessLog see each request's duration; put it into what 'bad' counts");
}

void check_slo(const Slo& slo, const Experiment& experiment, Report& report) {
  const std::string path = "spec.slos." + slo.name;
  check_burn(slo, path, report);
  check_slices(slo, experiment.guard, path, report);
  if (slo.count_lost == CountLost::control && std::ranges::none_of(slo.measures, knows_control))
    report.complain(
        path + ".countLost",
        "is control, but what measures this SLO knows no control group; give metrics.control, or write true to compare with the "
        "rate before");
  for (const Measure& measure : slo.measures) check_measure(slo, measure, experiment, report);
}

void check_kind(const Step& step, const protocol::FaultText& fault, const Target& target, const std::string& path, Report& report) {
  const auto* kind = find_kind(target.selector.kind);
  if (kind == nullptr || std::ranges::find(fault.scopes, kind->scope) != fault.scopes.end()) return;
  std::string taken;
  for (const auto name : kinds_in(fault.scopes)) taken.append(taken.empty() ? "" : ", ").append(name);
  report.complain(path + ".on", "'" + step.on + "' is a " + target.selector.kind + ", and " + fault.name + " takes " + taken);
}

void check_peers(const Step& step, const std::string& list, const std::string& path, const Experiment& experiment, Report& report) {
  for (const auto& text : list_param(*step.params, list)) {
    const auto peer = parse_peer(text);
    if (peer && peer->kind == Peer::Kind::group && find_target(experiment, peer->name) == nullptr)
      report.complain(path + ".with." + list, unknown("target", peer->name, names_of(experiment.targets)));
  }
}

void check_step(const Step& step, const std::string& path, const Experiment& experiment, const std::vector<protocol::FaultText>& faults,
                Report& report) {
  const Target* target = find_target(experiment, step.on);
  const auto* fault = find_named(faults, step.fault);
  if (!step.on.empty() && target == nullptr) report.complain(path + ".on", unknown("target", step.on, names_of(experiment.targets)));
  if (!step.fault.empty() && fault == nullptr) report.complain(path + ".fault", unknown("fault", step.fault, names_of(faults)));
  if (target != nullptr && fault != nullptr) check_kind(step, *fault, *target, path, report);
  for (const auto& list : step.peer_lists) check_peers(step, list, path, experiment, report);
  if (step.at + step.length > experiment.limits.duration)
    report.complain(path,
                    "ends at " + to_text(step.at + step.length) + ", after limits.duration (" + to_text(experiment.limits.duration) + ")");
}

}  // namespace

void check_references(const Experiment& experiment, const std::vector<protocol::FaultText>& faults, Report& report) {
  for (const Load& load : experiment.loads) check_record(load, experiment, report);
  for (const Slo& slo : experiment.slos) check_slo(slo, experiment, report);
  for (std::size_t i = 0; i < experiment.timeline.size(); ++i)
    check_step(experiment.timeline[i], "spec.timeline[" + std::to_string(i) + "]", experiment, faults, report);
}

}  // namespace arashi::spec
