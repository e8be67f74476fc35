// Every object of the spec and its keys, declared once: the parser checks against these tables, the JSON Schema is made from them.
#pragma once

#include <span>
#include <string_view>
#include <vector>

namespace arashi::spec {

enum class Type {
  text,      // a text; numbers are taken as they are written
  name,      // a DNS label
  duration,  // 20ms
  percent,   // 1%
  rate,      // 200/s
  integer,   // 3, at least 1
  url,       // http://… or https://…
  choice,    // one of `choices`
  texts,     // a list of texts
  choices,   // a list of, or one of, `choices`
  pairs,     // text → text
  object,    // `object`
  named,     // name → `object`
  list,      // list of `object`
  special,   // read by a function of its own; schema.cpp has its schema
};

struct Object;

struct Key {  // NOLINT(clang-analyzer-optin.performance.Padding): in the order in which a row is read
  std::string_view name;
  Type type;
  std::string_view summary, example;
  bool required = false;
  std::string_view fallback = {};  // as one writes it, for the schema; the value itself is spec.hpp's initialiser
  const Object* object = nullptr;
  std::span<const std::string_view> choices = {};
  bool zero = false;                  // durations: 0 is allowed
  std::string_view unsupported = {};  // a key that is known but not built yet: why, and what to do
};

struct Object {
  std::string_view name, summary;
  std::span<const Key> keys;
};

extern const Object root_object, metadata_object, spec_object, target_object, count_object, slo_object, measure_object, slice_object,
    guard_object, hold_object, check_object, expect_object, steady_object, step_object, recovery_object, limits_object, window_object,
    calendar_object;
// A load: load_objects.cpp.
extern const Object load_object, stage_object, ramp_object, record_object, request_object, data_object, tls_object;
// What measures an SLO: source_objects.cpp.
extern const Object secret_object, prometheus_object, metrics_object, datadog_object, mackerel_object, cloudwatch_metric_object,
    cloudwatch_object, newrelic_object, command_object, access_log_object;

// All of them, the root first: for the schema and for the test that every key is documented.
std::vector<const Object*> all_objects();

std::string_view name_of(Type type);

}  // namespace arashi::spec
