#include "experiments/sli/prometheus/prometheus_range.hpp"

#include "experiments/sli/prometheus/counters.hpp"
#include "experiments/sli/prometheus/prometheus_query.hpp"

#include <algorithm>

namespace arashi::sli {
namespace {

constexpr std::int64_t points_most = 10'000;   // Prometheus refuses more than 11,000 for each series
constexpr std::int64_t values_most = 300'000;  // in one answer, as near as the last answer tells

// The answer at one time after the other, as if it had been asked for singly.
class Steps {
 public:
  explicit Steps(RangeReply reply) : reply_(std::move(reply)), at_(reply_.series.size(), 0) {}

  Result<Reply> at(double time, double step) {
    Reply reply{.samples = {}, .warnings = reply_.warnings};
    for (std::size_t i = 0; i < at_.size(); ++i) {
      const RangeSeries& series = reply_.series[i];
      while (at_[i] < series.values.size() && series.values[at_[i]].first < time - step / 2) ++at_[i];
      if (at_[i] < series.values.size() && series.values[at_[i]].first < time + step / 2)
        reply.samples.push_back({series.part, series.series, series.values[at_[i]].second, series.target});
    }
    return reply;
  }

 private:
  RangeReply reply_;
  std::vector<std::size_t> at_;  // in each series' values
};

class Reader {
 public:
  Reader(PrometheusServer server, const Range& range, Counters counters)
      : server_(std::move(server)), range_(range), counters_(std::move(counters)) {}

  // From the step `first` on; returns the slices, and moves `first` behind what was read.
  Result<std::vector<guard::Slice>> read(std::int64_t& first) {
    const std::int64_t last = std::min(first + points_ - 1, steps());
    const double step = seconds(range_.step);
    auto reply = TRY(server_.ask_range(counters_.query(), time(first), time(last), step));
    points_ =
        std::clamp<std::int64_t>(values_most / std::max<std::int64_t>(1, static_cast<std::int64_t>(reply.series.size())), 100, points_most);
    Steps answers(std::move(reply));
    std::vector<guard::Slice> slices;
    for (; first <= last; ++first)
      for (guard::Slice& slice : counters_.poll(answers.at(time(first), step), range_.step * first, seconds(range_.from)))
        if (guard::has_counts(slice.state)) slices.push_back(moved(std::move(slice)));
    return slices;
  }
  [[nodiscard]] std::int64_t steps() const { return (range_.to - range_.from) / range_.step; }

 private:
  [[nodiscard]] double time(std::int64_t index) const { return seconds(range_.from + range_.step * index); }
  guard::Slice moved(guard::Slice slice) const {
    slice.begin += range_.from;
    slice.end += range_.from;
    slice.newest += range_.from;
    return slice;
  }

  PrometheusServer server_;
  Range range_;
  Counters counters_;
  std::int64_t points_ = 1000;
};

}  // namespace

Result<void> prometheus_range(const spec::PrometheusSource& source, const std::string& directory, const Range& range,
                              const std::function<bool(std::vector<guard::Slice> slices, Duration until)>& take) {
  if (range.step <= Duration::zero() || range.to < range.from)
    return fail(Blame::input, "a range needs a step, and an end after its begin");
  Reader reader(PrometheusServer(source, directory), range,
                Counters(TRY(analyse(source.bad)), TRY(analyse(source.total)), range.to - range.from + range.step));
  for (std::int64_t next = 0; next <= reader.steps();) {
    auto slices = TRY(reader.read(next));
    if (!take(std::move(slices), std::min(range.from + range.step * next, range.to))) break;
  }
  return {};
}

}  // namespace arashi::sli
