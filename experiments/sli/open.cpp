#include "experiments/sli/open.hpp"

#include "experiments/sli/hosted/provider.hpp"
#include "experiments/sli/logs/access_log.hpp"
#include "experiments/sli/metrics/metrics.hpp"
#include "experiments/sli/program.hpp"
#include "experiments/sli/prometheus/prometheus.hpp"
#include "experiments/stop_scope.hpp"

#include <algorithm>
#include <thread>

namespace arashi::sli {
namespace {

struct Asked {
  std::unique_ptr<Provider> provider;
  Pace pace;
};

// What is asked for counts of stretches of time; without a provider for other kinds.
struct AsProvider {
  const std::string& directory;
  Result<Asked> operator()(const spec::DatadogSource& source) const {
    return Asked{TRY(datadog(source, directory)), {source.interval, source.every, source.lag}};
  }
  Result<Asked> operator()(const spec::MackerelSource& source) const {
    return Asked{TRY(mackerel(source, directory)), {std::chrono::minutes(1), source.every, source.lag}};
  }
  Result<Asked> operator()(const spec::CloudwatchSource& source) const {
    return Asked{TRY(cloudwatch(source, directory)), {source.period, source.every, source.lag}};
  }
  Result<Asked> operator()(const spec::NewrelicSource& source) const {
    return Asked{TRY(newrelic(source, directory)), {source.interval, source.every, source.lag}};
  }
  Result<Asked> operator()(const auto& /*other*/) const { return Asked{}; }
};

// A source without a past: what it counts in the next seconds must do, and the budget from it is called extrapolated.
Result<History> measured(const spec::Measure& measure, const std::string& directory) {
  constexpr Duration look = std::chrono::seconds(5);
  constexpr Duration longest = std::chrono::seconds(20);
  const Duration begin = boot_now();
  const auto source = TRY(open(measure, directory, begin));
  History history;
  std::string problem;
  Duration first = Duration::max();
  Duration last{};
  while (boot_now() - begin < longest && !(last - first >= look && history.events > 0)) {
    if (stop_here().stop_requested()) return fail(Blame::system, "stopped while its events were counted");
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    for (const auto& slice : source->drain()) {
      if (!guard::has_counts(slice.state)) {
        problem = slice.problem;
        continue;
      }
      history.events += static_cast<double>(slice.total);
      history.bad += static_cast<double>(slice.bad);
      first = std::min(first, slice.begin);
      last = std::max(last, slice.end);
    }
  }
  if (history.events <= 0)
    return fail(Blame::missing, "no event in ", to_text(longest), problem.empty() ? "" : ": ", problem,
                "; where there is no traffic before the experiment's own, write the SLO's mean 'rate'");
  history.covered = last - first;
  return history;
}

}  // namespace

Result<std::unique_ptr<Source>> open(const spec::Measure& measure, const std::string& directory, Duration epoch) {
  if (const auto* source = std::get_if<spec::PrometheusSource>(&measure.source)) return prometheus(*source, directory, epoch);
  if (const auto* source = std::get_if<spec::MetricsSource>(&measure.source)) return metrics(*source, measure.latency, directory, epoch);
  if (const auto* source = std::get_if<spec::CommandSource>(&measure.source)) return program(*source, directory, epoch);
  if (const auto* source = std::get_if<spec::AccessLogSource>(&measure.source))
    return access_log(*source, measure.latency, directory, epoch);
  Asked asked = TRY(std::visit(AsProvider{directory}, measure.source));
  if (!asked.provider) return fail(Blame::input, "nothing measures it");
  return poll(std::move(asked.provider), asked.pace, epoch);
}

namespace {

// Of the sources that have a past. An error with Blame::missing: it holds no event.
Result<std::optional<History>> past_of(const spec::Measure& measure, Duration window, const std::string& directory) {
  if (const auto* source = std::get_if<spec::PrometheusSource>(&measure.source))
    return std::optional(TRY(prometheus_history(*source, directory, window)));
  if (const auto* source = std::get_if<spec::AccessLogSource>(&measure.source))
    return std::optional(TRY(access_log_history(*source, measure.latency, directory, window)));
  const Asked asked = TRY(std::visit(AsProvider{directory}, measure.source));
  if (!asked.provider) return std::optional<History>();
  return std::optional(TRY(past(*asked.provider, window)));
}

}  // namespace

Result<std::optional<History>> remembered(const spec::Measure& measure, Duration window, const std::string& directory) {
  auto past = past_of(measure, window, directory);
  if (!past && past.error().blame == Blame::missing) return std::optional<History>();
  return past;
}

Result<std::vector<guard::Slice>> remembered_slices(const spec::Measure& measure, Duration window, Duration slice,
                                                    const std::string& directory) {
  const Asked asked = TRY(std::visit(AsProvider{directory}, measure.source));
  if (!asked.provider || asked.pace.width > slice || slice % asked.pace.width != Duration{}) return std::vector<guard::Slice>();
  // All of them know multiples of a minute; Mackerel nothing but minutes.
  const bool whole = slice % std::chrono::minutes(1) == Duration{} && !std::holds_alternative<spec::MackerelSource>(measure.source);
  return past_in_stretches(*asked.provider, window, whole ? slice : asked.pace.width, asked.pace.lag);
}

Result<History> history(const spec::Measure& measure, Duration window, const std::string& directory) {
  auto past = past_of(measure, window, directory);
  const bool empty_log = !past && past.error().blame == Blame::missing && std::holds_alternative<spec::AccessLogSource>(measure.source);
  if (!past && !empty_log) return pass(past.error());
  return past && *past ? Result<History>(**past) : measured(measure, directory);
}

}  // namespace arashi::sli
