// One replica's /metrics page → the counters that an SLO is made of. Text 0.0.4, OpenMetrics 1.0 and protobuf with native histograms; of
// other families nothing is kept. Pure.
#pragma once

#include "experiments/spec/sources/series.hpp"
#include "experiments/spec/sources/sources.hpp"
#include "injector/core/units.hpp"

#include <map>
#include <optional>

namespace arashi::sli {

// What to look for on a page.
struct Wanted {
  spec::SeriesSelector total;                // histogram: its name and labels
  std::optional<spec::SeriesSelector> part;  // the good or the bad ones; absent: `total` is a histogram, the good are within `bound`
  bool part_is_good = false;
  double bound = 0;  // seconds
  [[nodiscard]] bool histogram() const { return !part; }
};

struct Tally {
  double value = 0;
  double created = 0;  // seconds since 1970; 0: not said
  // Native histograms: their resolution, which may be lowered at any time; then what it was before cannot be compared.
  int resolution = 0;
};

// By series: its labels in order.
struct Page {
  std::map<std::string, Tally> part, total;
};

Result<Wanted> wanted(const spec::MetricsSource& source, Duration latency);

// The Accept header: what is best read first. Protobuf only where it brings something, native histograms.
std::string accepted(const Wanted& wanted);

// Refuses a page that is cut off or not one of the three formats, a series that is there twice, and a histogram without the bound (with
// those it has). A page on which no series fits is an empty one.
Result<Page> read_page(const std::string& body, const std::string& content_type, const Wanted& wanted);

// Names of all metrics of a page, for "did you mean". Text formats only.
std::vector<std::string> names_on(const std::string& body);

// ---- between the formats

// How a histogram becomes two tallies; `bounds` and `within` are for classic buckets.
std::string series_of(std::vector<spec::Label> labels);
Result<void> keep(std::map<std::string, Tally>& into, std::vector<spec::Label> labels, Tally tally, const std::string& name);
bool same_bound(double a, double b);
Unexpected<Error> no_bound(const Wanted& wanted, const std::vector<double>& bounds);
Result<Page> read_protobuf(const std::string& body, const Wanted& wanted);

}  // namespace arashi::sli
