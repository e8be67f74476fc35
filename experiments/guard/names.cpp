// The words by which the guard's notions go in files and on the terminal.
#include "experiments/guard/guard.hpp"

namespace arashi::guard {

bool has_counts(Freshness freshness) {
  return freshness == Freshness::fresh || freshness == Freshness::partial || freshness == Freshness::late_born;
}

std::string_view name_of(Freshness freshness) {
  switch (freshness) {
    case Freshness::fresh:
      return "fresh";
    case Freshness::stale:
      return "stale";
    case Freshness::empty:
      return "empty";
    case Freshness::error:
      return "error";
    case Freshness::partial:
      return "partial";
    case Freshness::late_born:
      return "late-born";
    case Freshness::not_a_number:
      return "not-a-number";
    case Freshness::silent:
      return "silent";
  }
  return "error";
}

std::string_view name_of(OnNoData policy) {
  switch (policy) {
    case OnNoData::charge:
      return "charge";
    case OnNoData::abort:
      return "abort";
    case OnNoData::hold:
      return "hold";
  }
  return "charge";
}

std::string_view name_of(Method method) {
  switch (method) {
    case Method::occurrences:
      return "occurrences";
    case Method::timeslices:
      return "timeslices";
    case Method::ratio_timeslices:
      return "ratioTimeslices";
  }
  return "occurrences";
}

std::string_view name_of(EmptySlice empty) {
  switch (empty) {
    case EmptySlice::good:
      return "good";
    case EmptySlice::bad:
      return "bad";
    case EmptySlice::skip:
      return "skip";
  }
  return "good";
}

std::string_view name_of(CountLost count) {
  switch (count) {
    case CountLost::no:
      return "no";
    case CountLost::before:
      return "before";
    case CountLost::control:
      return "control";
  }
  return "no";
}

std::string_view name_of(Layer layer) {
  switch (layer) {
    case Layer::cap:
      return "cap";
    case Layer::e_process:
      return "e-process";
    case Layer::burn_rate:
      return "burn-rate";
    case Layer::no_data:
      return "no-data";
  }
  return "cap";
}

std::string_view name_of(Cause cause) {
  switch (cause) {
    case Cause::unknown:
      return "unknown";
    case Cause::fault:
      return "fault";
    case Cause::incident:
      return "incident";
    case Cause::both:
      return "both";
  }
  return "unknown";
}

}  // namespace arashi::guard
