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
  using Values = std::map<std::string, double>;
  struct Reading {
    Values bad, total;
    Duration newest{};
  };
  struct Growth {
    double count = 0;
    bool unknown = false;
  };
  [[nodiscard]] Result<Values> values(const Reply& reply, const std::string& part, const Expression& expression) const;
  [[nodiscard]] Result<Duration> newest(const Reply& reply, const std::string& part, double zero) const;
  [[nodiscard]] Result<Reading> read(const Reply& reply, Duration now, double zero) const;
  [[nodiscard]] static Growth grow(Values& known, const Values& seen, const Expression& expression);
  guard::Slice slice(const Reading& reading);

  Expression bad_, total_;
  Duration stale_after_;
  bool begun_ = false;
  Duration last_{};
  Values known_bad_, known_total_;
};

}  // namespace arashi::sli
