// OpenSLO v1: SLOs, and the SLIs and DataSources that they refer to, in any of the file's documents.
#include "experiments/import/document.hpp"

#include <algorithm>
#include <cstdlib>

namespace arashi::import {
namespace {

constexpr std::int64_t day = 86400;
using Documents = std::vector<Tree>;

constexpr const char* duration_words = "must be a number and m (minutes), h, d, w, M (months), Q or Y, such as 30d";

std::optional<Duration> length_of(const std::string& text) {
  return units(text, "mhdwMQY", {60, 3600, day, 7 * day, 30 * day, 90 * day, 365 * day});
}

const Tree* find_named(const Documents& all, std::string_view kind, const std::string& name) {
  const auto found = std::ranges::find_if(
      all, [&](const Tree& each) { return text_of(&each, "kind") == kind && text_of(child(&each, "metadata"), "name") == name; });
  return found == all.end() ? nullptr : &*found;
}

class Slo {
 public:
  Slo(Document& document, const Documents& all, Strictness strictness)
      : document_(document), all_(all), strict_(strictness == Strictness::strict) {}

  void read() {
    spec_ = child(document_.root, "spec");
    made_.where = document_.root->where;
    made_.name = text_of(child(document_.root, "metadata"), "name");
    if (made_.name.empty()) document_.complain(document_.root, "metadata.name", "is missing");
    if (strict_ && child(spec_, "service") == nullptr) document_.complain(spec_, "spec.service", "is missing");
    read_window();
    const Tree* sli = indicator();
    if (sli != nullptr) read_ratio(sli);
    read_method();
    read_objective();
    document_.add(std::move(made_));
  }

 private:
  // Strict: wrong. Lenient: said, and passed over.
  void lapse(const Tree* at, const std::string& path, const std::string& message) {
    if (strict_) return document_.complain(at, path, message);
    document_.note(at, path, message);
  }

  void read_window() {
    const Tree* windows = child(spec_, "timeWindow");
    if (windows == nullptr || windows->items.empty())
      return lapse(spec_, "spec.timeWindow", "is missing: exactly one is needed; 30 days are taken");
    if (windows->items.size() > 1) document_.complain(windows, "spec.timeWindow", "has more than one window");
    const Tree* window = &windows->items.front();
    if (child(window, "calendar") != nullptr || text_of(window, "isRolling") == "false")
      return document_.complain(window, "spec.timeWindow[0]",
                                "is a calendar window: the guard's windows roll; write duration and isRolling: true");
    const Tree* duration = child(window, "duration");
    const auto length = length_of(duration == nullptr ? "" : duration->text);
    if (!length) document_.complain(duration, "spec.timeWindow[0].duration", duration_words);
    made_.window = length.value_or(made_.window);
  }

  const Tree* indicator() {
    const Tree* own = child(spec_, "indicator");
    const std::string name = text_of(spec_, "indicatorRef");
    const Tree* objectives = child(spec_, "objectives");
    for (const Tree& each : objectives == nullptr ? std::vector<Tree>{} : objectives->items)
      if (child(&each, "indicator") != nullptr || child(&each, "indicatorRef") != nullptr) {
        document_.complain(objectives, "spec.objectives", "make a composite SLO: write an SLO for each of its parts");
        return nullptr;
      }
    if ((own == nullptr) == name.empty()) {
      document_.complain(spec_, "spec", "exactly one of indicator and indicatorRef is needed");
      return nullptr;
    }
    inline_ = own != nullptr;
    if (own == nullptr) own = find_named(all_, "SLI", name);
    if (own == nullptr)
      document_.complain(child(spec_, "indicatorRef"), "spec.indicatorRef", "there is no SLI '" + name + "' in this file");
    return child(own, "spec");
  }

  void read_ratio(const Tree* sli) {
    if (const Tree* threshold = child(sli, "thresholdMetric"))
      return document_.complain(
          threshold, "thresholdMetric",
          "is a value and no count of events, so no budget can be spent; write a ratioMetric that counts what is over the threshold");
    const Tree* ratio = child(sli, "ratioMetric");
    if (ratio == nullptr) return document_.complain(sli, "indicator", "needs a ratioMetric");
    if (const Tree* raw = child(ratio, "raw"))
      return document_.complain(raw, "ratioMetric.raw",
                                "is a ratio (" + text_of(ratio, "rawType") + "): the guard needs counts; write good or bad, and total");
    const Tree *good = child(ratio, "good"), *bad = child(ratio, "bad");
    if ((good == nullptr) == (bad == nullptr))
      return document_.complain(ratio, "ratioMetric", "exactly one of good and bad is needed, beside total");
    const bool counter = is_true(ratio, "counter");
    made_.total = query(child(ratio, "total"), "ratioMetric.total", counter);
    made_.bad =
        bad != nullptr ? query(bad, "ratioMetric.bad", counter) : made_.total + " - (" + query(good, "ratioMetric.good", counter) + ")";
  }

