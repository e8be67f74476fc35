// Protobuf, delimited: the length of each MetricFamily stands before it. The only format that carries native histograms today.
#include "experiments/sli/metrics/page.hpp"

#include <google/protobuf/io/coded_stream.h>
#include <metrics.pb.h>

#include <cmath>

namespace arashi::sli {
namespace {

using google::protobuf::io::CodedInputStream;

constexpr int custom_bounds = -53;  // a schema whose bounds are listed; such histograms are shown as classic ones
constexpr int finest = 8, coarsest = -4;
constexpr std::size_t buckets_most = 100'000;

double float_or(double number, bool has, std::uint64_t whole) { return has && number > 0 ? number : static_cast<double>(whole); }

double created_of(const auto& message) {
  return message.has_created_timestamp()
             ? static_cast<double>(message.created_timestamp().seconds()) + message.created_timestamp().nanos() * 1e-9
             : 0;
}

std::vector<spec::Label> labels_of(const page::Metric& metric) {
  std::vector<spec::Label> labels;
  for (const auto& pair : metric.label()) labels.push_back({pair.name(), pair.value()});
  return labels;
}

bool is_native(const page::Histogram& histogram) {
  return histogram.positive_span_size() > 0 || histogram.negative_span_size() > 0 || histogram.zero_count() > 0 ||
         histogram.zero_count_float() > 0 || histogram.zero_threshold() > 0;
}

// The share of a bucket (lower, upper] that lies within the bound, if its events are spread evenly over the logarithm, as
// histogram_fraction of Prometheus takes it.
double share_within(double lower, double upper, double bound) {
  if (bound >= upper) return 1;
  if (bound <= lower) return 0;
  return (std::log2(bound) - std::log2(lower)) / (std::log2(upper) - std::log2(lower));
}

// Events of all positive buckets that lie within the bound.
Result<double> positive_within(const page::Histogram& histogram, double bound) {
  const bool counts = histogram.positive_count_size() > 0;
  const int listed = counts ? histogram.positive_count_size() : histogram.positive_delta_size();
  double within = 0, here = 0;
  int next = 0;
  std::int64_t index = 0;
  const double width = std::exp2(-histogram.schema());  // of a bucket, in powers of two
  for (const auto& span : histogram.positive_span()) {
    index += span.offset();
    if (span.length() > buckets_most) return fail(Blame::system, "a native histogram with more than ", buckets_most, " buckets");
    for (std::uint32_t i = 0; i < span.length(); ++i, ++index, ++next) {
      if (next >= listed) return fail(Blame::system, "a native histogram whose spans and buckets do not fit together");
      here = counts ? histogram.positive_count(next) : here + static_cast<double>(histogram.positive_delta(next));
      const auto at = static_cast<double>(index);
      within += here * share_within(std::exp2((at - 1) * width), std::exp2(at * width), bound);
    }
  }
  return within;
}

Result<double> native_within(const page::Histogram& histogram, double bound) {
  double within = float_or(histogram.zero_count_float(), histogram.has_zero_count_float(), histogram.zero_count());
  if (bound < histogram.zero_threshold()) return fail(Blame::input, "the zero bucket of the histogram is wider than the SLO's 'latency'");
  double here = 0;
  for (const auto delta : histogram.negative_delta()) within += here += static_cast<double>(delta);
  for (const auto count : histogram.negative_count()) within += count;
  return within + TRY(positive_within(histogram, bound));
}

class Reading {
 public:
  explicit Reading(const Wanted& wanted) : wanted_(wanted) {}

  Result<void> family(const page::MetricFamily& family) {
    for (const auto& metric : family.metric()) {
      std::vector<spec::Label> labels = labels_of(metric);
      if (wanted_.histogram()) {
        if (family.name() == wanted_.total.name && wanted_.total.matches(labels)) TRY(histogram(metric.histogram(), std::move(labels)));
        continue;
      }
      TRY(counter(family.name(), metric, labels, wanted_.total, page_.total));
      TRY(counter(family.name(), metric, labels, *wanted_.part, page_.part));
    }
    return {};
  }
  Page finish() { return std::move(page_); }

