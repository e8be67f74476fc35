// Foreign SLOs in the form of our own spec.
#include "experiments/import/import.hpp"
#include "injector/core/json.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <set>

namespace arashi::import {
namespace {

constexpr std::size_t longest_name = 63;

bool is_control(unsigned char c) { return c < 0x20 || c == 0x7f; }

// A YAML scalar: in single quotes, where no character needs an escape.
std::string quoted(const std::string& text) {
  if (std::ranges::any_of(text, is_control)) {
    std::string json = to_text(Json(text));  // YAML too
    for (auto at = json.find('\x7f'); at != std::string::npos; at = json.find('\x7f', at)) json.replace(at, 1, "\\u007f");
    return json;
  }
  std::string made = "'";
  for (const char c : text) made += c == '\'' ? "''" : std::string(1, c);
  return made + "'";
}

// A share as "99.9%", without what the multiplication adds in the last digits.
std::string percent(double share) {
  constexpr int digits = 13;
  std::array<char, 64> buffer{};
  const auto* end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), share * 100, std::chars_format::fixed, digits).ptr;
  std::string text(static_cast<const char*>(buffer.data()), end);
  text.resize(text.find_last_not_of('0') + 1);
  if (text.ends_with('.')) text.pop_back();
  return text + "%";
}

// A name as our specs have it, a DNS label.
std::string name_of(const std::string& foreign) {
  std::string name;
  for (const unsigned char c : foreign) {
    const bool plain = std::isalnum(c) != 0;
    if (plain || (!name.empty() && name.back() != '-')) name += plain ? static_cast<char>(std::tolower(c)) : '-';
  }
  name.resize(std::min(name.size(), longest_name));
  while (name.ends_with('-')) name.pop_back();
  return name.empty() ? "slo" : name;
}

// The same, and none of those before.
std::string new_name(const std::string& foreign, std::set<std::string>& taken) {
  const std::string name = name_of(foreign);
  std::string made = name;
  for (int number = 2; !taken.insert(made).second; ++number) {
    const std::string ending = "-" + std::to_string(number);
    made = name.substr(0, longest_name - ending.size()) + ending;
  }
  return made;
}

// Lines of `method` and `slice`, where the budget is not counted in events.
std::string budgeting(const ForeignSlo& slo) {
  if (slo.method == spec::Method::occurrences) return "";
  if (slo.method == spec::Method::ratio_timeslices) return "\n    method: ratioTimeslices\n    slice: {window: " + to_text(slo.slice) + "}";
  return "\n    method: timeslices\n    slice: {target: " + percent(slo.slice_target) + ", window: " + to_text(slo.slice) + "}";
}

std::string window(const ForeignSlo& slo) {
  if (!slo.calendar) return "window: " + to_text(slo.window);
  return "calendar: {duration: " + spec::length_text(*slo.calendar) + ", start: '" + spec::start_text(*slo.calendar) +
         "', timezone: " + quoted(slo.calendar->timezone) + "}";
}

}  // namespace

std::string to_spec(const std::vector<ForeignSlo>& slos, const std::string& url) {
  std::string text = "slos:\n";
  std::set<std::string> taken;
  for (const ForeignSlo& each : slos)
    text += "  " + new_name(each.name, taken) + ":\n    objective: " + percent(each.objective) + "\n    " + window(each) + budgeting(each) +
            "\n    prometheus:\n      url: " + quoted(each.url.empty() ? url : each.url) + "\n      bad: " + quoted(each.bad) +
            "\n      total: " + quoted(each.total) + "\n";
  return text;
}

}  // namespace arashi::import
