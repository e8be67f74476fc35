#include "experiments/guard/words.hpp"

#include <cmath>

namespace arashi::guard {

std::string window_words(Duration window) { return "the last " + period_text(window); }

std::string effect_words(const Effect& effect) {
  std::string text = "a request to a faulted replica was ";
  if (!effect.highest && effect.lowest <= 0) return text + "not measurably more or less likely to fail than one to an unfaulted replica";
  if (!effect.highest) return text + "at least " + number_text(effect.lowest) + " times as likely to fail as one to an unfaulted replica";
  return text + number_text(effect.ratio) + " times (" + number_text(effect.lowest) + " to " + number_text(*effect.highest) +
         ", 95%) as likely to fail as one to an unfaulted replica";
}

std::string cause_words(const Effect& effect) {
  switch (effect.cause) {
    case Cause::fault:
      return effect_words(effect) + ": the fault is the cause";
    case Cause::incident:
      return "the burn rate of the unfaulted replicas is above the limit as well (" + std::to_string(effect.control.bad) + " of " +
             std::to_string(effect.control.total) + " bad): probably an independent incident, not the fault";
    case Cause::both:
      return effect_words(effect) +
             ", but the burn rate of the unfaulted ones is above the limit as well: an independent incident, or the fault spreads";
    case Cause::unknown:
      break;
  }
  return "not enough data yet to compare the faulted with the unfaulted replicas";
}

std::string significance_words(double log_e, double log_threshold) {
  constexpr double some = 0.7;  // an e-value of 2
  if (log_e < some) return "no significant violation";
  const std::string found = probability_text(log_e);
  return "significance p " + (found.front() == '<' ? found : "= " + found) + " (aborts at p < " + probability_text(log_threshold) + ")";
}

std::string standing_words(const SloState& slo) {
  std::string text = "error budget used " + percent_text(slo.budget_spent);
  if (!slo.period.empty()) text += " of " + slo.period;
  text += " (limit " + percent_text(slo.budget_limit) + (slo.extrapolated ? ", budget extrapolated" : "") + ")";
  text += ", " + std::to_string(slo.bad) + " of " + std::to_string(slo.total) + " requests bad";
  if (slo.lost > 0) text += " (" + std::to_string(slo.lost) + " did not arrive)";
  text += ", burn rate " + factor_text(slo.burn_rate);
  if (slo.lasts) text += " (limit reached in " + period_text(*slo.lasts) + " at this rate)";
  text += ", " + significance_words(slo.log_e, slo.log_threshold);
  if (slo.state != Freshness::fresh) text += ", data " + std::string(name_of(slo.state));
  if (const std::string sources = sources_words(slo); !sources.empty()) text += "; by " + sources;
  if (slo.effect && slo.effect->cause != Cause::unknown) text += "; " + cause_words(*slo.effect);
  return text;
}

std::string sources_words(const SloState& slo) {
  std::string text;
  if (slo.sources.size() < 2) return text;
  for (const SourceState& source : slo.sources) {
    text += (text.empty() ? "" : "; ") + source.name + (source.authoritative ? "" : " (not authoritative)") + ": " +
            std::to_string(source.bad) + " of " + std::to_string(source.total) + " requests bad";
    if (source.state != Freshness::fresh) text += ", data " + std::string(name_of(source.state));
  }
  return text;
}

std::string windows_words(const std::vector<Window>& windows) {
  std::string text;
  for (const Window& window : windows)
    text += (text.empty() ? "" : ", ") + period_text(window.length) + ": " + factor_text(window.burn_rate) + " (alert threshold " +
            factor_text(window.threshold) + ")";
  return text;
}

}  // namespace arashi::guard
