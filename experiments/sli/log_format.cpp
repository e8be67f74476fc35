#include "experiments/sli/log_format.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <cstdlib>
#include <ctime>

namespace arashi::sli {
namespace {

constexpr std::string_view combined =
    R"($remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent")";

bool in_variable(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

std::optional<double> number(std::string_view text) {
  const std::string copy(text);
  char* end = nullptr;
  const double value = std::strtod(copy.c_str(), &end);
  return copy.empty() || *end != '\0' || !std::isfinite(value) ? std::nullopt : std::optional(value);
}

// "22/Nov/2026:21:03:00 +0100" or "2026-11-22T21:03:00+01:00"
std::optional<double> moment(std::string_view text, const char* form) {
  const std::string copy(text);
  std::tm parts{};
  const char* rest = ::strptime(copy.c_str(), form, &parts);
  if (rest == nullptr || *rest != '\0') return std::nullopt;
  const long offset = parts.tm_gmtoff;  // timegm forgets it
  return static_cast<double>(::timegm(&parts) - offset);
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

Result<LogFormat> LogFormat::make(const spec::AccessLogSource& source, bool timed) {
  std::string text = source.format.empty() ? std::string(combined) + (timed ? " $request_time" : "") : source.format;
  LogFormat made;
  made.timed_ = timed;
  std::size_t at = std::min(text.find('$'), text.size());
  made.before_ = text.substr(0, at);
  while (at < text.size()) {
    const bool braced = text.compare(at, 2, "${") == 0;
    const std::size_t begin = at + (braced ? 2 : 1);
    std::size_t end = begin;
    while (end < text.size() && in_variable(text[end])) ++end;
    Piece piece{.variable = text.substr(begin, end - begin), .after = {}};
    if (braced && end < text.size() && text[end] == '}') ++end;
    at = std::min(text.find('$', end), text.size());
    piece.after = text.substr(end, at - end);
    if (piece.variable.empty()) return fail(Blame::input, "accessLog.format: a $ without a name");
    if (piece.after.empty() && at < text.size())
      return fail(Blame::input, "accessLog.format: nothing stands between $", piece.variable,
                  " and what follows: where one ends cannot be told");
    made.pieces_.push_back(std::move(piece));
  }
  if (!has(made.pieces_, {"status"})) return fail(Blame::input, "accessLog.format has no $status");
  if (timed && !has(made.pieces_, {"request_time"}))
    return fail(Blame::input, "accessLog.format has no $request_time, which 'latency' needs");
  if (!source.path.empty() && !has(made.pieces_, {"request", "request_uri", "uri"}))
    return fail(Blame::input, "accessLog.format has no $request, which 'path' needs");
  return made;
}

bool LogFormat::take(LogLine& into, std::string_view variable, std::string_view value, bool timed) {
  if (variable == "status") {
    const auto status = number(value);
    if (!status || *status < 0 || *status > 999) return false;
    into.status = static_cast<int>(*status);
  } else if (variable == "request_time" && timed) {
    const auto took = number(value);
    if (!took || *took < 0) return false;
    into.took = Duration(std::llround(*took * 1e9));
  } else if (variable == "request") {
    into.path = path_of(value);
  } else if (variable == "request_uri" || variable == "uri") {
    into.path = value;
  } else if (variable == "msec") {
    into.when = number(value);
  } else if (variable == "time_local" && !into.when) {
    into.when = moment(value, "%d/%b/%Y:%H:%M:%S %z");
  } else if (variable == "time_iso8601" && !into.when) {
    into.when = moment(value, "%Y-%m-%dT%H:%M:%S%z");
  }
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
