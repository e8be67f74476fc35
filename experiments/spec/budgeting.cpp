// In what an SLO's budget is counted.
#include "experiments/spec/sections.hpp"
#include "experiments/spec/zone.hpp"

namespace arashi::spec {
namespace {

void read_slice(const Fields& slice, Slo& out) {
  if (out.method == Method::occurrences)
    slice.complain("is for method: timeslices or ratioTimeslices; without one of them the budget is counted in events");
  if (out.method == Method::ratio_timeslices && slice.has("target"))
    slice.report.complain(slice.path("target"), "is for method: timeslices; ratioTimeslices counts every slice by its share of bad events");
  Percent target{0};
  slice.percent("target", target);
  out.slice_target = target.fraction;
  slice.duration("window", out.slice);
  if (out.slice > out.window) slice.report.complain(slice.path("window"), "is longer than the SLO's window (" + to_text(out.window) + ")");
  std::string empty = "good";
  slice.text("empty", empty);
  if (empty == "bad") out.empty = EmptySlice::bad;
  if (empty == "skip") out.empty = EmptySlice::skip;
}

void complain(const Fields& fields, std::string_view key, const Error& error) { fields.report.complain(fields.path(key), error.message); }

Calendar read_calendar(const Fields& fields) {
  Calendar calendar;
  std::string length, start;
  fields.text("duration", length);
  fields.text("start", start);
  fields.text("timezone", calendar.timezone);
  if (const auto read = read_length(length, calendar); !length.empty() && !read) complain(fields, "duration", read.error());
  if (const auto read = parse_wall_clock(start); read)
    calendar.start = *read;
  else if (!start.empty())
    complain(fields, "start", read.error());
  if (const auto known = local_time(calendar.timezone, 0); !calendar.timezone.empty() && !known)
    complain(fields, "timezone", known.error());
  return calendar;
}

}  // namespace

void read_window(const Fields& slo, Slo& out) {
  slo.duration("window", out.window);
  slo.object("calendar", [&](const Fields& fields) { out.calendar = read_calendar(fields); });
  if (!out.calendar) return;
  out.window = usual_length(*out.calendar);
  if (slo.has("window")) slo.report.complain(slo.path("calendar"), "and 'window' exclude each other: keep one of them");
}

void read_budgeting(const Fields& slo, Slo& out) {
  std::string method = "occurrences";
  slo.text("method", method);
  if (method == "timeslices") out.method = Method::timeslices;
  if (method == "ratioTimeslices") out.method = Method::ratio_timeslices;
  slo.object("slice", [&](const Fields& slice) { read_slice(slice, out); });
  if (out.method == Method::timeslices && !(out.slice_target > 0))
    slo.complain("counts bad time slices and has no slice: add slice: {target: 95%, window: 1m}");
  const Tree* lost = slo.find("countLost");
  if (lost == nullptr || lost->text == "false") return;
  if (lost->text == "true")
    out.count_lost = CountLost::before;
  else if (lost->text == "control")
    out.count_lost = CountLost::control;
  else
    slo.report.complain(slo.path("countLost"), "is '" + lost->text.substr(0, 60) + "': write true, false or control");
}

}  // namespace arashi::spec