  std::string query(const Tree* metric, const std::string& path, bool counter) {
    const Tree* source = child(metric, "metricSource");
    if (source == nullptr) {
      document_.complain(metric, path + ".metricSource", "is missing");
      return {};
    }
    std::string type = text_of(source, "type");
    const std::string reference = text_of(source, "metricSourceRef");
    if (const Tree* data = find_named(all_, "DataSource", reference)) {
      if (type.empty()) type = text_of(child(data, "spec"), "type");
      const Tree* connection = child(child(data, "spec"), "connectionDetails");
      if (made_.url.empty()) made_.url = text_of(connection, "url");
    }
    std::string lower = type;
    std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    if (lower != "prometheus") {
      document_.complain(source, path + ".metricSource.type",
                         type.empty()
                             ? "is missing, and no DataSource '" + reference + "' of this file says it"
                             : "is '" + type + "': only Prometheus is read from OpenSLO; write the SLO's source in the spec instead");
      return {};
    }
    const Tree* spec = child(source, "spec");
    const Tree* text = child(spec, "query") != nullptr ? child(spec, "query") : child(spec, "promql");
    return document_.counters(text, path + ".metricSource.spec.query", counter);
  }

  void read_method() {
    const Tree* method = child(spec_, "budgetingMethod");
    if (method == nullptr) return lapse(spec_, "spec.budgetingMethod", "is missing: Occurrences is taken");
    if (method->text == "Occurrences") return;
    if (method->text == "Timeslices") made_.method = spec::Method::timeslices;
    if (method->text == "RatioTimeslices") made_.method = spec::Method::ratio_timeslices;
    if (made_.method == spec::Method::occurrences)
      document_.complain(method, "spec.budgetingMethod", "is '" + method->text + "': known are Occurrences, Timeslices, RatioTimeslices");
  }

  // timeSliceTarget and timeSliceWindow, which both methods with slices need, the second only for Timeslices.
  void read_slices(const Tree* objective) {
    const std::string path = "spec.objectives[0].";
    if (made_.method == spec::Method::occurrences) return;
    const Tree* window = child(objective, "timeSliceWindow");
    const auto length = length_of(window == nullptr ? "" : window->text);
    if (!length)
      document_.complain(window == nullptr ? objective : window, path + "timeSliceWindow",
                         window == nullptr ? "is missing: how long is a time slice, such as 1m" : duration_words);
    made_.slice = length.value_or(made_.slice);
    if (made_.slice > made_.window) document_.complain(window, path + "timeSliceWindow", "is longer than the time window");
    if (made_.method != spec::Method::timeslices) return;
    const Tree* target = child(objective, "timeSliceTarget");
    char* end = nullptr;
    const std::string text = target == nullptr ? "" : target->text;
    made_.slice_target = std::strtod(text.c_str(), &end);
    if (target == nullptr)
      document_.complain(objective, path + "timeSliceTarget", "is missing: which share of good events makes a slice good?");
    else if (text.empty() || *end != '\0' || !(made_.slice_target > 0 && made_.slice_target <= 1))
      document_.complain(target, path + "timeSliceTarget", "is '" + text + "': more than 0 and at most 1 is expected");
  }

  void read_objective() {
    const Tree* objectives = child(spec_, "objectives");
    if (objectives == nullptr || objectives->items.size() != 1)
      return document_.complain(objectives == nullptr ? spec_ : objectives, "spec.objectives",
                                "exactly one objective is needed for a ratio");
    const Tree* one = &objectives->items.front();
    const Tree *target = child(one, "target"), *percent = child(one, "targetPercent");
    if ((target == nullptr) == (percent == nullptr))
      return document_.complain(one, "spec.objectives[0]", "exactly one of target and targetPercent is needed");
    made_.objective = target != nullptr ? document_.percent(target, "spec.objectives[0].target", 1)
                                        : document_.percent(percent, "spec.objectives[0].targetPercent", 100);
    read_slices(one);
    for (const char* key : {"op", "value"})
      if (const Tree* extra = child(one, key); extra != nullptr && inline_)
        lapse(extra, std::string("spec.objectives[0].") + key, "is for threshold indicators: a ratio is not compared");
  }

  Document& document_;
  const Documents& all_;
  bool strict_, inline_ = true;
  const Tree* spec_ = nullptr;
  ForeignSlo made_;
};

}  // namespace

void read_openslo(const Documents& documents, Strictness strictness, Imported& into) {
  for (const Tree& each : documents) {
    if (text_of(&each, "kind") != "SLO") continue;
    Document document(each, into);
    Slo(document, documents, strictness).read();
  }
}

}  // namespace arashi::import
