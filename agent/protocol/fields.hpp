// Reading fields strictly: nlohmann turns true into 1 and 1.5 into 1, and its messages do not say which field was wrong.
// Private to this folder. What is wrong travels as `Malformed` to parse(), which makes it an Error.
#pragma once

#include "agent/protocol/protocol.hpp"
#include "injector/core/json.hpp"

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

namespace arashi::protocol {

struct Malformed {
  std::string path;    // "injections[2].victim"
  std::string reason;  // "must be a string"
};

inline void read(const Json& json, std::string& out) {
  if (!json.is_string()) throw Malformed{"", "must be a string"};
  out = json.get_ref<const std::string&>();
}

inline void read(const Json& json, bool& out) {
  if (!json.is_boolean()) throw Malformed{"", "must be true or false"};
  out = json.get<bool>();
}

inline std::int64_t whole_number(const Json& json) {
  if (!json.is_number_integer()) throw Malformed{"", "must be an integer"};
  if (json.is_number_unsigned() && json.get<std::uint64_t>() > std::uint64_t{std::numeric_limits<std::int64_t>::max()})
    throw Malformed{"", "is out of range"};
  return json.get<std::int64_t>();
}

inline void read(const Json& json, int& out) {
  const auto number = whole_number(json);
  if (number < std::numeric_limits<int>::min() || number > std::numeric_limits<int>::max()) throw Malformed{"", "is out of range"};
  out = static_cast<int>(number);
}

inline void read(const Json& json, std::size_t& out) {
  if (!json.is_number_unsigned()) throw Malformed{"", "must be an integer that is not negative"};
  out = json.get<std::size_t>();
}

inline void read(const Json& json, Duration& out) {
  try {
    out = Duration(whole_number(json));
  } catch (const Malformed& wrong) {
    throw Malformed{"", wrong.reason + " (nanoseconds)"};
  }
}

inline void read(const Json& json, Step& out) {
  std::string name;
  read(json, name);
  const auto step = step_from(name);
  if (!step) throw Malformed{"", "is an unknown step '" + name + "'"};
  out = *step;
}

inline void read(const Json& json, Scope& out) {
  std::string name;
  read(json, name);
  const auto scope = scope_from(name);
  if (!scope) throw Malformed{"", "is an unknown scope '" + name + "'"};
  out = *scope;
}

inline void read(const Json& json, Code& out) {
  std::string name;
  read(json, name);
  out = code_from(name);
}

inline void read(const Json& json, std::optional<double>& out) {
  if (!json.is_null() && !json.is_number()) throw Malformed{"", "must be a number or null"};
  out = json.is_null() ? std::nullopt : std::optional(json.get<double>());
}

// The structs of this folder, and those of injector/core that bring their own from_json.
template <class T>
void read(const Json& json, T& out) {
  if (!json.is_object()) throw Malformed{"", "must be an object"};
  try {
    from_json(json, out);
  } catch (const Json::exception& error) {
    throw Malformed{"", error.what()};
  }
}

template <class T>
void read(const Json& json, std::vector<T>& out) {
  if (!json.is_array()) throw Malformed{"", "must be an array"};
  out.clear();
  for (std::size_t index = 0; index < json.size(); ++index) {
    try {
      read(json[index], out.emplace_back());
    } catch (const Malformed& wrong) {
      const bool dot = !wrong.path.empty() && wrong.path.front() != '[';
      throw Malformed{"[" + std::to_string(index) + "]" + (dot ? "." : "") + wrong.path, wrong.reason};
    }
  }
}

// A field that must be there. `json` is an object: read() has seen to that.
template <class T>
void field(const Json& json, const char* name, T& out) {
  const auto found = json.find(name);
  if (found == json.end()) throw Malformed{name, "is missing"};
  try {
    read(*found, out);
  } catch (const Malformed& wrong) {
    const bool dot = !wrong.path.empty() && wrong.path.front() != '[';
    throw Malformed{std::string(name) + (dot ? "." : "") + wrong.path, wrong.reason};
  }
}

// A fault's parameters travel as the object that they are.
inline void params_in(const Json& json, Json& out) {
  const auto params = json.find("params");
  if (params == json.end()) throw Malformed{"params", "is missing"};
  if (!params->is_object()) throw Malformed{"params", "must be an object"};
  out = *params;
}

}  // namespace arashi::protocol
