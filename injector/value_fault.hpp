// Faults that are a value written into files of the kernel's and put back: such a fault is its declaration, which says which value goes
// where, and what its evidence shows besides. Its record holds `values`.
#pragma once

#include "injector/host/written_value.hpp"
#include "injector/make_fault.hpp"

#include <string>

namespace arashi {

namespace value {

inline std::string files_of(const std::vector<WrittenValue>& values) {
  std::string text;
  for (const auto& each : values) text += (text.empty() ? "" : ", ") + each.file.string() + " is '" + each.ours + "'";
  return text;
}

template <class Change, auto look>
Result<Evidence> observe(const Host& host, const Change& change) {
  const bool in_place = TRY(are_written(change.values));
  auto evidence = TRY(look(host, change));
  evidence.in_place = in_place;
  evidence.bit = evidence.bit && in_place;
  if (!in_place) evidence.detail = "changed by someone else";
  if (evidence.detail.empty()) evidence.detail = files_of(change.values);
  return evidence;
}

template <class Change, auto look>
Result<Evidence> apply(const Host& host, const Change& change) {
  TRY(write_values(change.values));
  return observe<Change, look>(host, change);
}

template <class Change>
Result<void> revert(const Host& /*host*/, const Change& change) {
  return restore_values(change.values);
}

}  // namespace value

// look: Result<Evidence>(const Host&, const Change&), what the values do to the victim; whether they are in place is added here.
template <auto prepare, auto look>
constexpr Fault make_value_fault(Fault declared) {
  using Change = typename fault::ChangeOf<decltype(prepare)>::type;
  return make_fault<prepare, value::apply<Change, look>, value::revert<Change>, value::observe<Change, look>>(declared);
}

}  // namespace arashi
