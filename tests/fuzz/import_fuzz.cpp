// SLO files of other tools: whatever the bytes are, reading ends, every problem has a place and a reason, and what is taken says the same
// in the form of our own spec.
#include "experiments/import/import.hpp"
#include "experiments/sli/prometheus/promql.hpp"
#include "tests/fuzz/require.hpp"

#include <cmath>

namespace {

using namespace arashi;
using fuzz::require;

std::string indented(std::string_view text) {
  std::string made;
  while (!text.empty()) made.append("  ").append(fuzz::take_line(text)).append("\n");
  return made;
}

void require_reasons(const std::vector<spec::Problem>& problems) {
  for (const auto& problem : problems) {
    require(problem.where.line >= 1 && problem.where.column >= 1);
    require(!problem.message.empty());
  }
}

void require_same(const import::ForeignSlo& foreign, const spec::Slo& own) {
  const auto& source = std::get<spec::PrometheusSource>(own.measures.at(0).source);
  require(source.bad == foreign.bad && source.total == foreign.total);
  require(sli::analyse(source.bad).has_value() && sli::analyse(source.total).has_value());
  require(own.window == foreign.window && own.method == foreign.method);
  require(own.method == spec::Method::occurrences || own.slice == foreign.slice);
  require(std::fabs(own.objective - foreign.objective) < 1e-12);
  require(std::fabs(own.slice_target - foreign.slice_target) < 1e-12);
}

// Each by itself: two of a file may have one name.
void there_and_back(const import::ForeignSlo& slo) {
  const std::string text =
      "apiVersion: arashi.dev/v1\nkind: Experiment\nmetadata: {name: a}\nspec:\n  timeline: []\n  guard: {budget: 50%}\n" +
      indented(import::to_spec({slo}, "http://p:9090"));
  const auto parsed = spec::parse(text, {});
  for (const auto& problem : parsed.problems) require(problem.path.ends_with(".objective"));  // too low for any burn to be too fast
  if (!parsed.problems.empty()) return;
  require(parsed.experiment.slos.size() == 1);
  require_same(slo, parsed.experiment.slos.front());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto text = fuzz::text_of(data, size);
  for (const auto strictness : {import::Strictness::strict, import::Strictness::lenient}) {
    const auto imported = import::import(text, strictness);
    require_reasons(imported.problems);
    require_reasons(imported.notes);
    require(!imported.format.empty() || imported.slos.empty());
    for (const auto& slo : imported.slos) there_and_back(slo);
  }
  const auto picked = import::pick(text, "f", "");
  require(picked.has_value() || !picked.error().message.empty());
  return 0;
}
