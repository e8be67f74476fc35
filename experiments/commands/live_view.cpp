#include "experiments/commands/live_view.hpp"

#include "experiments/guard/words.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

namespace arashi::commands {

using run::FaultResult;
using run::RunResult;

namespace {

constexpr const char* red = "\x1b[31m";
constexpr const char* green = "\x1b[32m";
constexpr const char* yellow = "\x1b[33m";
constexpr const char* bold = "\x1b[1m";
constexpr const char* dim = "\x1b[2m";
constexpr const char* plain = "\x1b[0m";

std::string number(const char* format, double value) {
  std::array<char, 48> text{};
  std::snprintf(text.data(), text.size(), format, value);
  return text.data();
}

// What a byte of UTF-8 adds: nothing if it continues a character; two columns for what starts at U+3000 or later (CJK, emoji).
std::size_t columns_of(char c) {
  const auto byte = static_cast<unsigned char>(c);
  if ((byte & 0xc0U) == 0x80U) return 0;
  return byte >= 0xe3 ? 2 : 1;
}

std::size_t columns(const std::string& text) {
  std::size_t all = 0;
  for (const char c : text) all += columns_of(c);
  return all;
}

// Control characters of a victim's name do not reach the terminal; what a command said in several lines stands in one.
std::string cut(const std::string& text, std::size_t width) {
  std::string out;
  std::size_t used = 0;
  for (const char c : text) {
    used += columns_of(c);
    if (used > width) break;
    const bool is_space = c == '\n' || c == '\t';
    out += is_space ? ' ' : static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
  }
  return out;
}

std::string fill(const std::string& text, std::size_t width) {
  std::string out = cut(text, width);
  out.append(width - std::min(width, columns(out)), ' ');
  return out;
}

class Page {
 public:
  explicit Page(Canvas canvas) : canvas_(canvas) {}
  // The text is cut first, so that colours do not count.
  void line(const std::string& text, const char* colour = "") {
    const std::string shown = cut(text, static_cast<std::size_t>(std::max(canvas_.width, 20)));
    const bool coloured = canvas_.colour && *colour != '\0';
    text_ += (coloured ? colour : "") + shown + (coloured ? plain : "") + "\n";
  }
  [[nodiscard]] std::size_t width() const { return static_cast<std::size_t>(std::max(canvas_.width, 20)); }
  std::string take() { return std::move(text_); }

