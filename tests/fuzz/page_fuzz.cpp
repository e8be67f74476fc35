// A replica's /metrics page in its formats: it is read or refused with a short reason, and what is read are counts.
#include "experiments/sli/metrics/page.hpp"
#include "experiments/sli/metrics/replica.hpp"
#include "tests/fuzz/require.hpp"

#include <array>
#include <chrono>
#include <cmath>

namespace {

using namespace arashi;
using namespace std::chrono_literals;
using fuzz::require;

constexpr std::array content_types{"text/plain; version=0.0.4", "application/openmetrics-text; version=1.0.0",
                                   "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"};

void require_counts(const std::map<std::string, sli::Tally>& tallies) {
  for (const auto& [series, tally] : tallies) require(std::isfinite(tally.value) && tally.value >= 0 && std::isfinite(tally.created));
}

void read(const std::string& body, const char* content_type, const sli::Wanted& wanted) {
  const auto page = sli::read_page(body, content_type, wanted);
  if (!page) return require(!page.error().message.empty() && page.error().message.size() < 100'000);
  require_counts(page->part);
  require_counts(page->total);
  sli::Replica replica(wanted.part_is_good);
  require(replica.take(*page).late_born);
  const auto growth = replica.take(*page);  // the same once more: nothing came in between
  require(!growth.late_born && growth.total == 0 && growth.bad == 0 && growth.comparable);
}

}  // namespace

// The first byte chooses the format and what is looked for.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::array wanted{sli::wanted({.bad = R"(h_total{code=~"5..",path!="/live"})", .total = "h_total"}, 0s).value(),
                                 sli::wanted({.good = R"(h_total{code!~"5.."})", .total = "h_count"}, 0s).value(),
                                 sli::wanted({.histogram = "h"}, 300ms).value()};
  if (size == 0) return 0;
  const std::string body(fuzz::text_of(data + 1, size - 1));
  const auto* content_type = content_types.at(data[0] % 3U);
  read(body, content_type, wanted.at(data[0] / 3U % 3U));
  if (data[0] % 3U != 2) require(sli::names_on(body).size() <= size);
  return 0;
}
