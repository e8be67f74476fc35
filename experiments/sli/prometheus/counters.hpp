// Polls of counters → slices: differences between successive distinct sample times, with what goes wrong on the way. Pure.
#pragma once

#include "experiments/guard/guard.hpp"
#include "experiments/sli/prometheus/prometheus_reply.hpp"
#include "experiments/sli/prometheus/promql.hpp"

#include <functional>
#include <map>
#include <set>

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
  struct Value {
    double count = 0;
    std::string target;
  };
  using Values = std::map<std::string, Value>;  // of each series
  // One of the two counts: its expression, and what its terms' series were at the last poll.
  struct Count {
    std::string name;
    Expression expression;
    std::vector<Values> known;
    double owed = 0;  // a difference of sums that fell: its parts are not counted at the very same moment
  };
  struct Reading {
    std::vector<Values> bad, total;        // of each term
    std::map<std::string, double> starts;  // of each target that says so: when its process began, server's time
    Duration newest{};
  };
  struct Growth {
    double count = 0;
    double unknown = 0;  // of series that were born late: so many more it may be
    bool fell = false, late_born = false;
  };
  [[nodiscard]] static std::string asked(const Count& count);
  [[nodiscard]] static Result<std::vector<Values>> values(const Reply& reply, const Count& count);
  [[nodiscard]] Result<Duration> newest(const Reply& reply, const std::string& part, double zero) const;
  [[nodiscard]] Result<Reading> read(const Reply& reply, Duration now, double zero) const;
  // Whether what a new series of this target counts is all new.
  [[nodiscard]] bool from_zero(const std::string& target, const Reading& reading, double zero) const;
  [[nodiscard]] static std::map<std::string, double> starts(const Reply& reply);
  using FromZero = std::function<bool(const std::string& target)>;
  [[nodiscard]] static Growth grow(Values& known, const Values& seen, const FromZero& from_zero);
  [[nodiscard]] static Growth grow(Count& count, const std::vector<Values>& seen, const FromZero& from_zero);
  guard::Slice slice(const Reading& reading, double zero);
  void begin(const Reading& reading);
  void learn_targets(const Reading& reading);

  Count bad_, total_;
  std::set<std::string> targets_;  // of which any series was ever seen
  Duration stale_after_;
  bool begun_ = false;
  Duration first_{}, last_{};  // of the samples of the first poll, and of the last one
};

}  // namespace arashi::sli
