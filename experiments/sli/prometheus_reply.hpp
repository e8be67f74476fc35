// The answer of /api/v1/query, read strictly: what is not a number is never a count. Pure.
#pragma once

#include "injector/core/result.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace arashi::sli {

struct Sample {
  std::string part;    // the label arashi_part, which tells the pieces of our query apart
  std::string series;  // all other labels: which series it is
  double value = 0;    // may be NaN or infinite: the caller decides
};

struct Reply {
  std::vector<Sample> samples;
  std::vector<std::string> warnings;  // "partial response": the numbers may be too low
};

Result<Reply> read_reply(std::string_view body);

}  // namespace arashi::sli
