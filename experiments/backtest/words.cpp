#include "experiments/guard/words.hpp"
#include "experiments/backtest/study.hpp"

#include <cstdio>

namespace arashi::backtest {
namespace {

std::string counted(std::size_t number, const std::string& thing) {
  return std::to_string(number) + " " + thing + (number == 1 ? "" : "s");
}

double share(std::size_t part, std::size_t of) { return of == 0 ? 0 : static_cast<double>(part) / static_cast<double>(of); }

Duration rounded(Duration duration) { return std::chrono::round<std::chrono::milliseconds>(duration); }

std::string about(const Series& series, const guard::SloTerms& terms) {
  const std::uint64_t total = series.total(), bad = series.bad();
  std::string text = "  " + series.slo + ": " + counted(series.samples.size(), "sample") + ", " + to_text(rounded(series.step)) +
                     " apart, " + counted(total, "event") + ", " + percent_text(share(bad, total)) + " bad";
  if (series.gaps() > 0) text += ", " + counted(series.gaps(), "gap");
  if (series.dropped > 0) text += "; the " + std::to_string(series.dropped) + " oldest lines were left out";
  text += "\n    budget: " + number_text((1 - terms.objective) * terms.sources.front().window_events) + " bad events in " +
          (terms.period.empty() ? to_text(terms.window) : terms.period);
  return text + (terms.sources.front().extrapolated ? " (extrapolated: the record is shorter)\n" : "\n");
}

std::string refusals(const Study& study) {
  if (study.refused.empty()) return "\n";
  std::string text;
  for (const auto& [why, times] : study.refused)
    text += (text.empty() ? "; would not have started: " : ", ") + why + " (" + std::to_string(times) + ")";
  return text + "\n";
}

std::string false_aborts(const Study& study) {
  std::string text = "  false aborts: " + std::to_string(study.false_aborts) + " of " + std::to_string(study.ran) + ", " +
                     percent_text(share(study.false_aborts, study.ran)) + " (95% interval " + percent_text(study.false_share.low) + " to " +
                     percent_text(study.false_share.high);
  if (study.independent < study.ran)
    text += "; starts overlap, so they count as " + std::to_string(study.independent) + " experiments, as many as fit side by side";
  return text +
         ")\n    false: the recorded burn rate was not above the threshold, and the limit would not have been reached by the planned end\n";
}

std::string incident_text(const Incident& incident) {
  std::string text = "  " + utc(incident.from);
  if (incident.to - incident.from >= std::chrono::seconds(1)) text += " to " + utc(incident.to);
  text += ", " + counted(incident.starts, "start");
  if (incident.justified == incident.starts)
    text += ", true aborts";
  else if (incident.justified == 0)
    text += ", false aborts";
  else
    text += ", true aborts: " + std::to_string(incident.justified);
  return text + "\n    " + std::string(guard::name_of(incident.reason.layer)) + ": " + incident.reason.text +
         "\n    error budget used: " + percent_text(incident.spent_median) + " (median); without the abort up to " +
         percent_text(incident.would_spend_most) + "\n";
}

}  // namespace

std::string to_text(const Record& record, const guard::Config& config, const Shape& shape, const Study& study) {
  std::string text =
      "Record: " + to_text(rounded(record.end() - record.begin())) + ", from " + utc(record.begin()) + " to " + utc(record.end()) + "\n";
  for (std::size_t i = 0; i < record.series.size(); ++i) text += about(record.series[i], config.slos[i]);
  text += "Experiment: " + to_text(shape.length) + " with its recovery, error budget limit " + percent_text(config.budget) + "\n\n";
  text += counted(study.starts, "random start") + ": " + std::to_string(study.ran) + " would have run" + refusals(study);
  text += "  true aborts: " + std::to_string(study.justified) +
          "\n    true: the recorded burn rate was above the threshold, or the limit would have been reached by the planned end\n" +
          false_aborts(study);
  text +=
      "  missed: " + std::to_string(study.missed) + "\n    missed: the limit was reached by the planned end, and the guard did not abort\n";
  if (study.aborted > 0) text += "  error budget used when aborted: at most " + percent_text(study.spent_most) + "\n";
  if (study.ran > study.aborted)
    text += "  error budget used without an abort: median " + percent_text(study.quiet_median) + ", at most " +
            percent_text(study.quiet_most) + "\n";
  constexpr std::size_t most = 20;
  if (!study.incidents.empty()) text += "\nWhen it would have aborted:\n";
  for (std::size_t i = 0; i < study.incidents.size() && i < most; ++i) text += incident_text(study.incidents[i]);
  if (study.incidents.size() > most) text += "  and " + std::to_string(study.incidents.size() - most) + " more; --json has them all\n";
  return text;
}

std::string to_text(const guard::Config& config, const Outcome& outcome) {
  std::string text = "Start " + utc(outcome.start) + ": ";
  if (!outcome.refused.empty()) return text + "would not have started: " + outcome.refused + "\n";
  text += outcome.abort ? "aborted after " + to_text(rounded(*outcome.abort)) : "would have run to its end";
  if (outcome.abort)
    text += outcome.justified() ? ", a true abort"
                                : ", a false abort: the burn rate was not above the threshold, nor would the limit have been reached";
  if (!outcome.abort && outcome.cap_crossed) text += ", missed: the limit was reached";
  text += "\n";
  for (const auto& reason : outcome.why) text += "  " + std::string(guard::name_of(reason.layer)) + ": " + reason.text + "\n";
  for (std::size_t i = 0; i < outcome.slos.size(); ++i)
    text += "  " + config.slos[i].name + ": error budget used " + percent_text(outcome.slos[i].spent) + ", " +
            percent_text(outcome.slos[i].would_spend) + " by the planned end without an abort (limit " + percent_text(config.budget) +
            ")\n";
  return text;
}

}  // namespace arashi::backtest
