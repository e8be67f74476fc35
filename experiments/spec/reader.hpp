// Reads one mapping of the tree against its declaration and keeps every problem, so that a person sees them all at once.
#pragma once

#include "experiments/spec/document/tree.hpp"
#include "experiments/spec/objects.hpp"
#include "experiments/spec/parse.hpp"

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace arashi::spec {

class Report {
 public:
  // At the place of `path`, or of the nearest thing around it.
  void complain(const std::string& path, const std::string& message);
  void complain_at(Where where, const std::string& path, const std::string& message);
  void place(const std::string& path, Where where) { places_[path] = where; }
  [[nodiscard]] std::vector<Problem> take();  // sorted by place, the same only once

 private:
  std::map<std::string, Where> places_;
  std::vector<Problem> problems_;
};

// One mapping. The constructor reports unknown, repeated and missing keys and wrong types of node; the readers below leave `out`
// as it is where the key is absent or wrong.
class Fields {
 public:
  Fields(Report& report, const Tree& tree, std::string path, const Object& object);

  [[nodiscard]] bool has(std::string_view key) const { return find(key) != nullptr; }
  [[nodiscard]] const Tree* find(std::string_view key) const;  // absent or null: nullptr
  [[nodiscard]] bool names(std::string_view key) const;        // written, if only with nothing behind it
  [[nodiscard]] std::string path(std::string_view key) const;
  [[nodiscard]] const std::string& path() const { return path_; }                       // of the whole
  void complain(const std::string& message) const { report.complain(path_, message); }  // about the whole
  [[nodiscard]] Where where() const { return tree_.where; }

  void text(std::string_view key, std::string& out) const;  // also Type::name, url and choice, with their rules
  void duration(std::string_view key, Duration& out) const;
  void percent(std::string_view key, Percent& out) const;
  void rate(std::string_view key, Rate& out) const;
  void integer(std::string_view key, int& out) const;  // at least 1
  void texts(std::string_view key, std::vector<std::string>& out) const;
  void pairs(std::string_view key, std::map<std::string, std::string>& out) const;

  using Read = std::function<void(const Fields&)>;
  void object(std::string_view key, const Read& read) const;
  void list(std::string_view key, const Read& read) const;
  // name → object; names are checked.
  void named(std::string_view key, const std::function<void(const std::string& name, const Fields&)>& read) const;

  Report& report;

 private:
  void check_keys() const;
  void check_missing() const;
  [[nodiscard]] const Key& declared(std::string_view key) const;
  // The scalar's text, or a complaint and nullptr.
  const std::string* scalar(std::string_view key) const;
  // Of a list, what is text; a complaint about the rest.
  std::vector<std::string> items_of(std::string_view key, const Tree& list) const;
  template <class T>
  void measured(std::string_view key, Result<T> (*parse)(std::string_view), T& out) const;

  const Tree& tree_;
  std::string path_;
  const Object& object_;
};

// http://host… or https://host…; what follows the host is the server's business.
bool is_url(const std::string& text);

// "a duration needs a unit; did you mean '200ms' or '200s'?" for a bare number, or the same number with a space before its unit;
// else empty. `type`: "duration", "percent", "rate" (as in ParamText).
std::string missing_unit(std::string_view type, const std::string& text);

}  // namespace arashi::spec
