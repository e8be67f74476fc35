#include "experiments/spec/reader.hpp"

#include "injector/core/id.hpp"
#include "injector/core/suggest.hpp"

#include <algorithm>
#include <charconv>
#include <set>

namespace arashi::spec {
namespace {

// Whatever was written: no control characters, and not more than fits a terminal; cut between characters.
std::string one_line(const std::string& text, std::size_t most) {
  std::string made = text.substr(0, most);
  if (text.size() > most) {
    while (!made.empty() && (static_cast<unsigned char>(made.back()) & 0xC0U) == 0x80U) made.pop_back();
    if (!made.empty() && static_cast<unsigned char>(made.back()) >= 0xC0U) made.pop_back();
    made += "…";
  }
  std::ranges::replace_if(
      made, [](unsigned char c) { return c < 0x20 || c == 0x7f; }, ' ');
  return made;
}

std::string shown(const std::string& text) { return "'" + one_line(text, 60) + "'"; }

bool is_number(const std::string& text) {
  return !text.empty() && text.find_first_not_of("0123456789.") == std::string::npos &&
         text.find_first_of("0123456789") != std::string::npos;
}

std::string such_as(const Key& key) { return key.example.empty() ? std::string{} : ", such as " + std::string(key.example); }

std::string parent_of(const std::string& path) {
  const auto cut = path.find_last_of(".[");
  return cut == std::string::npos ? std::string{} : path.substr(0, cut);
}

}  // namespace

bool is_url(const std::string& text) {
  const std::string_view rest = text.starts_with("http://")    ? std::string_view(text).substr(7)
                                : text.starts_with("https://") ? std::string_view(text).substr(8)
                                                               : std::string_view{};
  const bool has_host = !rest.empty() && rest.front() != '/' && rest.front() != ':' && rest.front() != '?';
  return has_host && std::ranges::none_of(text, [](unsigned char c) { return c <= 0x20 || c == 0x7f; });
}

std::string missing_unit(std::string_view type, const std::string& text) {
  const bool bare = is_number(text);
  const auto space = text.find(' ');
  if (!bare && (space == std::string::npos || !is_number(text.substr(0, space)))) return {};
  if (!bare) {
    std::string joined = text;
    std::erase(joined, ' ');
    const bool fits = type == "duration" ? bool(parse_duration(joined))
                      : type == "rate"   ? bool(parse_rate(joined))
                                         : bool(parse_percent(joined));
    return fits ? "no space belongs before the unit; did you mean '" + joined + "'?" : std::string{};
  }
  if (type == "duration") return "a duration needs a unit; did you mean '" + text + "ms' or '" + text + "s'?";
  if (type == "percent") return "a percentage needs its sign; did you mean '" + text + "%'?";
  if (type == "rate") return "a rate needs its unit; did you mean '" + text + "/s'?";
  return {};
}

void Report::complain(const std::string& path, const std::string& message) {
  std::string near = path;
  while (!near.empty() && !places_.contains(near)) near = parent_of(near);
  const auto found = places_.find(near);
  complain_at(found == places_.end() ? Where{1, 1} : found->second, path, message);
}

void Report::complain_at(Where where, const std::string& path, const std::string& message) {
  problems_.push_back({where, one_line(path, 200), one_line(message, 1000)});
}

std::vector<Problem> Report::take() {
  std::ranges::sort(problems_, [](const Problem& a, const Problem& b) { return a < b; });
  const auto same = [](const Problem& a, const Problem& b) { return !(a < b) && !(b < a); };
  problems_.erase(std::unique(problems_.begin(), problems_.end(), same), problems_.end());
  return std::move(problems_);
}

Fields::Fields(Report& to, const Tree& tree, std::string path, const Object& object)
    : report(to), tree_(tree), path_(std::move(path)), object_(object) {
  report.place(path_, tree_.where);
  if (tree_.kind == Tree::Kind::map || tree_.kind == Tree::Kind::null)
    check_keys();
  else
    report.complain(path_,
                    std::string("is ") + std::string(name_of(tree_.kind)) + ", a mapping is expected: " + std::string(object_.summary));
}

void Fields::check_keys() const {
  std::vector<std::string_view> known;
  for (const Key& key : object_.keys)
    if (key.unsupported.empty()) known.push_back(key.name);
  std::set<std::string_view> seen;
  for (std::size_t i = 0; i < tree_.keys.size(); ++i) {
    const Tree& key = tree_.keys[i];
    if (key.kind != Tree::Kind::scalar) {
      report.complain_at(key.where, path_, "a key is " + std::string(name_of(key.kind)) + ": a plain name is expected");
      continue;
    }
    report.place(path(key.text), tree_.items[i].where);
    const auto declaration = std::ranges::find(object_.keys, std::string_view(key.text), &Key::name);
    if (!seen.insert(key.text).second)
      report.complain_at(key.where, path(key.text), shown(key.text) + " is a duplicate key: keep one of them");
    else if (key.text == "<<")
      report.complain_at(key.where, path_, "merging with '<<' is not supported: write the keys out, or use an alias for a whole value");
    else if (declaration == object_.keys.end())
      report.complain_at(key.where, path(key.text), "unknown key " + shown(key.text) + suggestion(key.text, known));
    else if (!declaration->unsupported.empty())
      report.complain_at(key.where, path(key.text), "'" + key.text + "': " + std::string(declaration->unsupported));
  }
  check_missing();
}

void Fields::check_missing() const {
  for (const Key& key : object_.keys) {
    if (key.required && find(key.name) == nullptr)
      report.complain(path_, "'" + std::string(key.name) + "' is missing: " + std::string(key.summary) +
                                 (key.example.empty() ? "" : ", such as " + std::string(key.name) + ": " + std::string(key.example)));
  }
}

const Tree* Fields::find(std::string_view key) const {
  for (std::size_t i = 0; i < tree_.keys.size(); ++i)
    if (tree_.keys[i].kind == Tree::Kind::scalar && tree_.keys[i].text == key)
      return tree_.items[i].kind == Tree::Kind::null ? nullptr : &tree_.items[i];
  return nullptr;
}

bool Fields::names(std::string_view key) const {
  return std::ranges::any_of(tree_.keys, [key](const Tree& each) { return each.kind == Tree::Kind::scalar && each.text == key; });
}

std::string Fields::path(std::string_view key) const { return path_.empty() ? std::string(key) : path_ + "." + std::string(key); }

const Key& Fields::declared(std::string_view key) const { return *std::ranges::find(object_.keys, key, &Key::name); }

const std::string* Fields::scalar(std::string_view key) const {
  const Tree* tree = find(key);
  if (tree == nullptr) return nullptr;
  if (tree->kind == Tree::Kind::scalar) return &tree->text;
  const Key& declaration = declared(key);
  report.complain(path(key), "is " + std::string(name_of(tree->kind)) + ", a " + std::string(name_of(declaration.type)) + " is expected" +
                                 such_as(declaration));
  return nullptr;
}

void Fields::text(std::string_view key, std::string& out) const {
  const std::string* found = scalar(key);
  if (found == nullptr) return;
  const Key& declaration = declared(key);
  if (found->empty()) return report.complain(path(key), "is empty" + such_as(declaration));
  if (declaration.type == Type::name && !is_name(*found))
    return report.complain(path(key), shown(*found) + " is not a name: a-z, 0-9 and '-' inside, at most 63" + such_as(declaration));
  if (declaration.type == Type::url && !is_url(*found))
    return report.complain(path(key), shown(*found) + " is not a URL of http or https" + such_as(declaration));
  if (declaration.type == Type::choice && std::ranges::find(declaration.choices, std::string_view(*found)) == declaration.choices.end())
    return report.complain(path(key), "is " + shown(*found) + suggestion(*found, declaration.choices));
  out = *found;
}

template <class T>
void Fields::measured(std::string_view key, Result<T> (*parse)(std::string_view), T& out) const {
  const std::string* found = scalar(key);
  if (found == nullptr) return;
  const Key& declaration = declared(key);
  const std::string_view type = declaration.type == Type::percent ? "percent" : name_of(declaration.type);
  auto parsed = parse(*found);
  if (parsed) {
    out = std::move(parsed).value();
    return;
  }
  const std::string unit = missing_unit(type, *found);
  report.complain(path(key), unit.empty() ? parsed.error().message : "is " + shown(*found) + ": " + unit);
}

void Fields::duration(std::string_view key, Duration& out) const {
  Duration value{-1};
  measured(key, parse_duration, value);
  if (value == Duration{0} && !declared(key).zero)
    return report.complain(path(key), "is 0: it must be more than 0" + such_as(declared(key)));
  if (value >= Duration{0}) out = value;
}

void Fields::percent(std::string_view key, Percent& out) const {
  Percent value{-1};
  measured(key, parse_percent, value);
  if (value.fraction == 0) return report.complain(path(key), "is 0%: it must be more than 0" + such_as(declared(key)));
  if (value.fraction > 0) out = value;
}

void Fields::rate(std::string_view key, Rate& out) const { measured(key, parse_rate, out); }

void Fields::integer(std::string_view key, int& out) const {
  const std::string* found = scalar(key);
  if (found == nullptr) return;
  int value = 0;
  const auto [end, error] = std::from_chars(found->data(), found->data() + found->size(), value);
  constexpr int most = 1'000'000;
  if (error != std::errc{} || end != found->data() + found->size() || value < 1 || value > most)
    return report.complain(
        path(key), "is " + shown(*found) + ": a whole number from 1 to " + std::to_string(most) + " is expected" + such_as(declared(key)));
  out = value;
}

std::vector<std::string> Fields::items_of(std::string_view key, const Tree& list) const {
  if (list.items.empty()) report.complain(path(key), "is an empty list" + such_as(declared(key)));
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < list.items.size(); ++i) {
    const Tree& item = list.items[i];
    if (item.kind == Tree::Kind::scalar)
      texts.push_back(item.text);
    else
      report.complain_at(item.where, path(key) + "[" + std::to_string(i) + "]",
                         "is " + std::string(name_of(item.kind)) + ", a text is expected");
  }
  return texts;
}

