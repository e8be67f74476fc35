// Mackerel's service and host metrics: GET /api/v0/services/NAME/metrics, /api/v0/hosts/ID/metrics. A point is the count of its minute.
// (API documentation v0: Service metrics, Host metrics.)
#include "experiments/sli/answer.hpp"
#include "experiments/sli/hosted/provider.hpp"
#include "injector/core/json.hpp"

namespace arashi::sli {
namespace {

constexpr std::int64_t minute = 60'000;

class Mackerel final : public Provider {
 public:
  Mackerel(spec::MackerelSource source, const std::string& directory)
      : source_(std::move(source)), key_(source_.api_key, "Mackerel's API key", directory) {}

  // A metric each: the API knows no expressions.
  Result<std::vector<HttpRequest>> requests(const Stretch& stretch) override {
    std::string base = source_.url + "/api/v0/";
    base += source_.service.empty() ? "hosts/" + escaped(source_.host) : "services/" + escaped(source_.service);
    base += "/metrics?name=";
    const std::string range = "&from=" + std::to_string(stretch.from / 1000) + "&to=" + std::to_string(stretch.to / 1000);
    std::vector<HttpRequest> requests;
    const auto key = TRY(key_.get());
    for (const std::string& metric : {source_.bad, source_.total}) {
      HttpRequest request;
      request.url = base;
      request.url += escaped(metric);
      request.url += range;
      request.headers = {{"X-Api-Key", key}, {"Accept", "application/json"}};
      requests.push_back(std::move(request));
    }
    return requests;
  }

  Result<Batch> read(const std::vector<Json>& answers, const Stretch& /*stretch*/) override {
    Batch batch{.width = minute};
    TRY(read_metric(answers.at(0), batch.bad, source_.bad));
    TRY(read_metric(answers.at(1), batch.total, source_.total));
    return batch;
  }

  // Older points are kept in coarser steps whose counts nobody can add up again: a day in minutes, the rest is extrapolated.
  [[nodiscard]] Stretch past(double now, Duration window) const override {
    return past_in(now, std::min<Duration>(window, std::chrono::hours(24)), 1440, minute);
  }
  void refused() override { key_.refused(); }
  [[nodiscard]] std::string name() const override { return source_.url; }

 private:
  static Result<void> read_metric(const Json& answer, Points& into, const std::string& metric) {
    const auto metrics = answer.find("metrics");
    if (metrics == answer.end() || !metrics->is_array()) return fail(Blame::system, "the answer has no metrics");
    for (const Json& point : *metrics) {
      const bool sound = point.is_object() && point.contains("time") && point["time"].is_number() && point.contains("value");
      if (!sound) return fail(Blame::system, "a point of '", metric, "' has no time and value");
      if (point["value"].is_null()) continue;
      if (!point["value"].is_number()) return fail(Blame::system, "a value of '", metric, "' is not a number");
      const auto time = point["time"].get<std::int64_t>() * 1000 / minute * minute;
      TRY(add_point(into, time, point["value"].get<double>(), metric));
    }
    return {};
  }

  spec::MackerelSource source_;
  KeptSecret key_;
};

}  // namespace

Result<std::unique_ptr<Provider>> mackerel(const spec::MackerelSource& source, const std::string& directory) {
  return std::unique_ptr<Provider>(std::make_unique<Mackerel>(source, directory));
}

}  // namespace arashi::sli
