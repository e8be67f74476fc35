// An experiment as written by a person, checked and in typed units. Pure data: parse.hpp makes it, plan/ and run/ read it.
#pragma once

#include "experiments/spec/calendar.hpp"
#include "experiments/spec/load/load.hpp"
#include "experiments/spec/sources/sources.hpp"
#include "injector/core/json_fwd.hpp"
#include "injector/core/units.hpp"
#include "injector/core/victim.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace arashi::spec {

struct Pick {
  enum class Mode { all, one, count, percent };
  Mode mode = Mode::all;
  int count = 1;                      // Mode::count
  Percent percent{1};                 // Mode::percent; rounded up, at least one
  std::optional<std::uint64_t> seed;  // absent: drawn by the runner and written into the report
};

struct Target {
  std::string name;
  Selector selector;
  Pick pick;
  Where where;
};

// What an SLO's budget is counted in, in OpenSLO's words.
enum class Method { occurrences, timeslices, ratio_timeslices };
enum class EmptySlice { good, bad, skip };
enum class CountLost { no, before, control };  // missing events are bad: against the rate before, or against the control group

// One stream of events by which an SLO is measured.
struct Measure {
  std::string load;           // name of a load, or empty
  Source source;              // what measures it, when no load does
  Rate rate;                  // mean of the window, for the budget; 0: from the source's past, or measured before the start
  Duration latency{};         // load, histogram, access log: a request that takes longer is bad; 0: only errors are bad
  bool authoritative = true;  // the budget, the steady state and the recovery go by it; else it is evidence only
  std::string path;           // where it stands: "spec.slos.pay", or "spec.slos.pay.sources[1]"
};

// "load checkout", "prometheus"
std::string name_of(const Measure& measure);

struct Slo {
  std::string name;
  double objective = 0;                           // 0.999
  Duration window = std::chrono::hours(24 * 30);  // with a calendar: the usual length, once settled that of the window it is about
  std::optional<Calendar> calendar;               // the window follows it, and does not roll
  std::optional<Period> period;                   // once settled: the window of the calendar that the experiment begins in
  std::vector<Measure> measures;                  // side by side; never added up. At least one
  Method method = Method::occurrences;
  Duration slice = std::chrono::minutes(1);  // of the methods with time slices
  double slice_target = 0;                   // timeslices: the share of good events that makes a slice good
  EmptySlice empty = EmptySlice::good;
  CountLost count_lost = CountLost::no;
  Where where;
};

enum class OnNoData { charge, abort, hold };

struct Guard {
  Percent budget{0.02};  // of each SLO's whole budget, spent by this experiment
  Percent reserve{0};    // of each SLO's whole budget: what must be left
  Duration grace{};      // a total outage of this length is expected now and then, and does not abort
  OnNoData on_no_data = OnNoData::charge;
  Duration hold{};  // OnNoData::hold: how long at most
  Where where;
};

struct Check {
  std::string name;
  std::vector<std::string> command;  // argv; or
  std::string url;                   // http GET
  int expect = 0;                    // exit code, or HTTP status (200)
  bool before = false, after = false;
  Duration during{};  // every so often while it runs; 0: not
  Duration timeout = std::chrono::seconds(10);
  Where where;
};

struct Step {
  Duration at{}, length{};              // `at` and `for`, from the first injection
  std::string fault, on;                // fault name, target name
  std::shared_ptr<const Json> params;   // canonical `with`
  std::string path;                     // "spec.timeline[1]", as written: the timeline itself is sorted by time
  std::vector<std::string> peer_lists;  // parameters that hold peers (core/peer.hpp), of which some may be other targets
  Where where, params_where;
};

struct Hours {            // limits.window: when it may run at all
  std::vector<int> days;  // 1 = Monday … 7
  Duration from{}, to{};  // since local midnight
  std::string timezone;   // IANA name
};

struct Limits {
  int targets = 0;                            // most victims in all; 0: no limit
  Percent share{1};                           // most of any target group
  Duration duration = std::chrono::hours(1);  // of the timeline
  std::optional<Hours> window;
};

struct Experiment {
  std::string name, hypothesis;
  std::map<std::string, std::string> labels;
  std::vector<Target> targets;
  std::vector<Slo> slos;
  std::vector<Load> loads;
  Guard guard;
  std::vector<Check> checks;
  Duration steady_for = std::chrono::seconds(10);
  std::vector<Step> timeline;  // in order of `at`
  Duration recovery_within = std::chrono::seconds(30);
  Limits limits;
  std::string directory;  // where the spec file stands; commands run there
  std::string text;       // the document itself, for the run folder
};

// When the last step ends.
Duration timeline_length(const Experiment& experiment);
// From the start of the loads to the end of the recovery, when all takes as long as it may.
Duration run_length(const Experiment& experiment);
// Sets the windows of SLOs that follow the calendar to those at `now` (seconds since 1970). What an experiment spends is spent of the
// window it begins in, also where it goes on into the next one; then the shorter of both is reckoned with. Before a calendar's start →
// Blame::refused.
Result<void> settle_windows(Experiment& experiment, std::int64_t now);
// An experiment that begins at `now` may still be under way when the window ends.
bool may_outlast(const Experiment& experiment, const Period& period, std::int64_t now);
// The targets that a step names as peers, each once.
std::vector<std::string> peer_targets(const Step& step);
// Of an SLO's measures; two of a kind are told apart by a number.
std::vector<std::string> names_of_measures(const Slo& slo);
const Load* load_of(const Experiment& experiment, const Measure& measure);
const Target* find_target(const Experiment& experiment, const std::string& name);

}  // namespace arashi::spec
