#include "experiments/spec/load/load_files.hpp"

#include "injector/core/json.hpp"

#include <date/date.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <sstream>

namespace arashi::spec {
namespace {

constexpr std::size_t most_arrivals = 1'000'000;
constexpr double longest = 1e9;  // seconds

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

std::string shown(std::string_view text) { return "'" + std::string(text.substr(0, 60)) + "'"; }

// Calls take(line, number) for each line that is not empty; the first error ends it.
template <class Take>
Result<void> each_line(std::string_view text, const Take& take) {
  std::size_t number = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    ++number;
    const std::string_view line = trimmed(text.substr(at, end - at));
    at = end + 1;
    if (!line.empty()) TRY(take(line, number));
  }
  return {};
}

std::optional<double> number_of(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool good = error == std::errc{} && end == text.data() + text.size() && std::isfinite(value);
  return good ? std::optional(value) : std::nullopt;
}

std::optional<double> json_time(std::string_view line) {
  const auto json = parse_json(std::string(line));
  if (!json || !json->is_object() || !json->contains("t") || !json->at("t").is_number()) return std::nullopt;
  return json->at("t").get<double>();
}

// 9 stands for a digit, A for a letter, + for a sign. `date` makes an undefined value of a time whose seconds are no number.
bool has_shape(std::string_view text, std::string_view shape) {
  return std::ranges::equal(text, shape, [](char c, char wanted) {
    if (wanted == '9') return c >= '0' && c <= '9';
    if (wanted == 'A') return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    return wanted == '+' ? c == '+' || c == '-' : c == wanted;
  });
}

// Of an access log's line, to the second.
std::optional<double> log_time(std::string_view line) {
  const auto open = line.find('[');
  const auto close = line.find(']', open == std::string_view::npos ? 0 : open);
  if (open == std::string_view::npos || close == std::string_view::npos) return std::nullopt;
  const auto text = line.substr(open + 1, close - open - 1);
  if (!has_shape(text, "99/AAA/9999:99:99:99 +9999")) return std::nullopt;
  std::istringstream in{std::string(text)};
  date::sys_seconds at;
  in >> date::parse("%d/%b/%Y:%H:%M:%S %z", at);
  return in.fail() ? std::nullopt : std::optional(static_cast<double>(at.time_since_epoch().count()));
}

// A log knows whole seconds only: those of one are spread over it.
void spread(std::vector<double>& times) {
  for (std::size_t first = 0; first < times.size();) {
    std::size_t end = first;
    while (end < times.size() && times[end] == times[first]) ++end;
    const auto count = static_cast<double>(end - first);
    for (std::size_t i = first; i < end; ++i) times[i] += static_cast<double>(i - first) / count;
    first = end;
  }
}

Result<std::vector<Duration>> durations(std::vector<double> times) {
  if (times.empty()) return fail(Blame::input, "holds no time at all");
  std::ranges::sort(times);
  if (times.back() - times.front() > longest) return fail(Blame::input, "spans more than ", longest, " seconds");
  std::vector<Duration> made;
  made.reserve(times.size());
  for (const double time : times) made.emplace_back(std::llround((time - times.front()) * 1e9));
  return made;
}

}  // namespace

Result<std::vector<Duration>> parse_arrivals(std::string_view text) {
  std::vector<double> times, logged;
  TRY(each_line(text, [&](std::string_view line, std::size_t number) -> Result<void> {
    const auto plain = line.front() == '{' ? json_time(line) : number_of(line);
    const auto from_log = plain || line.front() == '{' ? std::nullopt : log_time(line);
    if (!plain && !from_log)
      return fail(Blame::input, "line ", number, ": ", shown(line),
                  " tells no time: seconds such as 0.25, {\"t\": 0.25}, or an access log's [25/Nov/2026:10:00:00 +0000] is expected");
    (plain ? times : logged).push_back(plain ? *plain : *from_log);
    if (!times.empty() && !logged.empty()) return fail(Blame::input, "line ", number, ": seconds and an access log are mixed");
    if (times.size() + logged.size() > most_arrivals) return fail(Blame::input, "holds more than ", most_arrivals, " times");
    return {};
  }));
  if (logged.empty()) return durations(std::move(times));
  std::ranges::sort(logged);
  spread(logged);
  return durations(std::move(logged));
}

