#include "experiments/sli/prometheus/prometheus_reply.hpp"

#include "injector/core/json.hpp"

#include <cstdlib>

namespace arashi::sli {
namespace {

std::string text_of(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

Result<double> number(const std::string& text) {
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  if (text.empty() || end != text.c_str() + text.size()) return fail(Blame::system, "'", text, "' is not a number");
  return value;
}

constexpr std::size_t largest_range = std::size_t{256} << 20U;

bool is_pair(const Json& value) { return value.is_array() && value.size() == 2 && value[1].is_string(); }

// Which piece of our query it is, all its other labels, and whom Prometheus asked for it.
struct Labels {
  std::string part, series, target;
};

Result<Labels> read_labels(const Json& item) {
  if (!item.is_object() || !item.contains("metric") || !item["metric"].is_object()) return fail(Blame::system, "a result without labels");
  Json labels = item["metric"];
  std::string part = text_of(labels, "arashi_part");
  labels.erase("arashi_part");
  const std::string instance = text_of(labels, "instance");
  return Labels{std::move(part), to_text(labels), instance.empty() ? "" : text_of(labels, "job") + " " + instance};
}

Result<Sample> read_sample(const Json& item) {
  auto [part, series, target] = TRY(read_labels(item));
  const auto value = item.find("value");
  if (value == item.end() || !is_pair(*value)) return fail(Blame::system, "a result without a value");
  const auto count = TRY(number((*value)[1].get_ref<const std::string&>()));
  return Sample{std::move(part), std::move(series), count, std::move(target)};
}

Result<RangeSeries> read_series(const Json& item) {
  auto [part, series, target] = TRY(read_labels(item));
  RangeSeries result{std::move(part), std::move(series), {}, std::move(target)};
  const auto values = item.find("values");
  if (values == item.end() || !values->is_array()) return fail(Blame::system, "a result without values");
  for (const Json& value : *values) {
    if (!is_pair(value) || !value[0].is_number()) return fail(Blame::system, "a result without a value");
    result.values.emplace_back(value[0].get<double>(), TRY(number(value[1].get_ref<const std::string&>())));
  }
  return result;
}

// The list of results, after all that can be wrong before it.
Result<Json> read_results(std::string_view body, std::size_t limit, std::string_view wanted) {
  auto json = parse_json(body, limit);
  if (!json) return because(json.error(), "the answer is not Prometheus's JSON");
  if (!json->is_object()) return fail(Blame::system, "the answer is not Prometheus's JSON: not an object");
  const std::string status = text_of(*json, "status");
  if (status == "error") return fail(Code::explained, "Prometheus says ", text_of(*json, "errorType"), ": ", text_of(*json, "error"));
  if (status != "success") return fail(Blame::system, "the answer is not Prometheus's JSON: no status");
  const auto data = json->find("data");
  if (data == json->end() || !data->is_object() || !data->contains("result") || !(*data)["result"].is_array())
    return fail(Blame::system, "the answer has no result");
  const std::string type = text_of(*data, "resultType");
  if (type != wanted)
    return fail(Blame::input, "the query must give ", wanted == "vector" ? "an instant vector" : "a range of instant vectors", ", not a ",
                type);
  return std::move(*json);
}

std::vector<std::string> read_warnings(const Json& json) {
  std::vector<std::string> result;
  const auto warnings = json.find("warnings");
  if (warnings == json.end() || !warnings->is_array()) return result;
  for (const Json& each : *warnings) result.push_back(each.is_string() ? each.get<std::string>() : to_text(each));
  return result;
}

}  // namespace

Result<Reply> read_reply(std::string_view body) {
  const Json json = TRY(read_results(body, std::size_t{16} << 20U, "vector"));
  Reply reply;
  for (const Json& item : json["data"]["result"]) reply.samples.push_back(TRY(read_sample(item)));
  reply.warnings = read_warnings(json);
  return reply;
}

Result<RangeReply> read_range_reply(std::string_view body) {
  const Json json = TRY(read_results(body, largest_range, "matrix"));
  RangeReply reply;
  for (const Json& item : json["data"]["result"]) reply.series.push_back(TRY(read_series(item)));
  reply.warnings = read_warnings(json);
  return reply;
}

}  // namespace arashi::sli
