// Polls of counters → slices: differences between successive distinct sample times, with what goes wrong on the way. Pure.
#pragma once

#include "experiments/guard/guard.hpp"
#include "experiments/sli/prometheus_reply.hpp"
#include "experiments/sli/promql.hpp"

#include <map>

namespace arashi::sli {

class Counters {
 public:
  // A sample older than `stale_after` at the time of the poll says nothing about now.
  Counters(Expression bad, Expression total, Duration stale_after);

  // One query that asks for everything at the same evaluation time.
  [[nodiscard]] std::string query() const;

  // `now`: when it was asked. `zero`: the server's time, seconds since 1970, at our time 0. At most a slice and a notice.
  std::vector<guard::Slice> poll(const Result<Reply>& reply, Duration now, double zero);

 private:
  using Values = std::map<std::string, double>;  // of each series
  // One of the two counts: its expression, and what its terms' series were at the last poll.
  struct Count {
    std::string name;
    Expression expression;
    std::vector<Values> known;
    double owed = 0;  // a difference of sums that fell: its parts are not counted at the very same moment
  };
  struct Reading {
    std::vector<Values> bad, total;  // of each term
    Duration newest{};
  };
  struct Growth {
    double count = 0;
    bool fell = false;
  };
  [[nodiscard]] static std::string asked(const Count& count);
  [[nodiscard]] static Result<std::vector<Values>> values(const Reply& reply, const Count& count);
  [[nodiscard]] Result<Duration> newest(const Reply& reply, const std::string& part, double zero) const;
  [[nodiscard]] Result<Reading> read(const Reply& reply, Duration now, double zero) const;
  [[nodiscard]] static Growth grow(Values& known, const Values& seen);
  [[nodiscard]] static Growth grow(Count& count, const std::vector<Values>& seen);
  guard::Slice slice(const Reading& reading);

  Count bad_, total_;
  Duration stale_after_;
  bool begun_ = false;
  Duration last_{};
};

}  // namespace arashi::sli
