#include "experiments/sli/program_output.hpp"

#include "injector/core/json.hpp"

#include <algorithm>
#include <cmath>
#include <optional>

namespace arashi::sli {
namespace {

constexpr std::size_t longest_line = 4096;

std::uint64_t whole(double count) { return static_cast<std::uint64_t>(std::llround(std::clamp(count, 0.0, 9e15))); }

Result<std::optional<double>> number(const Json& line, const char* name) {
  const auto found = line.find(name);
  if (found == line.end() || found->is_null()) return std::optional<double>();
  if (!found->is_number() || !(found->get<double>() >= 0) || !std::isfinite(found->get<double>()))
    return fail(Blame::input, "'", name, "' is ", to_text(*found).substr(0, 40), ": a number, 0 or more, is expected");
  return std::optional(found->get<double>());
}

}  // namespace

Result<ProgramOutput::Line> ProgramOutput::parse(std::string_view text, Duration now, double zero) {
  if (text.size() > longest_line) return fail(Blame::input, "a line of ", text.size(), " bytes; at most ", longest_line, " are read");
  const auto json = parse_json(text, longest_line);
  if (!json || !json->is_object()) return fail(Blame::input, "'", text.substr(0, 60), R"(' is not a line such as {"good": 9, "bad": 1})");
  const auto good = TRY(number(*json, "good"));
  const auto total = TRY(number(*json, "total"));
  const auto bad = TRY(number(*json, "bad"));
  const auto at = TRY(number(*json, "t"));
  if (!bad || good.has_value() == total.has_value())
    return fail(Blame::input, "'", text.substr(0, 60), R"(' needs "bad" and one of "good" and "total")");
  if (total && *total < *bad) return fail(Blame::input, "'", text.substr(0, 60), "': more are bad than there are");
  Line line{.at = now, .total = total ? *total : *good + *bad, .bad = *bad};
  if (at) line.at = std::min(now, Duration(static_cast<std::int64_t>(std::clamp(*at - zero, -1e9, 1e9) * 1e9)));
  return line;
}

// The first line only says where counting begins: of which stretch its events are, nobody knows.
void ProgramOutput::take(Line line, std::vector<guard::Slice>& slices) {
  if (begun_ && line.at <= last_) return;  // of the past, or said twice
  if (begun_) {
    guard::Slice slice{.begin = last_, .end = line.at, .newest = line.at};
    const bool anew = counters_ && (line.total < total_ || line.bad < bad_);  // the counting program began again at 0
    slice.bad = whole(counters_ && !anew ? line.bad - bad_ : line.bad);
    slice.total = std::max(slice.bad, whole(counters_ && !anew ? line.total - total_ : line.total));
    slices.push_back(slice);
  }
  begun_ = true;
  last_ = line.at;
  total_ = line.total;
  bad_ = line.bad;
}

Result<std::vector<guard::Slice>> ProgramOutput::read(std::string_view output, Duration now, double zero) {
  std::vector<Line> lines;
  while (!output.empty()) {
    const auto end = std::min(output.find('\n'), output.size());
    std::string_view line = output.substr(0, end);
    output.remove_prefix(std::min(end + 1, output.size()));
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.remove_suffix(1);
    if (!line.empty()) lines.push_back(TRY(parse(line, now, zero)));
  }
  std::vector<guard::Slice> slices;
  for (const Line& line : lines) take(line, slices);  // all or nothing: half of an output is not known to be what it means
  return slices;
}

}  // namespace arashi::sli