void Fields::texts(std::string_view key, std::vector<std::string>& out) const {
  const Tree* tree = find(key);
  if (tree == nullptr) return;
  const Key& declaration = declared(key);
  if (tree->kind == Tree::Kind::scalar && declaration.type == Type::choices)
    out = {tree->text};
  else if (tree->kind == Tree::Kind::list)
    out = items_of(key, *tree);
  else
    return report.complain(path(key), "is " + std::string(name_of(tree->kind)) + ", a list is expected" + such_as(declaration));
  if (declaration.type != Type::choices) return;
  for (const auto& each : out)
    if (std::ranges::find(declaration.choices, std::string_view(each)) == declaration.choices.end())
      report.complain(path(key), "is " + shown(each) + suggestion(each, declaration.choices));
}

void Fields::pairs(std::string_view key, std::map<std::string, std::string>& out) const {
  const Tree* tree = find(key);
  if (tree == nullptr) return;
  if (tree->kind != Tree::Kind::map)
    return report.complain(path(key),
                           "is " + std::string(name_of(tree->kind)) + ", a mapping of texts is expected" + such_as(declared(key)));
  for (std::size_t i = 0; i < tree->items.size(); ++i) {
    const Tree& name = tree->keys[i];
    const Tree& value = tree->items[i];
    if (name.kind != Tree::Kind::scalar || value.kind != Tree::Kind::scalar)
      report.complain_at(value.where, path(key), shown(name.text) + " is " + std::string(name_of(value.kind)) + ", a text is expected");
    else if (!out.emplace(name.text, value.text).second)
      report.complain_at(name.where, path(key), shown(name.text) + " is a duplicate key: keep one of them");
  }
}

