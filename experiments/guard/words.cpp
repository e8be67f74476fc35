#include "experiments/guard/words.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

namespace arashi::guard {

// Two digits below ten, else whole with one digit where it matters; never an exponent.
std::string number_words(double value) {
  const double size = std::fabs(value);
  int digits = 0;
  if (size < 100) digits = 1;
  if (size > 0 && size < 1) digits = std::min(6, 1 - static_cast<int>(std::floor(std::log10(size))));
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%.*f", digits, value);
  std::string result = text.data();
  if (result.find('.') != std::string::npos) {
    while (result.back() == '0') result.pop_back();
    if (result.back() == '.') result.pop_back();
  }
  return result;
}

std::string percent_words(double share) { return number_words(share * 100) + " %"; }

std::string period_words(Duration duration) {
  const double length = seconds(duration);
  if (length >= 2 * 86400) return number_words(length / 86400) + " days";
  if (length >= 3600) return number_words(length / 3600) + " h";
  if (length >= 120) return number_words(length / 60) + " min";
  return number_words(length) + " s";
}

std::string window_words(Duration window) {
  const double length = seconds(window);
  if (length >= 86400) return number_words(length / 86400) + "-day";
  return number_words(length / 3600) + "-hour";
}

std::string effect_words(const Effect& effect) {
  std::string text = "a request to a faulted replica was ";
  if (!effect.highest && effect.lowest <= 0)
    return text + "as far as one can tell no more and no less likely to fail than one to an untouched replica";
  if (!effect.highest) return text + "at least " + number_words(effect.lowest) + " times as likely to fail as one to an untouched replica";
  return text + number_words(effect.ratio) + " times (" + number_words(effect.lowest) + " to " + number_words(*effect.highest) +
         ", 95 %) as likely to fail as one to an untouched replica";
}

std::string cause_words(const Effect& effect) {
  switch (effect.cause) {
    case Cause::fault:
      return effect_words(effect) + ": it is the fault's doing";
    case Cause::incident:
      return "the untouched replicas burn too fast as well (" + std::to_string(effect.control.bad) + " of " +
             std::to_string(effect.control.total) + " bad): this looks like an incident of its own and not like the fault's doing";
    case Cause::both:
      return effect_words(effect) + ", but the untouched ones burn too fast as well: an incident of its own, or the fault spreads";
    case Cause::unknown:
      break;
  }
  return "there is not enough yet to tell the faulted replicas from the untouched ones";
}

std::string chance_words(double log_e, double log_threshold) {
  const auto one_in = [](double log) {
    return log > 20.7 ? "less than 1 in 1000000000" : "1 in " + number_words(std::round(std::exp(log)));
  };
  return (log_e < 0.7 ? "chance may explain it all" : "chance of an accident " + one_in(log_e)) + ", stops at " + one_in(log_threshold);
}

std::string standing_words(const SloState& slo) {
  std::string text = "spent " + percent_words(slo.budget_spent) + " of the " + percent_words(slo.budget_limit) + " it may";
  if (!slo.period.empty()) text += " in " + slo.period;
  if (slo.extrapolated) text += " (budget extrapolated)";
  text += ", " + std::to_string(slo.bad) + " bad of " + std::to_string(slo.total);
  if (slo.lost > 0) text += " (" + std::to_string(slo.lost) + " never came)";
  text += ", burns at " + number_words(slo.burn_rate);
  if (slo.lasts) text += " (at that rate it is spent in " + period_words(*slo.lasts) + ")";
  text += ", " + chance_words(slo.log_e, slo.log_threshold);
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
            std::to_string(source.bad) + " bad of " + std::to_string(source.total);
    if (source.state != Freshness::fresh) text += ", data " + std::string(name_of(source.state));
  }
  return text;
}

std::string windows_words(const std::vector<Window>& windows) {
  std::string text;
  for (const Window& window : windows)
    text += (text.empty() ? "" : ", ") + period_words(window.length) + ": " + number_words(window.burn_rate) + " of " +
            number_words(window.threshold);
  return text;
}

}  // namespace arashi::guard
