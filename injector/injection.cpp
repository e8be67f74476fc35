#include "injector/injection.hpp"

#include "injector/core/record.hpp"

namespace arashi {

Json record_of(const Injection& injection) { return injection.unread ? *injection.unread : print_record(injection); }

namespace {

template <class Value>
void take(const Json& json, const char* name, Value& into) {
  const auto found = json.find(name);
  if (found == json.end()) return;
  if (auto read = read_record<Value>(*found)) into = std::move(read).value();
}

}  // namespace

Result<void> check_record(const Json& json) {
  const auto read = read_record<Injection>(json);
  return read ? Result<void>() : Result<void>(pass(read.error()));
}

Injection injection_of(const Json& json) {
  auto whole = read_record<Injection>(json);
  if (whole) return std::move(whole).value();
  Injection some{.step = Step::stuck, .problem = whole.error().message, .unread = json};
  if (!json.is_object()) return some;
  take(json, "id", some.id);
  take(json, "experiment", some.experiment);
  take(json, "fault", some.fault);
  take(json, "victim", some.victim);
  if (const auto victim = json.find("victim"); some.victim.label.empty() && victim != json.end() && victim->is_object())
    take(*victim, "label", some.victim.label);
  take(json, "claims", some.claims);
  take(json, "boot", some.boot);
  take(json, "made", some.made);
  take(json, "outlivesReboot", some.outlives_reboot);
  take(json, "release", some.release);
  auto step = Step::stuck;
  take(json, "step", step);
  if (is_over(step)) some.step = step;
  return some;
}

}  // namespace arashi
