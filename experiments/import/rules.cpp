#include "experiments/import/rules.hpp"

#include "injector/core/json.hpp"
#include "injector/core/suggest.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace arashi::import {
namespace {

constexpr std::string_view label_characters = "abcdefghijklmnopqrstuvwxyz0123456789-";
constexpr std::size_t longest_label = 63;

bool is_label(const std::string& name) {
  return !name.empty() && name.size() <= longest_label && name.find_first_not_of(label_characters) == std::string::npos &&
         name.front() != '-' && name.back() != '-';
}

// The nearest name that is one.
std::string as_label(const std::string& name) {
  std::string made;
  for (const char c : name) {
    const char low = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    if (low != '-' && label_characters.find(low) != std::string_view::npos)
      made += low;
    else if (!made.empty() && made.back() != '-')
      made += '-';
  }
  made.resize(std::min(made.size(), longest_label));
  while (!made.empty() && made.back() == '-') made.pop_back();
  return made;
}

std::string shown(const std::string& text) { return "'" + text.substr(0, 60) + (text.size() > 60 ? "…" : "") + "'"; }

std::size_t characters_of(const std::string& utf8) {
  return static_cast<std::size_t>(std::ranges::count_if(utf8, [](unsigned char c) { return (c & 0xC0U) != 0x80U; }));
}

// A plain scalar that is no text: a number, true, false.
bool is_text(const Tree& tree) { return tree.kind == Tree::Kind::scalar && spec::to_json(tree).is_string(); }

std::string all_of(std::span<const std::string_view> words) {
  std::string text;
  for (const auto& word : words) text += (text.empty() ? "" : ", ") + std::string(word);
  return text;
}

}  // namespace

void Rules::complain(const Field& at, const std::string& message) {
  found.push_back({(at.tree != nullptr ? at.tree : at.around)->where, at.path, message});
}

Field Rules::in(const Field& mapping, std::string_view key) {
  return {child(mapping.tree, key), mapping.path + (mapping.path.empty() ? "" : ".") + std::string(key), mapping.tree};
}

Field Rules::in(const Field& list, std::size_t index) {
  return {&list.tree->items[index], list.path + "[" + std::to_string(index) + "]", list.tree};
}

bool Rules::present(const Field& at, Need need) {
  if (at.tree != nullptr && at.tree->kind != Tree::Kind::null) return true;
  if (need == Need::required) complain(at, "is missing");
  return false;
}

bool Rules::mapping(const Field& at, Need need, std::span<const std::string_view> keys) {
  if (!present(at, need)) return false;
  if (at.tree->kind != Tree::Kind::map) {
    complain(at, "must be a mapping, but is " + std::string(spec::name_of(at.tree->kind)));
    return false;
  }
  for (std::size_t i = 0; i < at.tree->keys.size(); ++i) {
    const Tree& key = at.tree->keys[i];
    const Field here{&key, at.path + (at.path.empty() ? "" : ".") + key.text.substr(0, 60), at.tree};
    if (std::ranges::find(keys, key.text) == keys.end()) complain(here, "is no field of OpenSLO v1" + suggestion(key.text, keys));
    const auto same = [&](const Tree& other) { return other.text == key.text; };
    if (std::any_of(at.tree->keys.begin(), at.tree->keys.begin() + static_cast<std::ptrdiff_t>(i), same))
      complain(here, "stands there twice");
  }
  return true;
}

bool Rules::list(const Field& at, Need need, std::size_t fewest, std::size_t most) {
  if (!present(at, need)) return false;
  if (at.tree->kind != Tree::Kind::list) {
    complain(at, "must be a list, but is " + std::string(spec::name_of(at.tree->kind)));
    return false;
  }
  const std::size_t size = at.tree->items.size();
  const std::string has = "has " + std::to_string(size) + (size == 1 ? " entry" : " entries");
  if (size < fewest) complain(at, has + ": at least " + std::to_string(fewest) + " is needed");
  if (size > most) complain(at, has + ": at most " + std::to_string(most) + " is allowed");
  return true;
}

