// A fault out of functions over its own struct: the one place where a fault's record meets JSON, and where an exception of a library ends.
//
//   struct Change {
//     std::string id;
//     Identity process;
//     static constexpr auto keys = std::tuple(key("id", &Change::id), key("process", &Change::process));
//     Result<void> check() const;       // optional: what is wrong though all keys are there
//   };
//   Result<Prepared<Change>> prepare(const Host&, const Request&);
//   Result<Evidence>         apply  (const Host&, const Change&);
//   Result<void>             revert (const Host&, const Change&);
//   Result<Evidence>         observe(const Host&, const Change&);
//   const Fault my_fault = make_fault<prepare, apply, revert, observe>({.name = "my.fault", …});
#pragma once

#include "injector/core/record.hpp"
#include "injector/fault.hpp"

#include <exception>
#include <utility>

namespace arashi {

namespace fault {

template <class Prepare>
struct ChangeOf;
template <class Change>
struct ChangeOf<Result<Prepared<Change>> (*)(const Host&, const Request&)> {
  using type = Change;
};

template <class Act>
auto without_exceptions(const Act& act) -> decltype(act()) {
  try {
    return act();
  } catch (const std::exception& error) {
    return fail(Blame::system, "unexpected: ", error.what());
  } catch (...) {
    return fail(Blame::system, "unexpected: an exception that says nothing");
  }
}

template <class Change>
Result<Change> read_change(const Json& json) {
  auto change = TRY(read_record<Change>(json, "change"));
  if constexpr (requires { change.check(); }) TRY(change.check());
  return change;
}

template <class Change>
Result<PreparedRecord> to_record(Result<Prepared<Change>> prepared) {
  if (!prepared) return pass(prepared.error());
  return PreparedRecord{.change = print_record(prepared->change),
                        .claims = std::move(prepared->claims),
                        .mechanism = std::move(prepared->mechanism),
                        .because = std::move(prepared->because),
                        .undo = std::move(prepared->undo),
                        .outlives_reboot = prepared->outlives_reboot};
}

}  // namespace fault

template <auto prepare, auto apply, auto revert, auto observe>
constexpr Fault make_fault(Fault declared) {
  using Change = typename fault::ChangeOf<decltype(prepare)>::type;
  declared.prepare = [](const Host& host, const Request& request) {
    return fault::without_exceptions([&] { return fault::to_record(prepare(host, request)); });
  };
  declared.readable = [](const Json& json) {
    return fault::without_exceptions([&]() -> Result<void> {
      TRY(fault::read_change<Change>(json));
      return {};
    });
  };
  declared.apply = [](const Host& host, const Json& json) {
    return fault::without_exceptions([&]() -> Result<Evidence> { return apply(host, TRY(fault::read_change<Change>(json))); });
  };
  declared.revert = [](const Host& host, const Json& json) {
    return fault::without_exceptions([&]() -> Result<void> { return revert(host, TRY(fault::read_change<Change>(json))); });
  };
  declared.observe = [](const Host& host, const Json& json) {
    return fault::without_exceptions([&]() -> Result<Evidence> { return observe(host, TRY(fault::read_change<Change>(json))); });
  };
  return declared;
}

}  // namespace arashi