 private:
  Canvas canvas_;
  std::string text_;
};

std::string bar(double share, std::size_t width) {
  const auto full = static_cast<std::size_t>(std::lround(std::clamp(share, 0.0, 1.0) * static_cast<double>(width)));
  std::string out;
  for (std::size_t i = 0; i < width; ++i) out += i < full ? "█" : "░";
  return out;
}

// A fault's row of the timeline: planned light, standing full, over shaded; '|' is now.
std::string track(const plan::Planned& planned, const FaultResult& fault, const RunResult& result, Duration length, Duration now,
                  std::size_t width) {
  const double whole = std::max(1.0, seconds(length));
  const double first = result.times.first_injection ? seconds(*result.times.first_injection) : seconds(now);
  const auto place = [&](double at) { return static_cast<std::size_t>(std::clamp(at / whole, 0.0, 1.0) * static_cast<double>(width)); };
  const std::size_t from = place(seconds(planned.at));
  const std::size_t to = std::max(from + 1, place(seconds(planned.at + planned.length)));
  const bool begun = result.times.first_injection.has_value();
  const std::size_t reached = begun ? place(seconds(now) - first) : 0;
  const std::size_t ended = fault.reverted_at ? place(seconds(*fault.reverted_at) - first) : reached;
  const std::size_t stood = fault.active_at ? std::clamp(ended, from + 1, to) : from;
  const auto mark = [&](std::size_t i) {
    if (i >= from && i < stood) return "█";
    if (i >= from && i < to) return "░";
    return begun && i == reached ? "│" : "·";
  };
  std::string out;
  for (std::size_t i = 0; i < width; ++i) out += mark(i);
  return out;
}

std::string amount(const std::optional<double>& value, const std::string& unit) { return value ? amount_text(*value, unit) : "?"; }

std::string achieved(const FaultResult& fault) {
  std::string text;
  for (const auto& value : fault.evidence.values) {
    text += text.empty() ? "" : ", ";
    text += value.what + " " + amount(value.achieved, value.unit);
    if (value.requested) text += " of " + amount(value.requested, value.unit);
  }
  if (text.empty()) text = fault.evidence.detail;
  return text;
}

void draw_slo(Page& page, const guard::SloState& slo) {
  const double share = slo.budget_limit > 0 ? slo.budget_spent / slo.budget_limit : 1;
  const char* colour = share >= 0.5 || slo.burn_rate > 14.4 ? red : slo.burn_rate > 1 ? yellow : green;
  page.line(" " + fill(slo.name, 16) + " " + bar(share, 16) + " " + "error budget used " + percent_text(slo.budget_spent) + " (limit " +
                percent_text(slo.budget_limit) + ")   burn rate " + factor_text(slo.burn_rate) + "   " + std::to_string(slo.bad) + " of " +
                std::to_string(slo.total) + " requests bad" +
                (slo.state == guard::Freshness::fresh ? "" : "   data " + std::string(guard::name_of(slo.state))),
            colour);
  // How near the guard is to an abort: by significance, by time, by each window's alert.
  std::string near = guard::significance_words(slo.log_e, slo.log_threshold);
  if (slo.lasts) near += "   limit reached in " + period_text(*slo.lasts) + " at this rate";
  const std::string windows = guard::windows_words(slo.windows);
  if (!windows.empty()) near += "   burn rate by window " + windows;
  page.line("     " + near, dim);
  if (!slo.period.empty()) page.line("     error budget of " + slo.period + (slo.extrapolated ? ", extrapolated" : ""), dim);
  if (const std::string sources = guard::sources_words(slo); !sources.empty()) page.line("     by " + sources, dim);
  if (slo.effect) page.line("     " + guard::cause_words(*slo.effect), slo.effect->cause == guard::Cause::unknown ? dim : yellow);
}

void draw_fault(Page& page, std::size_t index, const RunResult& result, Duration length, Duration now) {
  const auto& fault = result.faults[index];
  const std::size_t room = page.width() > 66 ? page.width() - 62 : 12;
  const char* colour = fault.step == Step::active || fault.step == Step::reverting ? yellow
                       : fault.step == Step::stuck || fault.step == Step::lost     ? red
                                                                                   : dim;
  page.line(" " + fill(fault.fault, 18) + " " + fill(fault.victim, 28) + " " +
                track(result.plan.injections[index], fault, result, length, now, room) + " " + std::string(name_of(fault.step)),
            colour);
  const std::string seen = fault.step == Step::active ? achieved(fault) : fault.problem;
  if (!seen.empty()) page.line("     " + seen, dim);
}

std::string clock_text(Duration at) { return number("+%.1fs", seconds(at)); }

}  // namespace

std::string picture(const spec::Experiment& experiment, const run::Runner& runner, Duration now, Canvas canvas) {
  const auto& result = runner.result();
  constexpr std::size_t most_faults = 8;
  Page page(canvas);
  page.line("── " + experiment.name + " ── " + std::string(run::name_of(runner.state())) + " ── " + clock_text(now), bold);
  if (!experiment.hypothesis.empty()) page.line(" " + experiment.hypothesis, dim);
  for (const auto& slo : result.slos) draw_slo(page, slo);
  if (result.slos.empty() && !result.loads.empty())
    for (const auto& load : result.loads)
      page.line(" " + fill(load.name, 16) + " " + number("%.1f", load.rate_achieved) + " of " + number("%.1f/s", load.rate_intended) +
                "   " + std::to_string(load.bad) + " of " + std::to_string(load.total) + " requests bad");
  // Those that matter now first in line: standing ones are never cut off by ended ones.
  std::vector<std::size_t> order(result.faults.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  const auto ended = [&](std::size_t i) { return result.faults[i].step == Step::reverted; };
  if (order.size() > most_faults) std::stable_partition(order.begin(), order.end(), [&](std::size_t i) { return !ended(i); });
  for (std::size_t i = 0; i < std::min(order.size(), most_faults); ++i)
    draw_fault(page, order[i], result, spec::timeline_length(experiment), now);
  if (order.size() > most_faults) page.line(" and " + std::to_string(order.size() - most_faults) + " more", dim);
  const std::size_t events = result.events.size();
  for (std::size_t i = events > 3 ? events - 3 : 0; i < events; ++i)
    page.line(" " + clock_text(result.events[i].at) + "  " + result.events[i].what + "  " + result.events[i].detail, dim);
  return page.take();
}

std::string over(int lines) { return lines > 0 ? "\x1b[" + std::to_string(lines) + "F\x1b[J" : ""; }

std::string PlainLines::next(const run::Runner& runner, Duration now) {
  const auto& result = runner.result();
  std::string text;
  for (; shown_ < result.events.size(); ++shown_) {
    const auto& event = result.events[shown_];
    text += wall_clock_text() + " " + clock_text(event.at) + " " +
            cut(event.what + (event.detail.empty() ? "" : ": " + event.detail), 1000) + "\n";
  }
  if (now - stood_ < std::chrono::seconds(5)) return text;
  stood_ = now;
  for (const auto& slo : result.slos)
    text += wall_clock_text() + " " + clock_text(now) + " " + std::string(run::name_of(runner.state())) + ": " + slo.name + " " +
            guard::standing_words(slo) + "\n";
  return text;
}

}  // namespace arashi::commands
