// What a format's published rules say of one field: its kind, length, range, spelling. Every breach is kept with its place. Private to this
// folder.
#pragma once

#include "experiments/import/document.hpp"

#include <functional>
#include <span>

namespace arashi::import {

enum class Need { required, optional };

// A field, or the place where it ought to be.
struct Field {
  const Tree* tree = nullptr;  // nothing there: nullptr
  std::string path;
  const Tree* around = nullptr;  // what it stands in
  explicit operator bool() const { return tree != nullptr; }
};

class Rules {
 public:
  void complain(const Field& at, const std::string& message);
  // A mapping with no other keys than these and none twice. An absent one is a breach only where it is required.
  bool mapping(const Field& at, Need need, std::span<const std::string_view> keys);
  bool list(const Field& at, Need need, std::size_t fewest, std::size_t most);
  static Field in(const Field& mapping, std::string_view key);
  static Field in(const Field& list, std::size_t index);

  // Each: nothing where it is absent or broken.
  std::optional<std::string> text(const Field& at, Need need);
  std::optional<double> number(const Field& at, Need need, bool (*allowed)(double), const char* words);
  void truth(const Field& at);
  void name(const Field& at, Need need);  // a DNS label, RFC 1123
  void no_longer(const Field& at, std::size_t characters);
  std::optional<std::string> one_of(const Field& at, Need need, std::span<const std::string_view> words);
  void duration(const Field& at, Need need);  // OpenSLO's shorthand
  // Exactly one of these keys, or at most one.
  void one(const Field& mapping, std::span<const std::string_view> keys, Need need);

  std::vector<spec::Problem> found;

 private:
  bool present(const Field& at, Need need);
};

}  // namespace arashi::import
