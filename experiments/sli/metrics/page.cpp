#include "experiments/sli/metrics/page.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <set>

namespace arashi::sli {

Result<Wanted> wanted(const spec::MetricsSource& source, Duration latency) {
  Wanted made;
  if (!source.histogram.empty()) {
    made.total = TRY(spec::parse_series(source.histogram));
    made.bound = seconds(latency);
    made.part_is_good = true;
    if (latency <= Duration{}) return fail(Blame::input, "histogram '", source.histogram, "' needs the SLO's 'latency'");
    return made;
  }
  made.total = TRY(spec::parse_series(source.total));
  made.part = TRY(spec::parse_series(source.bad.empty() ? source.good : source.bad));
  made.part_is_good = source.bad.empty();
  return made;
}

std::string accepted(const Wanted& wanted) {
  std::string text = "application/openmetrics-text;version=1.0.0;q=0.8,text/plain;version=0.0.4;q=0.5";
  if (!wanted.histogram()) return text;
  return "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited," + text;
}

std::string series_of(std::vector<spec::Label> labels) {
  std::ranges::sort(labels, {}, &spec::Label::name);
  std::string series;
  for (const auto& label : labels) {
    series += label.name;
    series += '\1';
    series += label.value;
    series += '\2';
  }
  return series;
}

Result<void> keep(std::map<std::string, Tally>& into, std::vector<spec::Label> labels, Tally tally, const std::string& name) {
  if (!(std::isfinite(tally.value) && tally.value >= 0)) return fail(Blame::system, "'", name, "' is ", tally.value);
  if (!into.emplace(series_of(std::move(labels)), tally).second) return fail(Blame::system, "a series of '", name, "' is there twice");
  return {};
}

bool same_bound(double a, double b) { return std::isfinite(a) && std::fabs(a - b) <= 1e-9 * std::max(std::fabs(a), std::fabs(b)); }

Unexpected<Error> no_bound(const Wanted& wanted, const std::vector<double>& bounds) {
  constexpr double longest = 1e9;  // seconds
  constexpr std::size_t most = 50;
  std::set<double> usable;  // no NaN among them: a set cannot hold it
  std::ranges::copy_if(bounds, std::inserter(usable, usable.end()), [&](double bound) { return bound > 0 && bound <= longest; });
  std::string all;
  std::size_t listed = 0;
  for (const double bound : usable)
    if (++listed <= most) all += (all.empty() ? "" : ", ") + to_text(Duration(std::llround(bound * 1e9)));
  if (listed > most) all += ", …";
  return fail(Blame::input, "histogram '", wanted.total.name, "' has no bucket that ends at ",
              to_text(Duration(std::llround(wanted.bound * 1e9))), ": set 'latency' to one of ", all.empty() ? "those it has" : all);
}

Result<Page> read_text(const std::string& body, bool open_metrics, const Wanted& wanted);

Result<Page> read_page(const std::string& body, const std::string& content_type, const Wanted& wanted) {
  if (content_type.starts_with("application/vnd.google.protobuf")) {
    if (content_type.find("encoding=delimited") == std::string::npos)
      return fail(Blame::system, "protobuf in another encoding than delimited (", content_type.substr(0, 100), ")");
    return read_protobuf(body, wanted);
  }
  if (content_type.starts_with("application/openmetrics-text")) return read_text(body, true, wanted);
  if (content_type.starts_with("text/plain") || content_type.empty()) return read_text(body, false, wanted);
  return fail(Blame::system, "not a metrics page but ", content_type.substr(0, 100));
}

}  // namespace arashi::sli