 private:
  static Result<void> counter(const std::string& family, const page::Metric& metric, const std::vector<spec::Label>& labels,
                              const spec::SeriesSelector& selector, std::map<std::string, Tally>& into) {
    std::optional<Tally> tally;
    if (family == selector.name && metric.has_counter())
      tally = Tally{.value = metric.counter().value(), .created = created_of(metric.counter())};
    if (family == selector.name && metric.has_untyped()) tally = Tally{.value = metric.untyped().value()};
    if (family + "_count" == selector.name && metric.has_summary())
      tally = Tally{.value = static_cast<double>(metric.summary().sample_count()), .created = created_of(metric.summary())};
    if (family + "_count" == selector.name && metric.has_histogram())
      tally = Tally{.value = float_or(metric.histogram().sample_count_float(), metric.histogram().has_sample_count_float(),
                                      metric.histogram().sample_count()),
                    .created = created_of(metric.histogram())};
    if (!tally || !selector.matches(labels)) return {};
    return keep(into, labels, *tally, selector.name);
  }

  Result<void> histogram(const page::Histogram& histogram, std::vector<spec::Label> labels) {
    Tally within{.created = created_of(histogram)};
    Tally all = within;
    all.value = float_or(histogram.sample_count_float(), histogram.has_sample_count_float(), histogram.sample_count());
    const auto classic = classic_within(histogram);
    if (classic) {
      within.value = *classic;
    } else if (is_native(histogram) && histogram.schema() != custom_bounds) {
      if (histogram.schema() < coarsest || histogram.schema() > finest)
        return fail(Blame::system, "a native histogram of schema ", histogram.schema(), ", which is not known");
      within.value = TRY(native_within(histogram, wanted_.bound));
      within.resolution = 1 + finest - histogram.schema();
    } else {
      return no_bound(wanted_, bounds_of(histogram));
    }
    TRY(keep(page_.part, labels, within, wanted_.total.name));
    return keep(page_.total, std::move(labels), all, wanted_.total.name);
  }

  // Exact where the bound is a bucket's; a histogram may be shown in both forms.
  [[nodiscard]] std::optional<double> classic_within(const page::Histogram& histogram) const {
    for (const auto& bucket : histogram.bucket())
      if (same_bound(bucket.upper_bound(), wanted_.bound))
        return float_or(bucket.cumulative_count_float(), bucket.has_cumulative_count_float(), bucket.cumulative_count());
    return std::nullopt;
  }

  static std::vector<double> bounds_of(const page::Histogram& histogram) {
    std::vector<double> bounds;
    for (const auto& bucket : histogram.bucket()) bounds.push_back(bucket.upper_bound());
    return bounds;
  }

  const Wanted& wanted_;
  Page page_;
};

// Whether the message that begins here is a family that is wanted: its name is the first field, as every client writes it.
bool may_be_wanted(const std::string& body, std::size_t begin, std::size_t size, const Wanted& wanted) {
  const auto named = [&](const std::string& name) {
    const std::string_view message = std::string_view(body).substr(begin, size);
    constexpr char name_field = 10;  // field 1, length-delimited
    if (message.size() < 2 || message[0] != name_field || static_cast<unsigned char>(message[1]) >= 128) return true;  // look closer
    const std::string_view here = message.substr(2, static_cast<unsigned char>(message[1]));
    return name.starts_with(here);
  };
  return named(wanted.total.name) || (wanted.part && named(wanted.part->name));
}

}  // namespace

Result<Page> read_protobuf(const std::string& body, const Wanted& wanted) {
  Reading reading(wanted);
  const auto* data = reinterpret_cast<const std::uint8_t*>(body.data());
  CodedInputStream in(data, static_cast<int>(body.size()));
  while (in.CurrentPosition() < static_cast<int>(body.size())) {
    std::uint32_t size = 0;
    if (!in.ReadVarint32(&size) || size > body.size() - static_cast<std::size_t>(in.CurrentPosition()))
      return fail(Blame::system, "the page is cut off, or not protobuf");
    const auto begin = static_cast<std::size_t>(in.CurrentPosition());
    page::MetricFamily family;
    if (may_be_wanted(body, begin, size, wanted)) {
      if (!family.ParseFromArray(data + begin, static_cast<int>(size))) return fail(Blame::system, "a metric family is not protobuf");
      TRY(reading.family(family));
    }
    if (!in.Skip(static_cast<int>(size))) return fail(Blame::system, "the page is cut off, or not protobuf");
  }
  return reading.finish();
}

}  // namespace arashi::sli
