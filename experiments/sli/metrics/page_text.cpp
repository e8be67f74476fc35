// The two text formats: Prometheus' 0.0.4 and OpenMetrics 1.0.
#include "experiments/sli/metrics/page.hpp"

#include <charconv>
#include <cmath>
#include <set>

namespace arashi::sli {

namespace {

bool blank(char c) { return c == ' ' || c == '\t'; }

// "4", "+4e0", "+Inf", "NaN"
std::optional<double> number(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end == text.data() + text.size() ? std::optional(value) : std::nullopt;
}

struct Line {
  std::string_view name;
  std::vector<spec::Label> labels;
  double value = 0;
};

// One sample line: name{label="value",…} value [time] [# exemplar].
class Sample {
 public:
  explicit Sample(std::string_view line) : line_(line) {}

  [[nodiscard]] std::string_view name() const { return line_.substr(0, line_.find_first_of("{ \t")); }

  Result<Line> read() {
    Line made{.name = name()};
    at_ = made.name.size();
    if (here() == '{') TRY(labels(made.labels));
    while (blank(here())) ++at_;
    const std::string_view text = line_.substr(at_, line_.find_first_of(" \t\r", at_) - at_);
    const auto value = number(text);
    if (!value) return fail(Blame::system, "'", text.substr(0, 40), "' is not a number, in: ", line_.substr(0, 120));
    made.value = *value;
    return made;
  }

 private:
  [[nodiscard]] char here() const { return at_ < line_.size() ? line_[at_] : '\0'; }
  [[nodiscard]] Unexpected<Error> broken() const { return fail(Blame::system, "labels that are not understood: ", line_.substr(0, 120)); }

  Result<spec::Label> label() {
    const auto equal = line_.find('=', at_);
    if (equal == std::string_view::npos) return broken();
    spec::Label made{.name = std::string(line_.substr(at_, equal - at_)), .value = {}};
    while (!made.name.empty() && blank(made.name.back())) made.name.pop_back();
    at_ = line_.find_first_not_of(" \t", equal + 1);
    if (here() != '"') return broken();
    made.value = TRY(quoted());
    return made;
  }

  Result<void> labels(std::vector<spec::Label>& into) {
    ++at_;
    while (here() != '}') {
      while (blank(here()) || here() == ',') ++at_;
      if (here() == '}') break;
      into.push_back(TRY(label()));
      while (blank(here())) ++at_;
      if (here() != ',' && here() != '}') return broken();
    }
    ++at_;
    return {};
  }

  Result<std::string> quoted() {
    std::string value;
    for (++at_; here() != '"'; ++at_) {
      if (at_ >= line_.size()) return broken();
      if (here() != '\\') {
        value += here();
        continue;
      }
      ++at_;
      value += here() == 'n' ? '\n' : here();
    }
    ++at_;
    return value;
  }

  std::string_view line_;
  std::size_t at_ = 0;
};

void take_label(std::vector<spec::Label>& labels, std::string_view name) {
  std::erase_if(labels, [name](const spec::Label& label) { return label.name == name; });
}

std::string created_name(const std::string& name) {
  const std::string_view suffix = "_total";
  return (name.ends_with(suffix) ? name.substr(0, name.size() - suffix.size()) : name) + "_created";
}

class Reading {
 public:
  explicit Reading(const Wanted& wanted) : wanted_(wanted) {}

  Result<void> take(std::string_view line) {
    Sample sample(line);
    const std::string_view name = sample.name();
    if (wanted_.histogram()) return histogram(sample, name);
    if (name == wanted_.total.name || name == wanted_.part->name) TRY(counter(sample));
    if (name == created_total_) TRY(created(sample, wanted_.total));
    if (name == created_part_) TRY(created(sample, *wanted_.part));
    return {};
  }

