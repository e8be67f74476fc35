// Reads the fields of one stored object strictly, and remembers the first that is wrong. Private to this folder.
#pragma once

#include "experiments/guard/guard.hpp"
#include "injector/core/json.hpp"

#include <array>
#include <limits>

namespace arashi::guard {

class Fields {
 public:
  explicit Fields(const Json& json) : json_(json) {
    if (!json.is_object()) wrong("", "must be an object");
  }
  [[nodiscard]] bool ok() const { return problem_.empty(); }
  [[nodiscard]] Result<void> result() const {
    if (ok()) return {};
    return fail(Blame::input, problem_);
  }

  void read(const char* name, std::string& out) {
    const Json* found = find(name);
    if (found == nullptr) return;
    if (!found->is_string()) return wrong(name, "must be a text");
    out = found->get_ref<const std::string&>();
  }
  void read(const char* name, bool& out) {
    const Json* found = find(name);
    if (found == nullptr) return;
    if (!found->is_boolean()) return wrong(name, "must be true or false");
    out = found->get<bool>();
  }
  void read(const char* name, double& out) {
    const Json* found = find(name);
    if (found == nullptr) return;
    if (!found->is_number()) return wrong(name, "must be a number");
    out = found->get<double>();
  }
  void read(const char* name, std::uint64_t& out) {
    const Json* found = find(name);
    if (found == nullptr) return;
    if (!found->is_number_integer() || (!found->is_number_unsigned() && found->get<std::int64_t>() < 0))
      return wrong(name, "must be a whole number that is not negative");
    out = found->get<std::uint64_t>();
  }
  void read(const char* name, Duration& out) {
    const Json* found = find(name);
    if (found == nullptr) return;
    const bool fits =
        found->is_number_integer() &&
        (!found->is_number_unsigned() || found->get<std::uint64_t>() <= std::uint64_t{std::numeric_limits<std::int64_t>::max()});
    if (!fits) return wrong(name, "must be a whole number of nanoseconds");
    out = Duration(found->get<std::int64_t>());
  }
  // A word out of a table, by the table's name_of.
  template <class Enum, std::size_t N>
  void read(const char* name, Enum& out, const std::array<Enum, N>& all) {
    std::string word;
    read(name, word);
    if (!ok()) return;
    for (const Enum each : all)
      if (name_of(each) == word) {
        out = each;
        return;
      }
    wrong(name, "'" + word + "' is not known");
  }
  template <class T>
  void read(const char* name, std::vector<T>& out, Result<T> (*read_one)(const Json&)) {
    const Json* found = find(name);
    if (found == nullptr) return;
    if (!found->is_array()) return wrong(name, "must be a list");
    for (const Json& each : *found) {
      auto item = read_one(each);
      if (!item) return wrong(name, item.error().message);
      out.push_back(std::move(item).value());
    }
  }
  [[nodiscard]] bool has(const char* name) const { return json_.is_object() && json_.contains(name); }
  [[nodiscard]] const Json* find(const char* name) {
    if (!ok()) return nullptr;
    const auto found = json_.find(name);
    if (found != json_.end()) return &*found;
    wrong(name, "is missing");
    return nullptr;
  }

 private:
  void wrong(const std::string& name, const std::string& why) {
    if (ok()) problem_ = name.empty() ? why : name + ": " + why;
  }
  const Json& json_;
  std::string problem_;
};

inline constexpr std::array all_freshness{Freshness::fresh,   Freshness::stale,     Freshness::empty,        Freshness::error,
                                          Freshness::partial, Freshness::late_born, Freshness::not_a_number, Freshness::silent};

inline Json write_counts(const Counts& counts) { return {{"total", counts.total}, {"bad", counts.bad}}; }

inline Result<Counts> read_counts(const Json& json) {
  Counts counts;
  Fields fields(json);
  fields.read("total", counts.total);
  fields.read("bad", counts.bad);
  TRY(fields.result());
  return counts;
}

template <class T>
Json list_of(const std::vector<T>& items, Json (*write)(const T&)) {
  Json list = Json::array();
  for (const T& item : items) list.push_back(write(item));
  return list;
}

}  // namespace arashi::guard