std::optional<std::string> Rules::text(const Field& at, Need need) {
  if (!present(at, need)) return std::nullopt;
  if (at.tree->kind != Tree::Kind::scalar) {
    complain(at, "must be a text, but is " + std::string(spec::name_of(at.tree->kind)));
    return std::nullopt;
  }
  if (!is_text(*at.tree)) {
    complain(at, "is " + shown(at.tree->text) + ", which YAML takes for no text: put it into quotes");
    return std::nullopt;
  }
  if (need == Need::required && at.tree->text.empty()) {
    complain(at, "is empty");
    return std::nullopt;
  }
  return at.tree->text;
}

std::optional<double> Rules::number(const Field& at, Need need, bool (*allowed)(double), const char* words) {
  if (!present(at, need)) return std::nullopt;
  const std::string& text = at.tree->text;
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool is_number =
      at.tree->kind == Tree::Kind::scalar && !at.tree->quoted && error == std::errc{} && end == text.data() + text.size();
  if (is_number && std::isfinite(value) && allowed(value)) return value;
  const std::string what = at.tree->kind == Tree::Kind::scalar ? shown(text) : std::string(spec::name_of(at.tree->kind));
  complain(at, "is " + what + ": " + words + " is expected" + (at.tree->quoted ? ", without quotes" : ""));
  return std::nullopt;
}

void Rules::truth(const Field& at) {
  if (!present(at, Need::optional)) return;
  if (!spec::to_json(*at.tree).is_boolean()) complain(at, "must be true or false");
}

void Rules::name(const Field& at, Need need) {
  const auto name = text(at, need);
  if (!name || (name->empty() && need == Need::optional) || is_label(*name)) return;
  const std::string near = as_label(*name);
  complain(at, "is " + shown(*name) + ": a DNS label is expected, at most 63 of a-z, 0-9 and -, with - neither first nor last" +
                   (near.empty() ? "" : "; write '" + near + "'"));
}

void Rules::no_longer(const Field& at, std::size_t characters) {
  const auto given = text(at, Need::optional);
  if (given && characters_of(*given) > characters)
    complain(at, "has " + std::to_string(characters_of(*given)) + " characters: at most " + std::to_string(characters) + " are allowed");
}

std::optional<std::string> Rules::one_of(const Field& at, Need need, std::span<const std::string_view> words) {
  auto given = text(at, need);
  if (!given || std::ranges::find(words, *given) != words.end()) return given;
  complain(at, "is " + shown(*given) + ": one of " + all_of(words) + " is expected" +
                   (nearest(*given, words).empty() ? "" : "; did you mean '" + nearest(*given, words) + "'?"));
  return std::nullopt;
}

void Rules::duration(const Field& at, Need need) {
  if (!present(at, need)) return;
  const std::string& given = at.tree->text;
  const auto digits = given.find_first_not_of("0123456789");
  const bool right = at.tree->kind == Tree::Kind::scalar && digits != std::string::npos && digits > 0 && digits + 1 == given.size() &&
                     std::string_view("mhdwMQY").find(given.back()) != std::string_view::npos;
  if (right) return;
  complain(at, "is " + shown(given) + ": a whole number and one of m (minutes), h, d, w, M (months), Q, Y is expected, such as 30d");
}

void Rules::one(const Field& mapping, std::span<const std::string_view> keys, Need need) {
  std::vector<std::string_view> given;
  for (const auto& key : keys)
    if (child(mapping.tree, key) != nullptr) given.push_back(key);
  if (given.size() > 1) complain(mapping, "has " + all_of(given) + ": only one of " + all_of(keys) + " is allowed");
  if (given.empty() && need == Need::required) complain(mapping, "has none of " + all_of(keys) + ": exactly one is needed");
}

}  // namespace arashi::import
