// What was recorded of the SLOs: counts by time, and where nothing is known. Read from JSON Lines or from a monitoring system. Pure.
#pragma once

#include "injector/core/json_fwd.hpp"
#include "injector/core/result.hpp"
#include "injector/core/units.hpp"

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace arashi::backtest {

struct Sample {
  Duration begin{}, end{};  // since 1970; what lies between two samples is a gap
  std::uint64_t total = 0, bad = 0;
  bool partial = false;           // true counts, but some events are missing from them
  std::optional<double> unknown;  // a counter was born late: so many more may be bad
};

struct Series {
  std::string slo;
  Duration step{};  // the usual distance of two samples
  std::deque<Sample> samples;
  std::uint64_t dropped = 0;  // the oldest, because there were too many or they were older than asked for
  [[nodiscard]] std::uint64_t total() const;
  [[nodiscard]] std::uint64_t bad() const;
  [[nodiscard]] Duration covered() const;  // without the gaps
  [[nodiscard]] std::size_t gaps() const;
};

struct Record {
  std::vector<Series> series;            // one for each SLO of the experiment, in its order
  [[nodiscard]] Duration begin() const;  // from when all of them are recorded
  [[nodiscard]] Duration end() const;    // until when
};

struct ReadOptions {
  Duration step{};                // 0: the median of the first hundred distances
  Duration last{};                // keep only so much, from the newest backwards; 0: all
  std::size_t most = 10'000'000;  // samples kept in all: 40 bytes each
};

inline constexpr std::size_t longest_line = std::size_t{64} << 10U;

// {"t": 1763800000, "good": 99, "bad": 1}, one a line; with several SLOs also "slo". `t` is the end of the stretch in which the events were
// counted: seconds since 1970, or "2026-11-22T10:00:00Z". Instead of "good" there may be "total". Lines of one SLO are in order of time.
class LineReader {
 public:
  LineReader(const std::vector<std::string>& slos, ReadOptions options);
  Result<void> line(std::string_view text);  // an error says which line and column
  Result<Record> finish();
  [[nodiscard]] std::uint64_t lines() const { return number_; }

 private:
  struct Reading;
  struct Growing {
    Series series;
    std::deque<Sample> unplaced;  // until the step is known
    std::uint64_t last_line = 0;
  };
  [[nodiscard]] Unexpected<Error> wrong(std::string_view text, std::string_view key, const std::string& why) const;
  [[nodiscard]] Result<void> check_keys(std::string_view text, const Json& json) const;
  [[nodiscard]] Result<Reading> read(std::string_view text) const;
  Result<Growing*> growing(std::string_view text, const Reading& reading);
  void place(Growing& growing, Sample sample);
  void learn_step(Growing& growing);
  void drop(Growing& growing);

  ReadOptions options_;
  std::vector<Growing> slos_;
  std::uint64_t number_ = 0;
};

// Seconds since 1970 as text of UTC, and back. Accepts a number too.
std::string utc(Duration since_1970);
Result<Duration> parse_time(std::string_view text);

}  // namespace arashi::backtest
