#include "experiments/backtest/record.hpp"
#include "injector/core/json.hpp"
#include "injector/core/suggest.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>

namespace arashi::backtest {
namespace {

constexpr std::size_t looked_at = 101;  // samples from whose distances the step is learned
constexpr std::array<std::string_view, 5> known_keys{"t", "good", "bad", "total", "slo"};

Result<Duration> time_of(const Json& value) {
  if (value.is_number()) return parse_time(to_text(value));
  if (value.is_string()) return parse_time(value.get_ref<const std::string&>());
  return fail(Blame::input, "a time is expected: seconds since 1970 or \"2026-11-22T10:00:00Z\"");
}

Result<std::uint64_t> count_of(const Json& value) {
  constexpr double most = 9e15;
  const double number = value.is_number() ? value.get<double>() : -1;
  if (!(number >= 0 && number <= most && std::floor(number) == number))
    return fail(Blame::input, "is ", to_text(value), ": a count is a whole number from 0 on");
  return static_cast<std::uint64_t>(number);
}

// "... parse error at line 1, column 7: syntax error ...": the library counts from the line's own begin.
std::pair<std::size_t, std::string> place_in(const std::string& message) {
  constexpr std::string_view before = "column ";
  const auto found = message.find(before);
  if (found == std::string::npos) return {1, message};
  const auto end = message.find(": ", found);
  const std::size_t column = std::strtoul(message.c_str() + found + before.size(), nullptr, 10);
  return {std::max<std::size_t>(column, 1), "not valid JSON: " + (end == std::string::npos ? message : message.substr(end + 2))};
}

}  // namespace

struct LineReader::Reading {
  Duration at{};
  std::uint64_t total = 0, bad = 0;
  std::string slo;
};

LineReader::LineReader(const std::vector<std::string>& slos, ReadOptions options) : options_(options) {
  for (const auto& slo : slos) {
    slos_.emplace_back();
    slos_.back().series.slo = slo;
    slos_.back().series.step = options.step;
  }
}

Unexpected<Error> LineReader::wrong(std::string_view text, std::string_view key, const std::string& why) const {
  const auto found = key.empty() ? std::string_view::npos : text.find("\"" + std::string(key) + "\"");
  const std::size_t column = found == std::string_view::npos ? 1 : found + 1;
  return fail(Blame::input, "line ", number_, ", column ", column, ": ", key.empty() ? "" : std::string(key) + ": ", why);
}

// Which keys there are; their values come later.
Result<void> LineReader::check_keys(std::string_view text, const Json& json) const {
  if (!json.is_object()) return wrong(text, "", R"(an object is expected, such as {"t": 1763800000, "good": 99, "bad": 1})");
  for (const auto& [key, value] : json.items())
    if (std::ranges::find(known_keys, key) == known_keys.end()) return wrong(text, key, "unknown key" + suggestion(key, known_keys));
  for (const char* key : {"t", "bad"})
    if (!json.contains(key)) return wrong(text, "", "'" + std::string(key) + "' is missing");
  if (json.contains("good") == json.contains("total"))
    return wrong(text, json.contains("good") ? "total" : "", "exactly one of 'good' and 'total' is needed");
  if (json.contains("slo") && !json["slo"].is_string()) return wrong(text, "slo", "the name of an SLO is expected");
  return {};
}

Result<LineReader::Reading> LineReader::read(std::string_view text) const {
  const auto json = parse_json(text, longest_line);
  if (!json) {
    const auto [column, why] = place_in(json.error().message);
    return fail(Blame::input, "line ", number_, ", column ", column, ": ", why);
  }
  TRY(check_keys(text, *json));
  const auto value = [&]<class T>(const char* key, Result<T> (*read_one)(const Json&)) -> Result<T> {
    auto result = read_one((*json)[key]);
    if (!result) return wrong(text, key, result.error().message);
    return result;
  };
  Reading reading{.at = TRY(value("t", &time_of)), .bad = TRY(value("bad", &count_of))};
  const bool whole = json->contains("total");
  reading.total = TRY(value(whole ? "total" : "good", &count_of)) + (whole ? 0 : reading.bad);
  if (reading.total < reading.bad) return wrong(text, "bad", "there are more bad events than events");
  if (json->contains("slo")) reading.slo = (*json)["slo"].get<std::string>();
  return reading;
}

Result<LineReader::Growing*> LineReader::growing(std::string_view text, const Reading& reading) {
  if (reading.slo.empty() && slos_.size() == 1) return &slos_.front();
  std::vector<std::string_view> names;
  for (const auto& each : slos_) names.push_back(each.series.slo);
  if (reading.slo.empty()) return wrong(text, "", "'slo' is missing: the experiment has " + std::to_string(slos_.size()) + " SLOs");
  const auto found = std::ranges::find(names, std::string_view(reading.slo));
  if (found == names.end()) return wrong(text, "slo", "the experiment has no SLO '" + reading.slo + "'" + suggestion(reading.slo, names));
  return &slos_[static_cast<std::size_t>(found - names.begin())];
}

Result<void> LineReader::line(std::string_view text) {
  ++number_;
  if (number_ == 1 && text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  if (text.find_first_not_of(" \t\r") == std::string_view::npos) return {};
  const Reading reading = TRY(read(text));
  Growing& slo = *TRY(growing(text, reading));
  const auto& before = slo.unplaced.empty() ? slo.series.samples : slo.unplaced;
  if (!before.empty() && reading.at <= before.back().end)
    return wrong(text, "t",
                 "is " + utc(reading.at) + ", not after line " + std::to_string(slo.last_line) + "'s " + utc(before.back().end) +
                     ": sort the lines by t" + (reading.at == before.back().end ? ", and add up those of the same time" : ""));
  slo.last_line = number_;
  const Sample sample{.end = reading.at, .total = reading.total, .bad = reading.bad};
  if (slo.series.step > Duration::zero()) {
    place(slo, sample);
    return {};
  }
  slo.unplaced.push_back(sample);
  if (slo.unplaced.size() >= looked_at) learn_step(slo);
  return {};
}

void LineReader::learn_step(Growing& growing) {
  std::vector<Duration> distances;
  for (std::size_t i = 1; i < growing.unplaced.size(); ++i) distances.push_back(growing.unplaced[i].end - growing.unplaced[i - 1].end);
  std::ranges::sort(distances);
  growing.series.step = distances.empty() ? Duration(std::chrono::seconds(1)) : distances[distances.size() / 2];
  for (const Sample& each : growing.unplaced) place(growing, each);
  growing.unplaced.clear();
}

// A line that comes much later than usual leaves a gap: its counts are of one step.
void LineReader::place(Growing& growing, Sample sample) {
  auto& samples = growing.series.samples;
  const Duration step = growing.series.step;
  sample.begin = sample.end - step;
  if (!samples.empty() && sample.end - samples.back().end <= step * 3 / 2) sample.begin = samples.back().end;
  samples.push_back(sample);
  drop(growing);
}

void LineReader::drop(Growing& growing) {
  auto& samples = growing.series.samples;
  const bool many = samples.size() > options_.most / slos_.size();
  while ((many && samples.size() > options_.most / slos_.size()) ||
         (options_.last > Duration::zero() && samples.front().begin < samples.back().end - options_.last)) {
    samples.pop_front();
    ++growing.series.dropped;
  }
}

Result<Record> LineReader::finish() {
  Record record;
  for (Growing& each : slos_) {
    if (!each.unplaced.empty()) learn_step(each);
    if (each.series.samples.empty())
      return fail(Blame::input,
                  slos_.size() == 1 || number_ == 0 ? "there is not one line of counts" : "there is not one line of the SLO '",
                  slos_.size() == 1 || number_ == 0 ? "" : each.series.slo + "'",
                  R"(; lines such as {"t": 1763800000, "good": 99, "bad": 1} are expected)");
    record.series.push_back(std::move(each.series));
  }
  return record;
}

}  // namespace arashi::backtest
