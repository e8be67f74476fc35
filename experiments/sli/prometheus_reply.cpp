#include "experiments/sli/prometheus_reply.hpp"

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

Result<Sample> read_sample(const Json& item) {
  if (!item.is_object() || !item.contains("metric") || !item["metric"].is_object()) return fail(Blame::system, "a result without labels");
  const auto value = item.find("value");
  if (value == item.end() || !value->is_array() || value->size() != 2 || !(*value)[1].is_string())
    return fail(Blame::system, "a result without a value");
  Sample sample;
  sample.value = TRY(number((*value)[1].get<std::string>()));
  Json labels = item["metric"];
  sample.part = text_of(labels, "arashi_part");
  labels.erase("arashi_part");
  sample.series = to_text(labels);
  return sample;
}

}  // namespace

Result<Reply> read_reply(std::string_view body) {
  const auto json = parse_json(body, std::size_t{16} << 20U);
  if (!json) return because(json.error(), "the answer is not Prometheus's JSON");
  if (!json->is_object()) return fail(Blame::system, "the answer is not Prometheus's JSON: not an object");
  const std::string status = text_of(*json, "status");
  if (status == "error") return fail(Blame::system, "Prometheus says ", text_of(*json, "errorType"), ": ", text_of(*json, "error"));
  if (status != "success") return fail(Blame::system, "the answer is not Prometheus's JSON: no status");
  const auto data = json->find("data");
  if (data == json->end() || !data->is_object() || !data->contains("result") || !(*data)["result"].is_array())
    return fail(Blame::system, "the answer has no result");
  const std::string type = text_of(*data, "resultType");
  if (type != "vector") return fail(Blame::input, "the query must give an instant vector, not a ", type);
  Reply reply;
  for (const Json& item : (*data)["result"]) reply.samples.push_back(TRY(read_sample(item)));
  const auto warnings = json->find("warnings");
  if (warnings != json->end() && warnings->is_array())
    for (const Json& each : *warnings) reply.warnings.push_back(each.is_string() ? each.get<std::string>() : to_text(each));
  return reply;
}

}  // namespace arashi::sli
