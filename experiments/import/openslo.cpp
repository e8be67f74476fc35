// OpenSLO v1: SLOs, and the SLIs and DataSources that they refer to, in any of the file's documents. Reads what is needed, as the README
// describes it; whether the file keeps all the published rules is openslo_rules' business.
#include "experiments/import/openslo_rules.hpp"
#include "experiments/spec/zone.hpp"

#include <algorithm>

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
  Slo(Document& document, const Documents& all) : document_(document), all_(all) {}

  void read() {
    spec_ = child(document_.root, "spec");
    made_.where = document_.root->where;
    made_.name = text_of(child(document_.root, "metadata"), "name");
    if (made_.name.empty()) document_.complain(document_.root, "metadata.name", "is missing");
    read_window();
    const Tree* sli = indicator();
    if (sli != nullptr) read_ratio(sli);
    read_method();
    read_objectives();
  }

 private:
  void read_window() {
    const Tree* windows = child(spec_, "timeWindow");
    if (windows == nullptr || windows->items.empty())
      return document_.note(spec_, "spec.timeWindow", "is missing: the last 30 days are taken");
    if (windows->items.size() > 1) document_.complain(windows, "spec.timeWindow", "has more than one window");
    const Tree* window = &windows->items.front();
    const Tree* calendar = child(window, "calendar");
    if (calendar != nullptr && is_true(window, "isRolling"))
      return document_.complain(calendar, "spec.timeWindow[0].calendar",
                                "can't be there with isRolling: true: a window rolls or follows the calendar");
    if (calendar != nullptr) return read_calendar(window, calendar);
    if (text_of(window, "isRolling") == "false")
      return document_.complain(window, "spec.timeWindow[0]", "says neither isRolling: true nor calendar: {startTime: …, timeZone: …}");
    const Tree* duration = child(window, "duration");
    const auto length = length_of(duration == nullptr ? "" : duration->text);
    if (!length) document_.complain(duration == nullptr ? window : duration, "spec.timeWindow[0].duration", duration_words);
    made_.window = length.value_or(made_.window);
  }

  void read_calendar(const Tree* window, const Tree* calendar) {
    spec::Calendar made{.timezone = text_of(calendar, "timeZone")};
    const auto complain = [&](const Tree* around, std::string_view key, const std::string& path, const std::string& why) {
      const Tree* at = child(around, key);
      document_.complain(at == nullptr ? around : at, "spec.timeWindow[0]." + path + std::string(key), at == nullptr ? "is missing" : why);
    };
    if (const auto read = spec::read_length(text_of(window, "duration"), made); !read)
      complain(window, "duration", "", read.error().message);
    if (const auto start = spec::parse_wall_clock(text_of(calendar, "startTime")))
      made.start = *start;
    else
      complain(calendar, "startTime", "calendar.", start.error().message);
    if (const auto known = spec::local_time(made.timezone, 0); !known) complain(calendar, "timeZone", "calendar.", known.error().message);
    made_.window = spec::usual_length(made);
    made_.calendar = std::move(made);
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
    if (own != nullptr) at_ = "spec.indicator.spec.";
    if (own == nullptr) own = find_named(all_, "SLI", name);
    if (own == nullptr) {
      document_.complain(child(spec_, "indicatorRef"), "spec.indicatorRef", "there is no SLI '" + name + "' in this file");
      return nullptr;
    }
    const Tree* sli = child(own, "spec");
    if (sli == nullptr) document_.complain(own, at_.substr(0, at_.size() - 1), "is missing");
    return sli;
  }

  void read_ratio(const Tree* sli) {
    if (const Tree* threshold = child(sli, "thresholdMetric"))
      return document_.complain(
          threshold, at_ + "thresholdMetric",
          "is a value and no count of events, so no budget can be spent; write a ratioMetric that counts what is over the threshold");
    const Tree* ratio = child(sli, "ratioMetric");
    const std::string path = at_ + "ratioMetric";
    if (ratio == nullptr) return document_.complain(sli, path, "is missing");
    if (const Tree* raw = child(ratio, "raw"))
      return document_.complain(raw, path + ".raw",
                                "is a ratio (" + text_of(ratio, "rawType") + "): the guard needs counts; write good or bad, and total");
    const Tree *good = child(ratio, "good"), *bad = child(ratio, "bad");
    if ((good == nullptr) == (bad == nullptr))
      return document_.complain(ratio, path, "exactly one of good and bad is needed, beside total");
    if (child(ratio, "total") == nullptr) return document_.complain(ratio, path, "total is missing");
    const bool counter = is_true(ratio, "counter");
    made_.total = query(child(ratio, "total"), path + ".total", counter);
    made_.bad = bad != nullptr ? query(bad, path + ".bad", counter) : made_.total + " - (" + query(good, path + ".good", counter) + ")";
  }

  // connectionDetails may be a mapping, or a list of such.
  void read_connection(const Tree* details) {
    if (details == nullptr || !made_.url.empty()) return;
    made_.url = text_of(details, "url");
    if (details->kind != Tree::Kind::list) return;
    for (const Tree& each : details->items)
      if (made_.url.empty()) made_.url = text_of(&each, "url");
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
      read_connection(child(child(data, "spec"), "connectionDetails"));
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
    return document_.counters(text == nullptr ? source : text, path + ".metricSource.spec.query", counter);
  }

  void read_method() {
    const Tree* method = child(spec_, "budgetingMethod");
    if (method == nullptr) return document_.note(spec_, "spec.budgetingMethod", "is missing: Occurrences is taken");
    if (method->text == "Occurrences") return;
    if (method->text == "Timeslices") made_.method = spec::Method::timeslices;
    if (method->text == "RatioTimeslices") made_.method = spec::Method::ratio_timeslices;
    if (made_.method == spec::Method::occurrences)
      document_.complain(method, "spec.budgetingMethod", "is '" + method->text + "': known are Occurrences, Timeslices, RatioTimeslices");
  }

  // The README lets it be a bare number too, of minutes.
  void read_slice_window(const Tree* objective, const std::string& path) {
    const Tree* window = child(objective, "timeSliceWindow");
    const std::string text = window == nullptr ? "" : window->text;
    const bool bare = !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
    const auto length = length_of(bare ? text + "m" : text);
    if (!length)
      document_.complain(window == nullptr ? objective : window, path,
                         window == nullptr ? "is missing: how long is a time slice, such as 1m" : duration_words);
    if (length && bare) document_.note(window, path, "has no unit: minutes are taken");
    made_.slice = length.value_or(made_.slice);
    if (made_.slice > made_.window) document_.complain(window, path, "is longer than the time window");
  }

  // timeSliceTarget and timeSliceWindow, which both methods with slices need, the first only for Timeslices.
  void read_slices(const Tree* objective, const std::string& path) {
    if (made_.method == spec::Method::occurrences) return;
    read_slice_window(objective, path + "timeSliceWindow");
    if (made_.method != spec::Method::timeslices) return;
    const Tree* target = child(objective, "timeSliceTarget");
    const std::string text = target == nullptr ? "" : target->text;
    made_.slice_target = number_in(text).value_or(0);
    if (target == nullptr)
      document_.complain(objective, path + "timeSliceTarget", "is missing: which share of good events makes a slice good?");
    else if (!(made_.slice_target > 0 && made_.slice_target <= 1))
      document_.complain(target, path + "timeSliceTarget", "is '" + text + "': more than 0 and at most 1 is expected");
  }

  // Each objective of a ratio is an SLO of its own: the same counts, another target.
  void read_objectives() {
    const Tree* objectives = child(spec_, "objectives");
    if (objectives == nullptr || objectives->items.empty())
      return document_.complain(objectives == nullptr ? spec_ : objectives, "spec.objectives", "is missing: which share must be good?");
    const std::string name = made_.name;
    for (std::size_t i = 0; i < objectives->items.size(); ++i) {
      read_objective(&objectives->items[i], "spec.objectives[" + std::to_string(i) + "].");
      if (objectives->items.size() > 1) made_.name = name + "-" + name_of_objective(objectives->items[i], i);
      document_.add(made_);
    }
  }

  static std::string name_of_objective(const Tree& objective, std::size_t index) {
    std::string made;
    for (const unsigned char c : text_of(&objective, "displayName"))
      made += std::isalnum(c) != 0 ? static_cast<char>(std::tolower(c)) : '-';
    return made.empty() ? std::to_string(index + 1) : made;
  }

  void read_objective(const Tree* one, const std::string& path) {
    const Tree *target = child(one, "target"), *percent = child(one, "targetPercent");
    if ((target == nullptr) == (percent == nullptr))
      return document_.complain(one, path.substr(0, path.size() - 1), "exactly one of target and targetPercent is needed");
    made_.objective =
        target != nullptr ? document_.percent(target, path + "target", 1) : document_.percent(percent, path + "targetPercent", 100);
    read_slices(one, path);
  }

  Document& document_;
  const Documents& all_;
  const Tree* spec_ = nullptr;
  std::string at_ = "spec.";  // where the indicator's spec stands
  ForeignSlo made_;
};

