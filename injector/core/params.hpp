// A parameter is declared once, here; CLI help, JSON Schema, API validation and the docs read the same table.
#pragma once

#include "injector/core/json.hpp"
#include "injector/core/units.hpp"

#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace arashi {

// How a value is written in a spec → what it is in canonical JSON.
enum class ParamType {
  duration,   // "20ms"            → integer nanoseconds
  percent,    // "1%"              → number, 0 to 1
  bytes,      // "64K"             → integer
  rate,       // "200/s"           → number per second
  integer,    // 5                 → integer
  text,       // "eth0"            → string
  boolean,    // true              → boolean
  choice,     // one of `choices`  → string
  list,       // ["a", "b"] or one string → array of strings
  bandwidth,  // "10mbit"          → integer bits per second
  percents,   // ["1%", "25%"] or one → array of numbers, 0 to 1
  numbers,    // [-3, 0, 4], or a text of them with spaces between → array of integers
  peers,      // [10.0.0.7, ledger.pay, {target: wallet}], or one of them → array of strings (peer.hpp)
  ports,      // [6379, 8000-8100], or one of them → array of strings (ports.hpp)
};

struct Param {
  std::string_view name;  // camelCase, as in the spec
  ParamType type;
  std::string_view summary;        // one line, for people
  std::string_view example;        // as one writes it in a spec
  std::string_view fallback = {};  // as one writes it; empty: absent unless given
  bool required = false;
  double least = -std::numeric_limits<double>::infinity();  // in canonical units
  double most = std::numeric_limits<double>::infinity();
  std::span<const std::string_view> choices = {};
};

// One thing that is wrong with a parameter; `name` may be a key that is not known.
struct ParamProblem {
  std::string name;
  std::string message;
};

struct ParamCheck {
  Json canonical;                      // object: given and defaulted parameters in canonical units
  std::vector<ParamProblem> problems;  // all of them, not only the first; canonical is meaningless unless empty
};

// Checks what a spec gives (an object, or null for none) against the declarations.
ParamCheck check_params(std::span<const Param> declared, const Json& given);

// Checks parameters that came over a wire and claim to be canonical already: no unknown key, right types, within bounds.
std::vector<ParamProblem> check_canonical(std::span<const Param> declared, const Json& canonical);

// Typed reading of canonical parameters; absent → nullopt.
std::optional<Duration> duration_param(const Json& canonical, std::string_view name);
std::optional<double> number_param(const Json& canonical, std::string_view name);
std::optional<std::string> text_param(const Json& canonical, std::string_view name);
std::vector<std::string> list_param(const Json& canonical, std::string_view name);
std::vector<double> numbers_param(const Json& canonical, std::string_view name);  // also of percents
bool flag_param(const Json& canonical, std::string_view name);

// A declaration that travels: what /v1/about and `arashi-agent faults --json` tell, with text owned.
struct ParamText {
  std::string name, type, summary, example, fallback;
  bool required = false;
  std::optional<double> least, most;
  std::vector<std::string> choices;
};

std::string_view name_of(ParamType type);
ParamText describe(const Param& param);

// The same check for a declaration that came from an agent; the runner validates specs with it.
ParamCheck check_params(std::span<const ParamText> declared, const Json& given);

// JSON Schema (2020-12) of the object that holds these parameters.
Json params_schema(std::span<const ParamText> declared);

}  // namespace arashi
