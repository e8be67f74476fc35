// Pyrra: pyrra.dev/v1alpha1 ServiceLevelObjective.
#include "experiments/import/document.hpp"

namespace arashi::import {
namespace {

constexpr std::int64_t day = 86400;

// Each `metric` is a plain selector: taken as the counter it names.
std::string metric(Document& document, const Tree* of, const std::string& path) {
  const Tree* metric = child(of, "metric");
  std::string made = document.counters(metric, path + ".metric", true);
  if (made.find('(') != std::string::npos && made.find('{') > made.find('(')) {
    document.complain(metric, path + ".metric", "is not a plain selector such as http_requests_total{job=\"shop\"}");
    return {};
  }
  return made.empty() ? made : "sum(" + made + ")";
}

void read_indicator(Document& document, const Tree* indicator, ForeignSlo& slo) {
  const Tree* ratio = child(indicator, "ratio");
  const Tree* latency = child(indicator, "latency");
  for (const char* kind : {"latencyNative", "bool_gauge"})
    if (const Tree* other = child(indicator, kind))
      return document.complain(
          other, std::string("spec.indicator.") + kind,
          kind[0] == 'b' ? "is a gauge: it counts no events; write a ratio of counters"
                         : "is a native histogram, of which Prometheus gives no exact count at a latency; write latency with buckets");
  if ((ratio == nullptr) == (latency == nullptr))
    return document.complain(indicator, "spec.indicator", "exactly one of ratio, latency, latencyNative and bool_gauge is needed");
  const Tree* kind = ratio != nullptr ? ratio : latency;
  const std::string path = ratio != nullptr ? "spec.indicator.ratio" : "spec.indicator.latency";
  if (const Tree* grouping = child(kind, "grouping"); grouping != nullptr && !grouping->items.empty())
    return document.complain(grouping, path + ".grouping",
                             "makes one SLO for each '" + grouping->items.front().text +
                                 "': put the one that is meant into the metrics, and take grouping away");
  slo.total = metric(document, child(kind, "total"), path + ".total");
  if (ratio != nullptr) slo.bad = metric(document, child(kind, "errors"), path + ".errors");
  if (latency != nullptr) slo.bad = slo.total + " - " + metric(document, child(kind, "success"), path + ".success");
}

}  // namespace

void read_pyrra(Document document) {
  const Tree* spec = child(document.root, "spec");
  ForeignSlo slo{.name = text_of(child(document.root, "metadata"), "name"), .where = document.root->where};
  if (slo.name.empty()) document.complain(document.root, "metadata.name", "is missing");
  slo.objective = document.percent(child(spec, "target"), "spec.target", 100);
  const Tree* window = child(spec, "window");
  const auto length = units(window == nullptr ? "" : window->text, "smhdwy", {1, 60, 3600, day, 7 * day, 365 * day});
  if (!length) document.complain(window, "spec.window", "must be a time such as 4w");
  slo.window = length.value_or(slo.window);
  read_indicator(document, child(spec, "indicator"), slo);
  document.add(std::move(slo));
}

}  // namespace arashi::import
