// PromQL: queries of other tools' SLOs, our own source's expressions, and selectors of series. The first byte chooses.
#include "experiments/import/import.hpp"
#include "experiments/sli/prometheus/promql.hpp"
#include "experiments/spec/sources/series.hpp"
#include "tests/fuzz/require.hpp"

#include <array>

namespace {

using namespace arashi;
using fuzz::require;

// What becomes of rates can be read by our source, and is counters, which stay as they are.
void rates(std::string_view promql, bool counters) {
  const auto made = import::counters_of(promql, counters);
  if (!made) return require(!made.error().message.empty());
  require(sli::analyse(*made).has_value());
  const auto again = import::counters_of(*made, true);
  require(again.has_value() && *again == *made);
}

void expression(std::string_view promql) {
  const auto made = sli::analyse(promql);
  if (!made) return require(!made.error().message.empty());
  require(!made->selectors.empty());
  for (const auto& selector : made->selectors) require(promql.find(selector) != std::string_view::npos);
  if (made->selector) require(made->text == made->selectors.front());
}

// The selector is the input up to its first line end, the rest a label's value.
void series(std::string_view input) {
  const auto text = fuzz::take_line(input);
  const auto made = spec::parse_series(text);
  if (!made) return require(!made.error().message.empty());
  require(!made->name.empty());
  const std::array labels{spec::Label{"code", std::string(input)}, spec::Label{"path", "/buy"}};
  (void)made->matches(labels);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const auto input = fuzz::text_of(data + 1, size - 1);
  switch (data[0] % 4U) {
    case 0:
      rates(input, false);
      break;
    case 1:
      rates(input, true);
      break;
    case 2:
      expression(input);
      break;
    default:
      series(input);
      break;
  }
  return 0;
}
