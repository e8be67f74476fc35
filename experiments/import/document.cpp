#include "experiments/import/document.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace arashi::import {

constexpr double least_share = 1e-9;
constexpr std::chrono::seconds longest = std::chrono::hours(24 * 36525);  // 100 years, as our own durations

const Tree* child(const Tree* tree, std::string_view key) {
  if (tree == nullptr || tree->kind != Tree::Kind::map) return nullptr;
  for (std::size_t i = 0; i < tree->keys.size(); ++i)
    if (tree->keys[i].text == key) return tree->items[i].kind == Tree::Kind::null ? nullptr : &tree->items[i];
  return nullptr;
}

std::string text_of(const Tree* tree, std::string_view key) {
  const Tree* found = child(tree, key);
  return found != nullptr && found->kind == Tree::Kind::scalar ? found->text : std::string();
}

bool is_true(const Tree* tree, std::string_view key) { return text_of(tree, key) == "true"; }

void Document::complain(const Tree* at, const std::string& path, const std::string& message) {
  into_.problems.push_back({(at == nullptr ? root : at)->where, path, message});
  bad_ = true;
}

void Document::note(const Tree* at, const std::string& path, const std::string& message) {
  into_.notes.push_back({(at == nullptr ? root : at)->where, path, message});
}

std::optional<double> number_in(const std::string& text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || !std::isfinite(value)) return std::nullopt;
  return value;
}

double Document::percent(const Tree* at, const std::string& path, double scale) {
  const std::string text = at == nullptr ? "" : at->text;
  const double value = number_in(text).value_or(-1);
  if (at == nullptr) {
    complain(at, path, "is missing: which share of events must be good?");
  } else if (!(value >= 0 && value <= scale)) {
    complain(at, path, "is '" + text + "': a number from 0 to " + (scale > 1 ? "100" : "1") + " is expected");
  } else if (value > scale * (1 - least_share) || value < scale * least_share) {
    complain(at, path, "is " + text + ": that leaves " + (value < scale / 2 ? "nothing to hold" : "no budget, so nothing may be broken"));
  }
  return value / scale;
}

std::string Document::counters(const Tree* query, const std::string& path, bool plain) {
  if (query == nullptr || query->kind != Tree::Kind::scalar) {
    complain(query, path, "is missing: a PromQL query is expected");
    return {};
  }
  auto made = counters_of(query->text, plain);
  if (made) return *made;
  complain(query, path, "can't be evaluated: " + made.error().message);
  return {};
}

void Document::add(ForeignSlo slo) {
  if (bad_) return;
  if (std::ranges::find(into_.slos, slo.name, &ForeignSlo::name) != into_.slos.end())
    into_.problems.push_back({slo.where, "", "is a second SLO named '" + slo.name + "': give it a name of its own"});
  else
    into_.slos.push_back(std::move(slo));
}

std::optional<Duration> units(const std::string& text, std::string_view names, std::initializer_list<std::int64_t> seconds) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size() - 1 || number <= 0 || number > 100'000) return std::nullopt;
  const auto unit = names.find(*end);
  if (unit == std::string_view::npos) return std::nullopt;
  const std::chrono::seconds length(number * *(seconds.begin() + unit));
  return length > longest ? std::nullopt : std::optional<Duration>(length);
}

}  // namespace arashi::import
