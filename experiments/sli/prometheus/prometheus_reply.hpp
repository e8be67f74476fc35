// The answer of /api/v1/query, read strictly: what is not a number is never a count. Pure.
#pragma once

#include "injector/core/result.hpp"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace arashi::sli {

struct Sample {
  std::string part;    // the label arashi_part, which tells the pieces of our query apart
  std::string series;  // all other labels: which series it is
  double value = 0;    // may be NaN or infinite: the caller decides
  std::string target;  // labels job and instance: whom Prometheus asked for it; empty: a sum over several
};

struct Reply {
  std::vector<Sample> samples;
  std::vector<std::string> warnings;  // "partial response": the numbers may be too low
};

Result<Reply> read_reply(std::string_view body);

// The answer of /api/v1/query_range.
struct RangeSeries {
  std::string part, series;                       // as in Sample
  std::vector<std::pair<double, double>> values;  // time, since 1970, and value; in order
  std::string target;
};
struct RangeReply {
  std::vector<RangeSeries> series;
  std::vector<std::string> warnings;
};
Result<RangeReply> read_range_reply(std::string_view body);

}  // namespace arashi::sli
