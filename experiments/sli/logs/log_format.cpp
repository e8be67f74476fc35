#include "experiments/sli/logs/log_format.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <ctime>

namespace arashi::sli {
namespace {

constexpr std::string_view combined =
    R"($remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent")";

bool in_variable(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

constexpr double latest = 1e11;  // seconds since 1970
constexpr double longest = 1e9;  // seconds a request takes

// A decimal number, from 0.
std::optional<double> number(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
  const bool good = error == std::errc{} && end == text.data() + text.size() && value >= 0 && value < latest;
  return good ? std::optional(value) : std::nullopt;
}

// "22/Nov/2026:21:03:00 +0100" or "2026-11-22T21:03:00+01:00"
std::optional<double> moment(std::string_view text, const char* form) {
  const std::string copy(text);
  std::tm parts{};
  const char* rest = ::strptime(copy.c_str(), form, &parts);
  if (rest == nullptr || *rest != '\0') return std::nullopt;
  const long offset = parts.tm_gmtoff;  // timegm forgets it
  const auto since_1970 = static_cast<double>(::timegm(&parts) - offset);
  return since_1970 >= 0 && since_1970 < latest ? std::optional(since_1970) : std::nullopt;
}

std::string_view path_of(std::string_view request) {  // "GET /buy?x HTTP/1.1"
  const auto first = request.find(' ');
  if (first == std::string_view::npos) return {};
  request.remove_prefix(first + 1);
  return request.substr(0, request.find(' '));
}

bool has(const auto& pieces, std::initializer_list<std::string_view> names) {
  return std::ranges::any_of(pieces,
                             [&](const auto& piece) { return std::find(names.begin(), names.end(), piece.variable) != names.end(); });
}

}  // namespace

// The variable that begins at `at`, and the text behind it; `at` is then where the next begins.
Result<LogFormat::Piece> LogFormat::piece(const std::string& text, std::size_t& at) {
  const bool braced = text.compare(at, 2, "${") == 0;
  const std::size_t begin = at + (braced ? 2 : 1);
  std::size_t end = begin;
  while (end < text.size() && in_variable(text[end])) ++end;
  Piece made{.variable = text.substr(begin, end - begin), .after = {}};
  if (braced && end < text.size() && text[end] == '}') ++end;
  at = std::min(text.find('$', end), text.size());
  made.after = text.substr(end, at - end);
  if (made.variable.empty()) return fail(Blame::input, "accessLog.format: a $ without a name");
  if (made.after.empty() && at < text.size())
    return fail(Blame::input, "accessLog.format: nothing stands between $", made.variable,
                " and what follows: where one ends cannot be told");
  return made;
}

Result<LogFormat> LogFormat::make(const spec::AccessLogSource& source, bool timed) {
  const std::string text = source.format.empty() ? std::string(combined) + (timed ? " $request_time" : "") : source.format;
  LogFormat made;
  made.timed_ = timed;
  std::size_t at = std::min(text.find('$'), text.size());
  made.before_ = text.substr(0, at);
  while (at < text.size()) made.pieces_.push_back(TRY(piece(text, at)));
  if (!has(made.pieces_, {"status"})) return fail(Blame::input, "accessLog.format has no $status");
  if (timed && !has(made.pieces_, {"request_time"}))
    return fail(Blame::input, "accessLog.format has no $request_time, which 'latency' needs");
  if (!source.path.empty() && !has(made.pieces_, {"request", "request_uri", "uri"}))
    return fail(Blame::input, "accessLog.format has no $request, which 'path' needs");
  return made;
}

namespace {

// The most exact of the times that a line gives.
void take_time(LogLine& into, std::string_view variable, std::string_view value) {
  if (variable == "msec") into.when = number(value);
  if (into.when) return;
  if (variable == "time_local") into.when = moment(value, "%d/%b/%Y:%H:%M:%S %z");
  if (variable == "time_iso8601") into.when = moment(value, "%Y-%m-%dT%H:%M:%S%z");
}

}  // namespace

bool LogFormat::take(LogLine& into, std::string_view variable, std::string_view value, bool timed) {
  if (variable == "request") into.path = path_of(value);
  if (variable == "request_uri" || variable == "uri") into.path = value;
  take_time(into, variable, value);
  const bool takes_time = timed && variable == "request_time";
  if (variable != "status" && !takes_time) return true;
  const auto found = number(value);
  if (!found || *found > (takes_time ? longest : 999)) return false;
  if (takes_time) into.took = Duration(std::llround(*found * 1e9));
  if (!takes_time) into.status = static_cast<int>(*found);
  return true;
}

std::optional<LogLine> LogFormat::read(std::string_view line) const {
  if (!line.starts_with(before_)) return std::nullopt;
  line.remove_prefix(before_.size());
  LogLine made;
  for (std::size_t i = 0; i < pieces_.size(); ++i) {
    const Piece& piece = pieces_[i];
    const bool last = i + 1 == pieces_.size();
    // nginx writes a quote within a value as \x22, so the text behind a variable ends it.
    const std::size_t end = last ? line.size() - std::min(piece.after.size(), line.size()) : line.find(piece.after);
    if (end == std::string_view::npos || (last && !line.ends_with(piece.after))) return std::nullopt;
    if (!take(made, piece.variable, line.substr(0, end), timed_)) return std::nullopt;
    line.remove_prefix(end + piece.after.size());
  }
  return made;
}

// 499: the client went away before an answer; who counts these as bad says so in `bad`.
bool LogJudge::bad(const LogLine& line) const {
  if (latency_ > Duration{} && line.took > latency_) return true;
  const std::string code = std::to_string(line.status);
  return std::ranges::any_of(
      bad_, [&](const std::string& one) { return one.ends_with("xx") ? code.size() == 3 && code[0] == one[0] : code == one; });
}

}  // namespace arashi::sli
