#include "experiments/spec/parse.hpp"
#include "tests/unit/spec/catalogue.hpp"

#include <doctest/doctest.h>

#include <algorithm>

using namespace arashi;
using namespace std::chrono_literals;

namespace {

// An experiment around an SLO's own keys and the guard's.
spec::Parsed parsed(const std::string& slo, const std::string& guard = "budget: 10%") {
  return spec::parse(
      "apiVersion: arashi.dev/v1\nkind: Experiment\nmetadata: {name: x}\nspec:\n  load: {l: {url: \"http://10.0.0.1/\", rate: 100/s}}\n"
      "  slos:\n    pay: {objective: 99.9%, load: l" +
          (slo.empty() ? "" : ", " + slo) + "}\n  guard: {" + guard + "}\n  timeline: []\n",
      test::catalogue());
}

void refuses(const std::string& slo, const std::string& word, const std::string& guard = "budget: 10%") {
  const auto read = parsed(slo, guard);
  CAPTURE(slo);
  CAPTURE(guard);
  const bool said = std::any_of(read.problems.begin(), read.problems.end(), [&](const auto& problem) {
    return problem.message.find(word) != std::string::npos && problem.where.line >= 6;
  });
  if (!said)
    for (const auto& problem : read.problems) MESSAGE(spec::to_text("f", problem));
  CHECK(said);
}

}  // namespace

TEST_CASE("an SLO's budget may be counted in events, in bad time slices, or in shares of slices") {
  const auto plain = parsed("");
  for (const auto& problem : plain.problems) FAIL_CHECK(spec::to_text("f", problem));
  CHECK(plain.experiment.slos.at(0).method == spec::Method::occurrences);
  CHECK(plain.experiment.slos.at(0).count_lost == spec::CountLost::no);

  const auto slices =
      parsed("method: timeslices, slice: {target: 95%, window: 30s, empty: skip}, countLost: true", "budget: 10%, reserve: 20%, grace: 3s");
  for (const auto& problem : slices.problems) FAIL_CHECK(spec::to_text("f", problem));
  const auto& slo = slices.experiment.slos.at(0);
  CHECK(slo.method == spec::Method::timeslices);
  CHECK(slo.slice == 30s);
  CHECK(slo.slice_target == doctest::Approx(0.95));
  CHECK(slo.empty == spec::EmptySlice::skip);
  CHECK(slo.count_lost == spec::CountLost::before);
  CHECK(slices.experiment.guard.reserve.fraction == doctest::Approx(0.2));
  CHECK(slices.experiment.guard.grace == 3s);

  const auto ratio = parsed("method: ratioTimeslices");
  for (const auto& problem : ratio.problems) FAIL_CHECK(spec::to_text("f", problem));
  CHECK(ratio.experiment.slos.at(0).method == spec::Method::ratio_timeslices);
  CHECK(ratio.experiment.slos.at(0).slice == 60s);
}

TEST_CASE("what cannot be counted so is refused at its place, with what to do") {
  refuses("method: timeslice", "did you mean");
  refuses("method: timeslices", "has no slice");
  refuses("method: timeslices, slice: {target: 95%}", "leaves no room for a single bad time slice", "budget: 2%");
  refuses("method: timeslices, slice: {target: 95%, window: 60d}", "longer than the SLO's window");
  refuses("method: timeslices, slice: {target: 95%, empty: maybe}", "good");
  refuses("method: ratioTimeslices, slice: {target: 95%}", "is for method: timeslices");
  refuses("slice: {window: 1m}", "is for method: timeslices or ratioTimeslices");
  refuses("countLost: maybe", "write true, false or control");
  refuses("countLost: control", "knows no control group");
  refuses("", "a duration needs a unit", "budget: 2%, grace: 5");
  refuses("", "over 100%", "budget: 2%, reserve: 120%");
}
