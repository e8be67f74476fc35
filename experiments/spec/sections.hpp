// The parts of the document that have a form of their own. Each reads one value and complains at its place.
#pragma once

#include "experiments/spec/reader.hpp"

namespace arashi::spec {

Selector read_selector(const Fields& target);
Pick read_pick(const Fields& target);
// Files that it names are read with `read`.
Load read_load(const std::string& name, const Fields& fields, const ReadText& read);
// Over how long it is held to: window or calendar.
void read_window(const Fields& slo, Slo& out);
// In what its budget is counted: method, slice and countLost.
void read_budgeting(const Fields& slo, Slo& out);
void read_no_data(const Fields& guard, Guard& out);
// What measures an SLO: exactly one of load and the sources; and whether its latency can be told by that. `fields`: the SLO's, or one of
// its `sources`.
Measure read_measure(const Fields& fields);
void read_expect(const Fields& check, Check& out);
Hours read_hours(const Fields& window);
// The canonical `with` of a step, checked against the fault's declarations.
std::shared_ptr<const Json> read_params(const Fields& step, const protocol::FaultText& fault);

}  // namespace arashi::spec
