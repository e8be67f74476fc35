#include "experiments/sli/logs/log_counts.hpp"

#include <algorithm>
#include <cmath>

namespace arashi::sli {
namespace {

constexpr std::size_t longest_line = std::size_t{64} << 10U;

}  // namespace

void LogCounts::add(std::string_view piece) {
  for (auto end = piece.find('\n'); end != std::string_view::npos; end = piece.find('\n')) {
    add_rest(piece.substr(0, end));
    end_line();
    piece.remove_prefix(end + 1);
  }
  add_rest(piece);
}

void LogCounts::add_rest(std::string_view part) {
  if (skipping_) return;
  rest_ += part;
  skipping_ = rest_.size() > longest_line;
  if (skipping_) rest_.resize(100);
}

void LogCounts::end_line() {
  if (skipping_) {
    ++counts_.lines;
    ++counts_.foreign;
  } else {
    line(rest_);
  }
  skipping_ = false;
  rest_.clear();
}

void LogCounts::line(std::string_view text) {
  if (text.empty()) return;
  ++counts_.lines;
  const auto read = format_.read(text);
  if (!read) {
    if (counts_.foreign++ == 0) counts_.example = text.substr(0, 120);
    return;
  }
  if (read->when) {
    counts_.oldest = std::min(counts_.oldest.value_or(*read->when), *read->when);
    counts_.newest = std::max(counts_.newest.value_or(*read->when), *read->when);
  }
  if (from_ && read->when && *read->when < *from_) return;
  if (!judge_.counts(*read)) return;
  const bool bad = judge_.bad(*read);
  ++counts_.total;
  counts_.bad += bad ? 1 : 0;
  if (stretch_ <= Duration{} || !read->when) return;
  guard::Counts& stretch = stretches_[static_cast<std::int64_t>(std::floor(*read->when / seconds(stretch_)))];
  ++stretch.total;
  stretch.bad += bad ? 1 : 0;
}

}  // namespace arashi::sli
