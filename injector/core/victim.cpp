#include "injector/core/victim.hpp"

#include "injector/core/kinds.hpp"
#include "injector/core/suggest.hpp"
#include "injector/core/whole.hpp"

#include <algorithm>

namespace arashi {

namespace {

const Json* find(const Json& match, std::string_view key) {
  if (!match.is_object()) return nullptr;
  const auto found = match.find(key);
  return found == match.end() ? nullptr : &*found;
}

bool is_text_or_texts(const Json& value) {
  return value.is_string() || (value.is_object() && std::ranges::all_of(value, [](const Json& text) { return text.is_string(); }));
}

// Items of a list may be expressions such as {key: app, operator: In, values: [a, b]}.
bool is_item(const Json& item) {
  if (item.is_string()) return true;
  return item.is_object() && std::ranges::all_of(item, [](const Json& value) {
           return value.is_string() || (value.is_array() && std::ranges::all_of(value, [](const Json& text) { return text.is_string(); }));
         });
}

// Throws as whole() does.
Scope scope_in(const Json& json) {
  const auto name = json.at("scope").get<std::string>();
  const auto scope = scope_from(name);
  if (!scope) throw Json::type_error::create(302, "unknown scope '" + name + "'", &json);
  return *scope;
}

}  // namespace

bool Selector::has(std::string_view key) const { return find(match, key) != nullptr; }

const std::string* Selector::text(std::string_view key) const {
  const auto* value = find(match, key);
  return value == nullptr ? nullptr : value->get_ptr<const std::string*>();
}

std::map<std::string, std::string> Selector::labels(std::string_view key) const {
  std::map<std::string, std::string> labels;
  const auto* value = find(match, key);
  if (value == nullptr || !value->is_object()) return labels;
  for (const auto& [name, text] : value->items())
    if (text.is_string()) labels.emplace(name, text.get_ref<const std::string&>());
  return labels;
}

const Json* Selector::list(std::string_view key) const {
  const auto* value = find(match, key);
  return value != nullptr && value->is_array() ? value : nullptr;
}

bool Selector::operator==(const Selector& other) const {
  return kind == other.kind && ((match.empty() && other.match.empty()) || match == other.match);
}

std::string Selector::mistyped_key() const {
  if (match.is_null()) return {};  // print_record() of one that asks for nothing
  if (!match.is_object()) return "match";
  for (const auto& [name, value] : match.items())
    if (!is_text_or_texts(value) && !(value.is_array() && std::ranges::all_of(value, is_item))) return "match." + name;
  return {};
}

std::vector<std::string> check_selector(const Selector& selector) {
  if (const auto* kind = find_kind(selector.kind)) return check_match(*kind, selector.match);
  std::vector<std::string_view> known;
  known.reserve(selector_kinds.size());
  for (const auto& each : selector_kinds) known.push_back(each.kind);
  return {"unknown kind of target '" + selector.kind + "'" + suggestion(selector.kind, known)};
}

void to_json(Json& json, const Selector& selector) {
  json = {{"kind", selector.kind}, {"match", selector.match.is_null() ? Json::object() : selector.match}};
}

void from_json(const Json& json, Selector& selector) {
  json.at("kind").get_to(selector.kind);
  selector.match = json.at("match");
  if (!selector.match.is_object()) throw Json::type_error::create(302, "a selector's match must be an object", &json);
}

void to_json(Json& json, const Victim& victim) {
  json = {{"kind", victim.kind},
          {"scope", name_of(victim.scope)},
          {"label", victim.label},
          {"pid", victim.pid},
          {"startTime", victim.start_time},
          {"netns", victim.netns},
          {"netnsPath", victim.netns_path},
          {"cgroup", victim.cgroup},
          {"cgroupPath", victim.cgroup_path},
          {"selector", victim.selector}};
  if (!victim.addresses.empty()) json["addresses"] = victim.addresses;
}

void from_json(const Json& json, Victim& victim) {
  json.at("kind").get_to(victim.kind);
  victim.scope = scope_in(json);
  json.at("label").get_to(victim.label);
  victim.pid = whole<std::int32_t>(json.at("pid"));
  victim.start_time = whole<std::uint64_t>(json.at("startTime"));
  victim.netns = whole<std::uint64_t>(json.at("netns"));
  json.at("netnsPath").get_to(victim.netns_path);
  victim.cgroup = whole<std::uint64_t>(json.at("cgroup"));
  json.at("cgroupPath").get_to(victim.cgroup_path);
  json.at("selector").get_to(victim.selector);
  victim.addresses = json.value("addresses", std::vector<std::string>{});
}

}  // namespace arashi