void Fields::object(std::string_view key, const Read& read) const {
  if (const Tree* tree = find(key)) read(Fields(report, *tree, path(key), *declared(key).object));
}

void Fields::list(std::string_view key, const Read& read) const {
  const Tree* tree = find(key);
  if (tree == nullptr) return;
  if (tree->kind != Tree::Kind::list)
    return report.complain(path(key), "is " + std::string(name_of(tree->kind)) + ", a list is expected, each with '- ' in front");
  for (std::size_t i = 0; i < tree->items.size(); ++i)
    read(Fields(report, tree->items[i], path(key) + "[" + std::to_string(i) + "]", *declared(key).object));
}

void Fields::named(std::string_view key, const std::function<void(const std::string&, const Fields&)>& read) const {
  const Tree* tree = find(key);
  if (tree == nullptr) return;
  if (tree->kind != Tree::Kind::map)
    return report.complain(path(key), "is " + std::string(name_of(tree->kind)) + ", a mapping of names is expected: NAME: {…}");
  std::set<std::string_view> seen;
  for (std::size_t i = 0; i < tree->items.size(); ++i) {
    const std::string& name = tree->keys[i].text;
    const std::string here = path(key) + "." + name;
    if (tree->keys[i].kind != Tree::Kind::scalar || !is_name(name))
      report.complain_at(tree->keys[i].where, path(key), shown(name) + " is not a name: a-z, 0-9 and '-' inside, at most 63");
    else if (!seen.insert(name).second)
      report.complain_at(tree->keys[i].where, here, shown(name) + " is a duplicate key: keep one of them");
    else
      read(name, Fields(report, tree->items[i], here, *declared(key).object));
  }
}

}  // namespace arashi::spec
