#include "experiments/spec/document/tree.hpp"

#include "injector/core/json.hpp"

#include <charconv>
#include <cmath>
#include <optional>

namespace arashi::spec {
namespace {

template <class Number>
std::optional<Number> whole(const std::string& text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

Json scalar(const Tree& tree) {
  if (tree.quoted) return tree.text;
  if (tree.text == "true" || tree.text == "True" || tree.text == "TRUE") return true;
  if (tree.text == "false" || tree.text == "False" || tree.text == "FALSE") return false;
  if (const auto value = whole<std::uint64_t>(tree.text)) return *value;
  if (const auto value = whole<std::int64_t>(tree.text)) return *value;
  const bool may_be_number = tree.text.find_first_not_of("+-.0123456789eE") == std::string::npos;
  if (const auto value = may_be_number ? whole<double>(tree.text) : std::nullopt; value && std::isfinite(*value)) return *value;
  return tree.text;
}

}  // namespace

Json to_json(const Tree& tree) {
  switch (tree.kind) {
    case Tree::Kind::null:
      return nullptr;
    case Tree::Kind::scalar:
      return scalar(tree);
    case Tree::Kind::list: {
      Json list = Json::array();
      for (const auto& item : tree.items) list.push_back(to_json(item));
      return list;
    }
    case Tree::Kind::map: {
      Json object = Json::object();
      for (std::size_t i = 0; i < tree.items.size(); ++i) object[tree.keys[i].text] = to_json(tree.items[i]);
      return object;
    }
  }
  return nullptr;
}

std::string_view name_of(Tree::Kind kind) {
  switch (kind) {
    case Tree::Kind::null:
      return "nothing";
    case Tree::Kind::scalar:
      return "a plain value";
    case Tree::Kind::list:
      return "a list";
    case Tree::Kind::map:
      return "a mapping";
  }
  return "?";
}

}  // namespace arashi::spec
