#include "experiments/guard/words.hpp"
#include "experiments/backtest/study.hpp"

#include <cstdio>

namespace arashi::backtest {
namespace {

using guard::number_words;
using guard::percent_words;

std::string counted(std::size_t number, const std::string& thing) {
  return std::to_string(number) + " " + thing + (number == 1 ? "" : "s");
}

double share(std::size_t part, std::size_t of) { return of == 0 ? 0 : static_cast<double>(part) / static_cast<double>(of); }

Duration rounded(Duration duration) { return std::chrono::round<std::chrono::milliseconds>(duration); }

std::string about(const Series& series, const guard::SloTerms& terms) {
  const std::uint64_t total = series.total(), bad = series.bad();
  std::string text = "  " + series.slo + ": " + counted(series.samples.size(), "sample") + ", " + to_text(rounded(series.step)) +
                     " apart, " + counted(total, "event") + ", " + percent_words(share(bad, total)) + " bad";
  if (series.gaps() > 0) text += ", " + counted(series.gaps(), "gap");
  if (series.dropped > 0) text += "; the " + std::to_string(series.dropped) + " oldest lines were left out";
  text += "\n    budget: " + number_words((1 - terms.objective) * terms.sources.front().window_events) + " bad events in " +
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
  std::string text = "  aborted for nothing: " + std::to_string(study.false_aborts) + " of " + std::to_string(study.ran) + ", " +
                     percent_words(share(study.false_aborts, study.ran)) + " (95% interval " + percent_words(study.false_share.low) +
                     " to " + percent_words(study.false_share.high);
  if (study.independent < study.ran)
    text += "; starts overlap, so they count as " + std::to_string(study.independent) + " experiments, as many as fit side by side";
  return text + ")\n    for nothing: by its planned end it would have stayed within its budget, had nobody stopped it\n";
}

std::string incident_text(const Incident& incident) {
  std::string text = "  " + utc(incident.from);
  if (incident.to - incident.from >= std::chrono::seconds(1)) text += " to " + utc(incident.to);
  text += ", " + counted(incident.starts, "start");
  if (incident.justified == incident.starts)
    text += ", rightly";
  else if (incident.justified == 0)
    text += ", for nothing";
  else
    text += ", rightly in " + std::to_string(incident.justified);
  return text + "\n    " + std::string(guard::name_of(incident.reason.layer)) + ": " + incident.reason.text +
         "\n    spent: " + percent_words(incident.spent_median) + " (median); unstopped it would have been up to " +
         percent_words(incident.would_spend_most) + "\n";
}

}  // namespace

std::string to_text(const Record& record, const guard::Config& config, const Shape& shape, const Study& study) {
  std::string text =
      "Record: " + to_text(rounded(record.end() - record.begin())) + ", from " + utc(record.begin()) + " to " + utc(record.end()) + "\n";
  for (std::size_t i = 0; i < record.series.size(); ++i) text += about(record.series[i], config.slos[i]);
  text += "Experiment: " + to_text(shape.length) + " with its recovery, may spend " + percent_words(config.budget) + " of each budget\n\n";
  text += counted(study.starts, "random start") + ": " + std::to_string(study.ran) + " would have run" + refusals(study);
  text += "  aborted rightly: " + std::to_string(study.justified) + "\n" + false_aborts(study);
  text += "  missed (over its budget, and not aborted): " + std::to_string(study.missed) + "\n";
  if (study.aborted > 0) text += "  spent when stopped: at most " + percent_words(study.spent_most) + " of a budget\n";
  if (study.ran > study.aborted)
    text += "  spent by those that ran to their end: median " + percent_words(study.quiet_median) + ", at most " +
            percent_words(study.quiet_most) + "\n";
  constexpr std::size_t most = 20;
  if (!study.incidents.empty()) text += "\nWhen it would have stopped:\n";
  for (std::size_t i = 0; i < study.incidents.size() && i < most; ++i) text += incident_text(study.incidents[i]);
  if (study.incidents.size() > most) text += "  and " + std::to_string(study.incidents.size() - most) + " more; --json has them all\n";
  return text;
}

std::string to_text(const guard::Config& config, const Outcome& outcome) {
  std::string text = "Start " + utc(outcome.start) + ": ";
  if (!outcome.refused.empty()) return text + "would not have started: " + outcome.refused + "\n";
  text += outcome.abort ? "aborted after " + to_text(rounded(*outcome.abort)) : "would have run to its end";
  if (outcome.abort) text += outcome.cap_crossed ? ", rightly" : ", for nothing: it would have stayed within its budget";
  if (!outcome.abort && outcome.cap_crossed) text += ", over its budget";
  text += "\n";
  for (const auto& reason : outcome.why) text += "  " + std::string(guard::name_of(reason.layer)) + ": " + reason.text + "\n";
  for (std::size_t i = 0; i < outcome.slos.size(); ++i)
    text += "  " + config.slos[i].name + ": spent " + percent_words(outcome.slos[i].spent) + "; by the planned end, unstopped, " +
            percent_words(outcome.slos[i].would_spend) + " (" + percent_words(config.budget) + " allowed)\n";
  return text;
}

}  // namespace arashi::backtest
