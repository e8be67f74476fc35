// nginx' log_format: what a line of an access log says. Pure.
#pragma once

#include "experiments/guard/guard.hpp"
#include "experiments/spec/sources/sources.hpp"

#include <optional>
#include <string_view>

namespace arashi::sli {

struct LogLine {
  int status = 0;
  Duration took{};             // $request_time
  std::string_view path;       // of $request or $request_uri, into the line that was read
  std::optional<double> when;  // $msec, $time_local or $time_iso8601: seconds since 1970
};

class LogFormat {
 public:
  // Refuses a format in which two variables stand next to each other, or that says nothing of what is needed.
  static Result<LogFormat> make(const spec::AccessLogSource& source, bool timed);
  // Nothing: the line is not of this format.
  [[nodiscard]] std::optional<LogLine> read(std::string_view line) const;

 private:
  struct Piece {
    std::string variable;  // without $
    std::string after;     // the text up to the next variable or the end
  };
  static Result<Piece> piece(const std::string& text, std::size_t& at);
  [[nodiscard]] static bool take(LogLine& into, std::string_view variable, std::string_view value, bool timed);

  std::string before_;
  std::vector<Piece> pieces_;
  bool timed_ = false;
};

// Whether a request was bad.
class LogJudge {
 public:
  LogJudge(const spec::AccessLogSource& source, Duration latency) : bad_(source.bad), path_(source.path), latency_(latency) {}
  [[nodiscard]] bool counts(const LogLine& line) const { return line.path.starts_with(path_); }
  [[nodiscard]] bool bad(const LogLine& line) const;

 private:
  std::vector<std::string> bad_;
  std::string path_;
  Duration latency_;
};

}  // namespace arashi::sli
