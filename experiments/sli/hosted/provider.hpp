// A monitoring service that is asked over HTTP for counts of stretches of time: what Datadog, Mackerel, CloudWatch and New Relic have in
// common. Private to this folder.
#pragma once

#include "experiments/http_client.hpp"
#include "experiments/sli/history.hpp"
#include "experiments/sli/hosted/buckets.hpp"
#include "experiments/sli/secret.hpp"
#include "experiments/sli/sli.hpp"
#include "injector/core/json_fwd.hpp"

#include <memory>

namespace arashi::sli {

class Provider {
 public:
  virtual ~Provider() = default;
  // Both counts of a stretch, in one round trip where the service knows how.
  virtual Result<std::vector<HttpRequest>> requests(const Stretch& stretch) = 0;
  // One JSON answer for each request, all with status 200.
  virtual Result<Batch> read(const std::vector<Json>& answers, const Stretch& stretch) = 0;
  // What of the window can be asked for at once: for the budget.
  [[nodiscard]] virtual Stretch past(double now, Duration window) const = 0;
  virtual void refused() = 0;                          // a key or token was not accepted: read it again
  [[nodiscard]] virtual std::string name() const = 0;  // its address, for errors
};

struct Pace {
  Duration width{}, every{}, lag{};
};

std::unique_ptr<Source> poll(std::unique_ptr<Provider> provider, const Pace& pace, Duration epoch);
Result<History> past(Provider& provider, Duration window);
// The last `window` in stretches of `width`, piece by piece; times since 1970. Only those with a total: what the service does not keep, or
// only in longer stretches, is left out. Waits once where it is asked to.
Result<std::vector<guard::Slice>> past_in_stretches(Provider& provider, Duration window, Duration width, Duration lag);

Result<std::unique_ptr<Provider>> datadog(const spec::DatadogSource& source, const std::string& directory);
Result<std::unique_ptr<Provider>> mackerel(const spec::MackerelSource& source, const std::string& directory);
Result<std::unique_ptr<Provider>> cloudwatch(const spec::CloudwatchSource& source, const std::string& directory);
Result<std::unique_ptr<Provider>> newrelic(const spec::NewrelicSource& source, const std::string& directory);

// Adds a point that an answer has once; twice is several series where one is wanted.
Result<void> add_point(Points& points, std::int64_t time, double value, const std::string& what);
// A stretch of `window` that ends now, cut into at most `most` widths, each a multiple of `unit` milliseconds.
Stretch past_in(double now, Duration window, std::int64_t most, std::int64_t unit);

}  // namespace arashi::sli
