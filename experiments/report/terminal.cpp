#include "experiments/guard/words.hpp"
#include "experiments/report/report.hpp"
#include "injector/core/figures.hpp"
#include "injector/core/json.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

namespace arashi::report {

namespace {

struct Look {
  std::string_view outcome, sign, colour;
};
constexpr std::array looks{Look{"held", "HELD", "32"},
                           Look{"refuted", "REFUTED", "31"},
                           Look{"refused", "REFUSED", "33"},
                           Look{"interrupted", "INTERRUPTED", "33"},
                           Look{"inconclusive", "INCONCLUSIVE", "33"},
                           Look{"left-behind", "LEFT BEHIND", "1;41;97"}};

std::string fixed(double value, int digits) {
  std::array<char, 64> buffer{};
  std::snprintf(buffer.data(), buffer.size(), "%.*f", digits, value);
  return buffer.data();
}

std::string amount(const Json& value, const std::string& unit) {
  return value.is_number() ? amount_text(value.get<double>(), unit) : "unknown";
}

std::string headline(const Json& result, bool in_colour) {
  const auto outcome = result.value("outcome", std::string());
  std::string sign = outcome;
  std::string colour = "0";
  for (const auto& look : looks) {
    if (look.outcome != outcome) continue;
    sign = look.sign;
    colour = look.colour;
  }
  std::string text = in_colour ? "\033[" + colour + "m" + sign + "\033[0m" : sign;
  text += "  " + result.value("experiment", std::string()) + "\n";
  for (const auto& reason : result.at("reasons")) text += "  " + reason.get<std::string>() + "\n";
  return text;
}

std::string times(const Json& result) {
  constexpr std::array rows{std::pair{"firstInjection", "first injection"}, std::pair{"firstBad", "first bad request"},
                            std::pair{"decision", "abort decision"}, std::pair{"lastRevert", "last revert"},
                            std::pair{"recovered", "recovered"}};
  std::string text;
  std::optional<double> before;
  for (const auto& [key, label] : rows) {
    const auto& value = result.at("times").at(key);
    if (!value.is_number()) continue;
    const auto at = value.get<double>();
    text += "  " + std::string(label) + std::string(20 - std::string_view(label).size(), ' ') + "+" + fixed(at, 3) + " s";
    if (before && at >= *before) text += "   (" + fixed(at - *before, 3) + " s later)";
    text += "\n";
    before = at;
  }
  return text;
}

// Where a fault ended; of one that can't be undone not that it was.
std::string end_of(const Json& fault, const Json& plan, std::size_t index) {
  const auto step = fault.at("step").get<std::string>();
  const Json::json_pointer reversible("/injections/" + std::to_string(index) + "/reversible");
  const bool cannot = plan.contains(reversible) && plan.at(reversible) == false;
  return cannot && step == "reverted" ? "ended (cannot be reverted)" : step;
}

std::string faults(const Json& result) {
  std::string text;
  for (std::size_t i = 0; i < result.at("faults").size(); ++i) {
    const auto& fault = result.at("faults")[i];
    const bool was_active = fault.at("activeAt").is_number();
    text += "  " + fault.at("fault").get<std::string>() + " on " + fault.at("victim").get<std::string>() + ": ";
    text += was_active ? end_of(fault, result.at("plan"), i) : "not injected";
    if (const auto problem = fault.value("problem", std::string()); !problem.empty()) text += " (" + problem + ")";
    const auto& evidence = fault.at("evidence");
    text += !was_active || evidence.at("bit").get<bool>() ? "\n" : "; no effect observed\n";
    if (!was_active) continue;
    for (const auto& value : evidence.at("values")) {
      const auto unit = value.value("unit", std::string());
      text += "      " + value.value("what", std::string()) + ": ";
      if (value.at("requested").is_number()) text += "requested " + amount(value.at("requested"), unit) + ", ";
      text += "achieved " + amount(value.at("achieved"), unit) + "\n";
    }
  }
  return text;
}

std::string guard_lines(const Json& slo) {
  std::string text = "      " + guard::significance_words(slo.value("logE", 0.0), slo.value("logThreshold", 0.0)) + "\n";
  const auto sources = slo.find("sources");
  for (std::size_t i = 0; sources != slo.end() && sources->size() > 1 && i < sources->size(); ++i) {
    const Json& source = sources->at(i);
    const auto problem = source.value("problem", std::string());
    text += "      by " + source.value("name", std::string()) + (source.value("authoritative", true) ? "" : " (not authoritative)") + ": " +
            std::to_string(source.value("bad", std::uint64_t{0})) + " of " + std::to_string(source.value("total", std::uint64_t{0})) +
            " bad, data " + source.value("state", std::string()) + (problem.empty() ? "" : ": " + problem) + "\n";
  }
  if (const auto effect = slo.find("effect"); effect != slo.end() && effect->is_object())
    text += "      " + effect->value("text", std::string()) + "\n";
  return text;
}

std::string slos(const Json& result) {
  std::string text;
  for (const auto& slo : result.at("slos")) {
    text += "  SLO " + slo.at("name").get<std::string>() + ": " + std::to_string(slo.at("bad").get<std::uint64_t>()) + " of " +
            std::to_string(slo.at("total").get<std::uint64_t>()) + " requests bad, error budget used " +
            percent_text(slo.at("budgetSpent").get<double>()) + "\n";
    text += guard_lines(slo);
  }
  for (const auto& check : result.at("checks"))
    text += "  check " + check.at("name").get<std::string>() + " (" + check.at("when").get<std::string>() +
            "): " + (check.at("passed").get<bool>() ? "passed" : "FAILED " + check.value("detail", std::string())) + "\n";
  return text;
}

}  // namespace

std::string terminal(const Json& result, bool in_colour) {
  return headline(result, in_colour) + times(result) + slos(result) + faults(result);
}

}  // namespace arashi::report
