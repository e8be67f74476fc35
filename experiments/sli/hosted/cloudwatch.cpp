// Amazon CloudWatch's GetMetricData, in its JSON form, signed with Signature Version 4 by libcurl. (Amazon CloudWatch API Reference:
// Making API Requests Using the POST Method; GetMetricData.)
#include "experiments/fleet/child.hpp"
#include "experiments/sli/hosted/provider.hpp"
#include "injector/core/json.hpp"

#include <cmath>
#include <cstdlib>

namespace arashi::sli {
namespace {

struct Keys {
  std::string access, secret, session;
};

Json question_of(const char* id, const spec::CloudwatchMetric& metric, std::int64_t width) {
  Json dimensions = Json::array();
  for (const auto& [name, value] : metric.dimensions) dimensions.push_back({{"Name", name}, {"Value", value}});
  const Json about{{"Namespace", metric.name_space}, {"MetricName", metric.metric}, {"Dimensions", dimensions}};
  return {{"Id", id}, {"MetricStat", {{"Metric", about}, {"Period", width / 1000}, {"Stat", metric.stat}}}, {"ReturnData", true}};
}

std::string text_of(const Json& json, const char* name) {
  const auto found = json.find(name);
  return found != json.end() && found->is_string() ? found->get<std::string>() : std::string();
}

class Cloudwatch final : public Provider {
 public:
  Cloudwatch(spec::CloudwatchSource source, std::string directory)
      : source_(std::move(source)),
        directory_(std::move(directory)),
        access_(source_.access_key, "the AWS access key", directory_),
        secret_(source_.secret_key, "the AWS secret key", directory_),
        session_(source_.session_token, "the AWS session token", directory_) {
    if (source_.url.empty()) source_.url = "https://monitoring." + source_.region + ".amazonaws.com";
  }

  Result<std::vector<HttpRequest>> requests(const Stretch& stretch) override {
    const Keys keys = TRY(this->keys());
    HttpRequest request;
    request.method = "POST";
    request.url = source_.url + "/";
    request.headers = {{"Content-Type", "application/json"},
                       {"Accept", "application/json"},
                       {"Content-Encoding", "amz-1.0"},
                       {"X-Amz-Target", "GraniteServiceVersion20100801.GetMetricData"}};
    if (!keys.session.empty()) request.headers["X-Amz-Security-Token"] = keys.session;
    request.aws_sigv4 = "aws:amz:" + source_.region + ":monitoring";
    request.user = keys.access;
    request.password = keys.secret;
    request.body = to_text(
        Json{{"StartTime", stretch.from / 1000},
             {"EndTime", stretch.to / 1000},
             {"ScanBy", "TimestampAscending"},
             {"MetricDataQueries", {question_of("bad", source_.bad, stretch.width), question_of("total", source_.total, stretch.width)}}});
    return std::vector<HttpRequest>{std::move(request)};
  }

  Result<Batch> read(const std::vector<Json>& answers, const Stretch& stretch) override {
    const Json& answer = answers.front();
    const auto results = answer.find("MetricDataResults");
    if (results == answer.end() || !results->is_array()) return fail(Blame::system, "the answer has no MetricDataResults");
    if (!text_of(answer, "NextToken").empty()) return fail(Blame::system, "the answer has more pages than one");
    Batch batch{.width = stretch.width};
    for (const Json& result : *results) {
      const std::string id = text_of(result, "Id");
      if (id != "bad" && id != "total") return fail(Blame::system, "a result of '", id, "', which was not asked for");
      TRY(read_result(result, id == "bad" ? batch.bad : batch.total, id == "bad" ? source_.bad.metric : source_.total.metric));
    }
    return batch;
  }

  // Data of less than a minute are kept for 3 hours, of a minute for 15 days, of an hour for more than a year.
  [[nodiscard]] Stretch past(double now, Duration window) const override { return past_in(now, window, 1000, 3'600'000); }
  void refused() override {
    access_.refused();
    secret_.refused();
    session_.refused();
  }
  [[nodiscard]] std::string name() const override { return source_.url; }

 private:
  Result<Keys> keys() {
    if (!source_.credentials.empty()) return printed_keys();
    Keys keys;
    keys.access = TRY(access_.get());
    keys.secret = TRY(secret_.get());
    const auto& session = source_.session_token;  // long-lived keys have none
    if (session.env.empty() || std::getenv(session.env.c_str()) != nullptr) keys.session = TRY(session_.get());
    return keys;
  }

  // {"Version": 1, "AccessKeyId": …, "SecretAccessKey": …, "SessionToken": …}; asked each time: the program knows when they end.
  Result<Keys> printed_keys() const {
    const std::string what = "'" + source_.credentials.front() + "' (credentials)";
    const auto ended = TRY(fleet::run_program({.command = source_.credentials, .directory = directory_}));
    if (ended.timed_out || ended.exit != 0) return fail(Blame::system, what, ended.timed_out ? " did not end in time" : " failed");
    const auto json = parse_json(ended.output, std::size_t{64} << 10U);
    if (!json || !json->is_object()) return fail(Blame::system, what, " did not print JSON as credential_process does");
    Keys keys{text_of(*json, "AccessKeyId"), text_of(*json, "SecretAccessKey"), text_of(*json, "SessionToken")};
    if (keys.access.empty() || keys.secret.empty()) return fail(Blame::system, what, " printed no AccessKeyId and SecretAccessKey");
    return keys;
  }

  static Result<void> read_result(const Json& result, Points& into, const std::string& metric) {
    const std::string status = text_of(result, "StatusCode");
    if (status != "Complete") return fail(Blame::system, "the counts of '", metric, "' are not complete (", status, ")");
    const auto times = result.find("Timestamps");
    const auto values = result.find("Values");
    if (times == result.end() || values == result.end() || !times->is_array() || !values->is_array() || times->size() != values->size())
      return fail(Blame::system, "the counts of '", metric, "' have not one time each");
    for (std::size_t i = 0; i < times->size(); ++i) {
      if (!(*times)[i].is_number() || !(*values)[i].is_number()) return fail(Blame::system, "a count of '", metric, "' is not a number");
      TRY(add_point(into, std::llround((*times)[i].get<double>() * 1000), (*values)[i].get<double>(), metric));
    }
    return {};
  }

  spec::CloudwatchSource source_;
  std::string directory_;
  KeptSecret access_, secret_, session_;
};

}  // namespace

Result<std::unique_ptr<Provider>> cloudwatch(const spec::CloudwatchSource& source, const std::string& directory) {
  return std::unique_ptr<Provider>(std::make_unique<Cloudwatch>(source, directory));
}

}  // namespace arashi::sli
