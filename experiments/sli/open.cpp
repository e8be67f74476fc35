#include "experiments/sli/open.hpp"

#include "experiments/sli/prometheus.hpp"
#include "experiments/sli/provider.hpp"

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

Unexpected<Error> not_yet(const spec::Slo& slo) {
  return fail(Blame::unsupported, "counts from '", spec::name_of(slo.source), "' are not supported yet in this version");
}

}  // namespace

Result<std::unique_ptr<Source>> open(const spec::Slo& slo, const std::string& directory, Duration epoch) {
  if (const auto* source = std::get_if<spec::PrometheusSource>(&slo.source)) return prometheus(*source, directory, epoch);
  Asked asked = TRY(std::visit(AsProvider{directory}, slo.source));
  if (asked.provider) return poll(std::move(asked.provider), asked.pace, epoch);
  return not_yet(slo);
}

Result<History> history(const spec::Slo& slo, const std::string& directory) {
  if (const auto* source = std::get_if<spec::PrometheusSource>(&slo.source)) return prometheus_history(*source, directory, slo.window);
  const Asked asked = TRY(std::visit(AsProvider{directory}, slo.source));
  if (asked.provider) return past(*asked.provider, slo.window);
  return not_yet(slo);
}

}  // namespace arashi::sli
