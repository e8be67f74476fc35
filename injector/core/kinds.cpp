#include "injector/core/kinds.hpp"

#include "injector/core/suggest.hpp"

#include <algorithm>
#include <charconv>

namespace arashi {

namespace {

bool is_number_up_to(const std::string& text, unsigned long most) {
  unsigned long value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end == text.data() + text.size() && value > 0 && value <= most;
}

std::string problem_of_text(const SelectorKey& key, const std::string& value) {
  const std::string name(key.name);
  if (value.empty()) return "'" + name + "' is empty";
  if (key.form == KeyForm::pid && !is_number_up_to(value, 1UL << 22U)) return name + " '" + value + "' is not a process number";
  if (key.form == KeyForm::port && !is_number_up_to(value, 65535)) return name + " '" + value + "' is not a number from 1 to 65535";
  return "";
}

std::string problem_of(const SelectorKey& key, const Json& value) {
  const std::string name(key.name);
  if (key.form == KeyForm::labels) {
    const bool texts = value.is_object() && std::ranges::all_of(value, [](const Json& one) { return one.is_string(); });
    return texts ? "" : "'" + name + "' must be a mapping of texts, such as {app: ledger}";
  }
  if (key.form == KeyForm::list) {
    const bool maps = value.is_array() && std::ranges::all_of(value, [](const Json& one) { return one.is_object(); });
    return maps ? "" : "'" + name + "' must be a list of mappings";
  }
  const auto* text = value.get_ptr<const std::string*>();
  return text == nullptr ? "'" + name + "' must be a text" : problem_of_text(key, *text);
}

}  // namespace

const SelectorKind* find_kind(std::string_view name) {
  const auto found = std::ranges::find(selector_kinds, name, &SelectorKind::kind);
  return found == selector_kinds.end() ? nullptr : &*found;
}

std::vector<std::string_view> kinds_in(std::span<const Scope> scopes) {
  std::vector<std::string_view> names;
  for (const auto& kind : selector_kinds)
    if (std::ranges::find(scopes, kind.scope) != scopes.end()) names.push_back(kind.kind);
  return names;
}

std::vector<std::string> check_match(const SelectorKind& kind, const Json& match) {
  const std::string name(kind.kind);
  if (!match.is_object() && !match.is_null())
    return {"what a " + name + " target asks for must be a mapping, such as " + std::string(kind.example)};
  std::vector<std::string> problems;
  for (const auto& [key, value] : match.items()) {
    const auto known = std::ranges::find(kind.keys, key, &SelectorKey::name);
    std::string problem;
    if (known != kind.keys.end()) problem = problem_of(*known, value);
    if (known == kind.keys.end()) {
      std::vector<std::string_view> names(kind.keys.size());
      std::ranges::transform(kind.keys, names.begin(), &SelectorKey::name);
      problem = "a " + name + " target has no '" + key + "'" + suggestion(key, names);
    }
    if (!problem.empty()) problems.push_back(std::move(problem));
  }
  if (match.empty() && !kind.keys.empty())
    problems.push_back("a " + name + " target needs at least one of its keys, such as " + name + ": " + std::string(kind.example));
  return problems;
}

}  // namespace arashi
