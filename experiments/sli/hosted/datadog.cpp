// Datadog's metrics: POST /api/v2/query/timeseries, or the older GET /api/v1/query. (API reference: Metrics, Rate limits.)
#include "experiments/sli/answer.hpp"
#include "experiments/sli/hosted/provider.hpp"
#include "injector/core/json.hpp"

namespace arashi::sli {
namespace {

const Json* member(const Json& json, const char* name) {
  if (!json.is_object()) return nullptr;
  const auto found = json.find(name);
  return found == json.end() || found->is_null() ? nullptr : &*found;
}

// The interval may be enlarged silently; the spacing of the times is what counts.
std::int64_t spacing(const std::vector<std::int64_t>& times, std::int64_t otherwise) {
  std::int64_t least = 0;
  for (std::size_t i = 1; i < times.size(); ++i)
    if (times[i] > times[i - 1] && (least == 0 || times[i] - times[i - 1] < least)) least = times[i] - times[i - 1];
  return least > 0 ? least : otherwise;
}

class Datadog final : public Provider {
 public:
  Datadog(spec::DatadogSource source, const std::string& directory)
      : source_(std::move(source)),
        api_key_(source_.api_key, "Datadog's API key", directory),
        app_key_(source_.app_key, "Datadog's application key", directory) {}

  Result<std::vector<HttpRequest>> requests(const Stretch& stretch) override {
    const auto api_key = TRY(api_key_.get());
    const auto app_key = TRY(app_key_.get());
    HttpRequest request;
    request.headers = {{"DD-API-KEY", api_key}, {"DD-APPLICATION-KEY", app_key}, {"Accept", "application/json"}};
    if (source_.api == "v1") {
      request.url = source_.url + "/api/v1/query?from=" + std::to_string(stretch.from / 1000) + "&to=" + std::to_string(stretch.to / 1000) +
                    "&query=" + escaped(source_.bad + "," + source_.total);
    } else {
      request.method = "POST";
      request.url = source_.url + "/api/v2/query/timeseries";
      request.headers["Content-Type"] = "application/json";
      request.body = to_text(question(stretch));
    }
    return std::vector<HttpRequest>{std::move(request)};
  }

  Result<Batch> read(const std::vector<Json>& answers, const Stretch& stretch) override {
    return source_.api == "v1" ? read_v1(answers.front(), stretch) : read_v2(answers.front(), stretch);
  }

  [[nodiscard]] Stretch past(double now, Duration window) const override { return past_in(now, window, 500, 60'000); }
  void refused() override {
    api_key_.refused();
    app_key_.refused();
  }
  [[nodiscard]] std::string name() const override { return source_.url; }

 private:
  [[nodiscard]] Json question(const Stretch& stretch) const {
    const auto query = [](const std::string& text, const char* name) {
      return Json{{"data_source", "metrics"}, {"query", text}, {"name", name}};
    };
    const Json attributes{{"from", stretch.from},
                          {"to", stretch.to},
                          {"interval", stretch.width},
                          {"queries", {query(source_.bad, "bad"), query(source_.total, "total")}},
                          {"formulas", {{{"formula", "bad"}}, {{"formula", "total"}}}}};
    return {{"data", {{"type", "timeseries_request"}, {"attributes", attributes}}}};
  }

  // The series of one answer are told apart by query_index: 0 is bad, 1 is total.
  static Result<bool> is_bad(const Json& series) {
    const Json* index = member(series, "query_index");
    if (index == nullptr || !index->is_number_integer()) return fail(Blame::system, "a series without query_index");
    const auto value = index->get<std::int64_t>();
    if (value != 0 && value != 1) return fail(Blame::system, "a series of query_index ", value, ", which was not asked for");
    return value == 0;
  }

  Result<Batch> read_v2(const Json& answer, const Stretch& stretch) const {
    const Json* data = member(answer, "data");
    const Json* attributes = data == nullptr ? nullptr : member(*data, "attributes");
    if (attributes == nullptr) return fail(Blame::system, "the answer has no data.attributes");
    const Json* times = member(*attributes, "times");
    const Json* series = member(*attributes, "series");
    const Json* values = member(*attributes, "values");
    if (times == nullptr || series == nullptr || values == nullptr || !times->is_array() || !series->is_array() || !values->is_array() ||
        series->size() != values->size())
      return fail(Blame::system, "the answer has no times, series and values that fit together");
    std::vector<std::int64_t> at;
    for (const Json& time : *times) {
      if (!time.is_number()) return fail(Blame::system, "a time is not a number");
      at.push_back(time.get<std::int64_t>());
    }
    Batch batch{.width = spacing(at, stretch.width)};
    for (std::size_t i = 0; i < series->size(); ++i) {
      const bool bad = TRY(is_bad((*series)[i]));
      TRY(add_all(at, (*values)[i], bad ? batch.bad : batch.total, bad ? source_.bad : source_.total));
    }
    return batch;
  }

  static Result<void> add_all(const std::vector<std::int64_t>& at, const Json& values, Points& into, const std::string& query) {
    if (!values.is_array() || values.size() != at.size()) return fail(Blame::system, "the answer has not one value for each time");
    for (std::size_t i = 0; i < at.size(); ++i) {
      if (values[i].is_null()) continue;
      if (!values[i].is_number()) return fail(Blame::system, "a value is not a number");
      TRY(add_point(into, at[i], values[i].get<double>(), query));
    }
    return {};
  }

  // [[milliseconds, count or null], …]
  static Result<void> add_points(const Json& series, Points& into, std::vector<std::int64_t>& at, const std::string& query) {
    const Json* points = member(series, "pointlist");
    if (points == nullptr || !points->is_array()) return fail(Blame::system, "a series without pointlist");
    for (const Json& point : *points) {
      if (!point.is_array() || point.size() != 2 || !point[0].is_number()) return fail(Blame::system, "a point is not [time, value]");
      at.push_back(point[0].get<std::int64_t>());
      if (point[1].is_number()) TRY(add_point(into, at.back(), point[1].get<double>(), query));
    }
    return {};
  }

  Result<Batch> read_v1(const Json& answer, const Stretch& stretch) const {
    const Json* status = member(answer, "status");
    const Json* series = member(answer, "series");
    const Json* error = member(answer, "error");
    if (status == nullptr || *status != "ok")
      return fail(Blame::input, "Datadog says: ", error != nullptr && error->is_string() ? error->get<std::string>() : "status is not ok");
    if (series == nullptr || !series->is_array()) return fail(Blame::system, "the answer has no series");
    Batch batch;
    std::vector<std::int64_t> at;
    for (const Json& one : *series) {
      const bool bad = TRY(is_bad(one));
      TRY(add_points(one, bad ? batch.bad : batch.total, at, bad ? source_.bad : source_.total));
    }
    batch.width = spacing(at, stretch.width);
    return batch;
  }

  spec::DatadogSource source_;
  KeptSecret api_key_, app_key_;
};

}  // namespace

Result<std::unique_ptr<Provider>> datadog(const spec::DatadogSource& source, const std::string& directory) {
  return std::unique_ptr<Provider>(std::make_unique<Datadog>(source, directory));
}

}  // namespace arashi::sli