bool tells(const std::vector<spec::Problem>& told, const spec::Problem& problem) {
  return std::ranges::any_of(told, [&](const spec::Problem& each) {
    return each.path == problem.path && each.where.line == problem.where.line && each.where.column == problem.where.column;
  });
}

// Once each: a breach of the rules may be why an SLO can't be evaluated too.
void tell(const std::vector<spec::Problem>& problems, std::vector<spec::Problem>& to) {
  for (const auto& problem : problems)
    if (!tells(to, problem)) to.push_back(problem);
}

}  // namespace

void read_openslo(const Documents& documents, Strictness strictness, Imported& into) {
  const bool strict = strictness == Strictness::strict;
  std::vector<spec::Problem> breaches;
  Imported read;
  for (const Tree& each : documents) {
    const auto broken = breaches_of_openslo(each);
    breaches.insert(breaches.end(), broken.begin(), broken.end());
    if (text_of(&each, "kind") != "SLO") continue;
    Imported one;
    Document document(each, one);
    Slo(document, documents).read();
    tell(one.problems, read.problems);
    tell(one.notes, read.notes);
    if (!strict || broken.empty()) into.slos.insert(into.slos.end(), one.slos.begin(), one.slos.end());
  }
  if (strict) tell(breaches, into.problems);
  tell(read.problems, into.problems);
  if (strict) return;
  tell(read.notes, into.notes);
  for (const auto& breach : breaches) {
    // A kind that nobody knows is no SLO, so it would be lost without a word.
    if (breach.path == "kind") tell({breach}, into.problems);
    if (!tells(into.problems, breach)) tell({breach}, into.notes);
  }
}

}  // namespace arashi::import
