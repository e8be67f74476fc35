#include "experiments/sli/log_counts.hpp"

#include <algorithm>

namespace arashi::sli {
namespace {

constexpr std::size_t longest_line = std::size_t{64} << 10U;

}  // namespace

void LogCounts::add(std::string_view piece) {
  while (!piece.empty()) {
    const auto end = piece.find('\n');
    const bool whole = end != std::string_view::npos;
    const std::string_view part = piece.substr(0, end);
    piece.remove_prefix(whole ? end + 1 : piece.size());
    if (!skipping_ && rest_.empty() && whole) {
      line(part);
      continue;
    }
    if (!skipping_) rest_ += part;
    if (rest_.size() > longest_line) skipping_ = true;
    if (skipping_) rest_.resize(std::min<std::size_t>(rest_.size(), 100));
    if (!whole) continue;
    if (skipping_) ++counts_.lines, ++counts_.foreign;
    if (!skipping_) line(rest_);
    skipping_ = false;
    rest_.clear();
  }
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
  if (!judge_.counts(*read)) return;
  ++counts_.total;
  if (judge_.bad(*read)) ++counts_.bad;
}

}  // namespace arashi::sli
