// A YAML or JSON document as a tree with places: what parse.cpp reads. yaml-cpp and its exceptions stay behind read_tree.
#pragma once

#include "experiments/spec/spec.hpp"
#include "injector/core/json_fwd.hpp"

#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace arashi::spec {

struct Tree {
  enum class Kind { null, scalar, list, map };
  Kind kind = Kind::null;
  std::string text;         // scalar
  bool quoted = false;      // scalar: "5" is a text, 5 is a number
  std::vector<Tree> items;  // list: its elements; map: its values
  std::vector<Tree> keys;   // map: as many as items, in the order written
  Where where;
  std::size_t size = 1;  // nodes in all, keys included
};

inline constexpr std::size_t most_nodes = 10'000;  // after alias expansion
inline constexpr std::size_t deepest = 64;

struct TreeProblem {
  Where where;
  std::string message;
};

// One document. Aliases are expanded; the limits are checked before a copy is made, so an alias bomb costs nothing.
std::variant<Tree, TreeProblem> read_tree(std::string_view text);

// Plain 5, 0.5, true, null are numbers, booleans and null; quoted ones are texts.
Json to_json(const Tree& tree);

// "a text", "a list": for messages.
std::string_view name_of(Tree::Kind kind);

}  // namespace arashi::spec