namespace {

// What stands in quotes from `at` on, which is moved behind them; false when they are not closed, or text stands behind them.
bool take_quoted(std::string_view text, std::size_t& at, std::string& out) {
  for (++at; at < text.size() && (text[at] != '"' || text.substr(at, 2) == "\"\""); ++at) {
    out += text[at];
    if (text[at] == '"') ++at;
  }
  if (at >= text.size()) return false;
  ++at;
  return at >= text.size() || std::string_view(",\r\n").find(text[at]) != std::string_view::npos;
}

// One record of CSV from `at` on, which is moved behind it; nothing when a quoted value is wrong.
std::optional<std::vector<std::string>> csv_record(std::string_view text, std::size_t& at) {
  std::vector<std::string> fields(1);
  while (at < text.size()) {
    if (text[at] == '"' && fields.back().empty()) {
      if (!take_quoted(text, at, fields.back())) return std::nullopt;
      continue;
    }
    const char c = text[at++];
    if (c == '\n') break;
    if (c == ',')
      fields.emplace_back();
    else if (c != '\r' || text.substr(at, 1) != "\n")
      fields.back() += c;
  }
  return fields;
}

std::size_t line_of(std::string_view text, std::size_t at) {
  return static_cast<std::size_t>(std::ranges::count(text.substr(0, at), '\n')) + 1;
}

Result<void> check_columns(const std::vector<std::string>& columns) {
  for (std::size_t i = 0; i < columns.size(); ++i) {
    if (columns[i].empty()) return fail(Blame::input, "line 1: column ", i + 1, " has no name");
    if (std::find(columns.begin(), columns.begin() + static_cast<std::ptrdiff_t>(i), columns[i]) !=
        columns.begin() + static_cast<std::ptrdiff_t>(i))
      return fail(Blame::input, "line 1: two columns are named ", shown(columns[i]));
  }
  return {};
}

Result<LoadData> parse_csv(std::string_view text) {
  LoadData data;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t begin = at;
    auto fields = csv_record(text, at);
    if (!fields) return fail(Blame::input, "line ", line_of(text, begin), ": a quoted value is not closed, or goes on behind its quote");
    const bool blank = fields->size() == 1 && trimmed(fields->front()).empty();
    if (blank) continue;
    if (data.columns.empty()) {
      for (auto& name : *fields) data.columns.emplace_back(trimmed(name));
      TRY(check_columns(data.columns));
    } else if (fields->size() == data.columns.size()) {
      data.rows.push_back(std::move(*fields));
    } else {
      return fail(Blame::input, "line ", line_of(text, begin), ": ", fields->size(), " values, and there are ", data.columns.size(),
                  " columns");
    }
  }
  return data;
}

Result<void> take_object(const Json& json, std::size_t number, LoadData& data) {
  if (data.columns.empty())
    for (const auto& [name, value] : json.items()) data.columns.push_back(name);
  std::vector<std::string> row;
  for (const auto& name : data.columns) {
    if (!json.contains(name)) return fail(Blame::input, "line ", number, ": ", shown(name), " of the first line is missing");
    const Json& value = json.at(name);
    if (value.is_structured() || value.is_null())
      return fail(Blame::input, "line ", number, ": ", shown(name), " is no text, number, true or false");
    row.push_back(value.is_string() ? value.get<std::string>() : to_text(value));
  }
  if (json.size() != data.columns.size()) return fail(Blame::input, "line ", number, ": has a name that the first line has not");
  data.rows.push_back(std::move(row));
  return {};
}

Result<LoadData> parse_json_lines(std::string_view text) {
  LoadData data;
  TRY(each_line(text, [&](std::string_view line, std::size_t number) -> Result<void> {
    const auto json = parse_json(std::string(line));
    if (!json || !json->is_object()) return fail(Blame::input, "line ", number, ": ", shown(line), " is no JSON object");
    if (json->empty()) return fail(Blame::input, "line ", number, ": the object has no names: each is a column");
    return take_object(*json, number, data);
  }));
  return data;
}

}  // namespace

Result<LoadData> parse_rows(std::string_view text) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);  // as spreadsheets write it
  const auto first = text.find_first_not_of(" \t\r\n");
  auto data = first != std::string_view::npos && text[first] == '{' ? parse_json_lines(text) : parse_csv(text);
  if (data && data->rows.empty()) return fail(Blame::input, "holds no row");
  return data;
}

}  // namespace arashi::spec