  Result<Page> finish() {
    // The bucket itself is the evidence: a series of the histogram without it would else count as bad all over.
    if (wanted_.histogram() && page_.part.size() != page_.total.size()) return no_bound(wanted_, bounds_);
    for (const auto& [key, when] : created_) {
      if (const auto found = page_.total.find(key); found != page_.total.end()) found->second.created = when;
      if (const auto found = page_.part.find(key); found != page_.part.end()) found->second.created = when;
    }
    return std::move(page_);
  }

 private:
  Result<void> counter(Sample& sample) {
    Line line = TRY(sample.read());
    if (line.name == wanted_.total.name && wanted_.total.matches(line.labels))
      TRY(keep(page_.total, line.labels, {.value = line.value}, wanted_.total.name));
    if (line.name == wanted_.part->name && wanted_.part->matches(line.labels))
      TRY(keep(page_.part, std::move(line.labels), {.value = line.value}, wanted_.part->name));
    return {};
  }

  Result<void> created(Sample& sample, const spec::SeriesSelector& selector) {
    Line line = TRY(sample.read());
    return selector.matches(line.labels) ? keep_created(std::move(line)) : Result<void>{};
  }

  Result<void> keep_created(Line line) {
    if (!std::isfinite(line.value)) return fail(Blame::system, "'", line.name, "' is ", line.value);
    created_[series_of(std::move(line.labels))] = line.value;
    return {};
  }

  Result<void> histogram(Sample& sample, std::string_view name) {
    if (!name.starts_with(wanted_.total.name)) return {};
    const std::string_view suffix = name.substr(wanted_.total.name.size());
    if (suffix != "_bucket" && suffix != "_count" && suffix != "_created") return {};
    Line line = TRY(sample.read());
    if (suffix == "_bucket") return bucket(std::move(line));
    if (!wanted_.total.matches(line.labels)) return {};
    if (suffix == "_count") return keep(page_.total, std::move(line.labels), {.value = line.value}, wanted_.total.name);
    return keep_created(std::move(line));
  }

  Result<void> bucket(Line line) {
    double bound = std::nan("");
    for (const auto& label : line.labels)
      if (label.name == "le") bound = number(label.value).value_or(bound);
    take_label(line.labels, "le");
    if (!wanted_.total.matches(line.labels)) return {};
    if (bounds_.size() < 1000) bounds_.push_back(bound);
    if (!same_bound(bound, wanted_.bound)) return {};
    return keep(page_.part, std::move(line.labels), {.value = line.value}, wanted_.total.name);
  }

  const Wanted& wanted_;
  std::string created_total_ = created_name(wanted_.total.name);
  std::string created_part_ = wanted_.part ? created_name(wanted_.part->name) : "";
  Page page_;
  std::vector<double> bounds_;
  std::map<std::string, double> created_;
};

// Calls `take` with each line that is a sample; true if the page was ended by "# EOF".
template <class Take>
Result<bool> each_sample(std::string_view body, const Take& take) {
  bool ended = false;
  while (!body.empty()) {
    const std::size_t end = std::min(body.find('\n'), body.size());
    const std::string_view line = body.substr(0, end);
    body.remove_prefix(std::min(end + 1, body.size()));
    ended = ended || line == "# EOF";
    if (line.empty() || line.front() == '#' || blank(line.front()) || line.front() == '\r' || line.front() == '{') continue;
    TRY(take(line));
  }
  return ended;
}

}  // namespace

Result<Page> read_text(const std::string& body, bool open_metrics, const Wanted& wanted);
Result<Page> read_text(const std::string& body, bool open_metrics, const Wanted& wanted) {
  Reading reading(wanted);
  const bool ended = TRY(each_sample(body, [&](std::string_view line) { return reading.take(line); }));
  if (open_metrics && !ended) return fail(Blame::system, "the page is cut off: '# EOF' is missing");
  return reading.finish();
}

std::vector<std::string> names_on(const std::string& body) {
  std::set<std::string> names;
  static_cast<void>(each_sample(body, [&](std::string_view line) -> Result<void> {
    if (names.size() < 10'000) names.emplace(Sample(line).name());
    return {};
  }));
  return {names.begin(), names.end()};
}

}  // namespace arashi::sli
