#include "experiments/spec/sections.hpp"

#include "experiments/spec/zone.hpp"
#include "injector/core/json.hpp"
#include "injector/core/kinds.hpp"
#include "injector/core/suggest.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

namespace arashi::spec {
namespace {

constexpr std::array<std::string_view, 7> day_names{"mon", "tue", "wed", "thu", "fri", "sat", "sun"};

template <class Number>
std::optional<Number> whole(const std::string& text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::string scalar_or_kind(const Tree& tree) {
  return tree.kind == Tree::Kind::scalar ? "'" + tree.text.substr(0, 60) + "'" : std::string(name_of(tree.kind));
}

std::vector<std::string_view> kind_names() {
  std::vector<std::string_view> names(selector_kinds.size());
  std::ranges::transform(selector_kinds, names.begin(), &SelectorKind::kind);
  return names;
}

// As it is written: scalars are texts, mappings and lists stay what they are.
Json as_json(const Fields& target, const Tree& tree, const std::string& path) {
  if (tree.kind == Tree::Kind::scalar) return tree.text;
  Json json = tree.kind == Tree::Kind::map ? Json::object() : Json::array();
  for (std::size_t i = 0; i < tree.items.size(); ++i) {
    if (tree.kind == Tree::Kind::list) {
      json.push_back(as_json(target, tree.items[i], path + "[" + std::to_string(i) + "]"));
      continue;
    }
    const Tree& key = tree.keys[i];
    const std::string here = path + "." + key.text;
    target.report.place(here, key.where);
    if (key.kind != Tree::Kind::scalar)
      target.report.complain(here, "has a key that is " + std::string(name_of(key.kind)) + ", a text is expected");
    else if (json.contains(key.text))
      target.report.complain_at(key.where, here, "'" + key.text + "' is a duplicate key: keep one of them");
    else
      json[key.text] = as_json(target, tree.items[i], here);
  }
  return json;
}

Json read_match(const Fields& target, const SelectorKind& kind) {
  Json match = Json::object();
  const Tree* tree = target.find(kind.kind);
  const std::string here = target.path(kind.kind);
  if (tree == nullptr) return match;  // node: null
  if (tree->kind != Tree::Kind::map) {
    target.report.complain(here, "is " + scalar_or_kind(*tree) + ", a mapping is expected, such as " + std::string(kind.kind) + ": " +
                                     std::string(kind.example));
    return match;
  }
  return as_json(target, *tree, here);
}

// check_selector looks at the whole; asked key by key it tells which one is wrong.
void check_match(const Fields& target, const Selector& selector) {
  const std::string here = target.path(selector.kind);
  if (selector.match.empty()) {
    for (const auto& message : check_selector(selector)) target.report.complain(here, message);
    return;
  }
  for (const auto& [key, value] : selector.match.items())
    for (const auto& message : check_selector({.kind = selector.kind, .match = Json{{key, value}}}))
      target.report.complain(here + "." + key, message);
}

void read_percent_of_group(const Fields& fields, Pick& pick) {
  const Tree* tree = fields.find("percent");
  if (tree == nullptr) return;
  pick.mode = Pick::Mode::percent;
  const std::string text = tree->kind != Tree::Kind::scalar || tree->text.ends_with('%') ? tree->text : tree->text + "%";
  const auto parsed = parse_percent(text);
  if (parsed && parsed->fraction > 0)
    pick.percent = *parsed;
  else
    fields.report.complain(fields.path("percent"),
                           "is " + scalar_or_kind(*tree) + ": more than 0 and at most 100 is expected, such as percent: 50");
}

void read_seed(const Fields& fields, Pick& pick) {
  const Tree* tree = fields.find("seed");
  if (tree == nullptr) return;
  pick.seed = whole<std::uint64_t>(tree->text);
  if (!pick.seed)
    fields.report.complain(fields.path("seed"), "is " + scalar_or_kind(*tree) + ": a whole number is expected, such as seed: 7");
}

Pick read_counted(const Fields& fields) {
  Pick pick;
  if (fields.has("count")) pick.mode = Pick::Mode::count;
  fields.integer("count", pick.count);
  read_percent_of_group(fields, pick);
  read_seed(fields, pick);
  if (fields.has("count") == fields.has("percent"))
    fields.complain(fields.has("count") ? "has both count and percent: keep one of them"
                                        : "needs count or percent, such as {count: 1, seed: 7}");
  return pick;
}

int day_number(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  const auto found = std::ranges::find(day_names, std::string_view(text));
  return found == day_names.end() ? 0 : static_cast<int>(found - day_names.begin()) + 1;
}

// "mon", "mon-fri", "fri-mon" (over the week's end); empty when wrong.
std::vector<int> days_of(const std::string& text) {
  const auto dash = text.find('-');
  const int first = day_number(text.substr(0, dash));
  const int last = dash == std::string::npos ? first : day_number(text.substr(dash + 1));
  std::vector<int> days;
  if (first == 0 || last == 0) return days;
  for (int day = first;; day = day % 7 + 1) {
    days.push_back(day);
    if (day == last) return days;
  }
}

std::vector<int> read_days(const Fields& window) {
  const Tree* tree = window.find("days");
  std::vector<int> days;
  if (tree == nullptr) return {1, 2, 3, 4, 5, 6, 7};
  const std::vector<Tree> one{*tree};
  for (const Tree& each : tree->kind == Tree::Kind::list ? tree->items : one) {
    const std::vector<int> found = each.kind == Tree::Kind::scalar ? days_of(each.text) : std::vector<int>{};
    if (found.empty())
      window.report.complain_at(each.where, window.path("days"),
                                "is " + scalar_or_kind(each) + ": days are mon, tue, wed, thu, fri, sat, sun, as mon-fri or [mon, wed]");
    days.insert(days.end(), found.begin(), found.end());
  }
  std::ranges::sort(days);
  days.erase(std::unique(days.begin(), days.end()), days.end());
  return days;
}

// "10:00" → 10 h; 24:00 is the end of the day.
std::optional<Duration> time_of_day(std::string_view text) {
  const auto digit = [&](std::size_t i) { return text[i] >= '0' && text[i] <= '9'; };
  if (text.size() != 5 || text[2] != ':' || !digit(0) || !digit(1) || !digit(3) || !digit(4)) return std::nullopt;
  const int hour = (text[0] - '0') * 10 + (text[1] - '0');
  const int minute = (text[3] - '0') * 10 + (text[4] - '0');
  if (minute > 59 || hour * 60 + minute > 24 * 60) return std::nullopt;
  return std::chrono::hours(hour) + std::chrono::minutes(minute);
}

// A bare number where a unit belongs is the most common slip of all: said in the same words as everywhere else in the spec.
bool lacks_unit(const Fields& step, const ParamText& param, const Tree& value) {
  if (value.kind != Tree::Kind::scalar || (param.type != "percent" && value.text == "0")) return false;
  const std::string message = missing_unit(param.type, value.text);
  if (message.empty()) return false;
  step.report.complain(step.path("with") + "." + param.name, "is '" + value.text.substr(0, 60) + "': " + message);
  return true;
}

void place_params(const Fields& step, const Tree& tree, const protocol::FaultText& fault, std::map<std::string, bool>& complained) {
  for (std::size_t i = 0; i < tree.items.size(); ++i) {
    const Tree& key = tree.keys[i];
    const std::string path = step.path("with") + "." + key.text;
    const auto param = std::ranges::find(fault.params, key.text, &ParamText::name);
    if (complained.contains(key.text)) step.report.complain_at(key.where, path, "'" + key.text + "' is a duplicate key: keep one of them");
    step.report.place(path, param == fault.params.end() ? key.where : tree.items[i].where);
    complained[key.text] = param != fault.params.end() && lacks_unit(step, *param, tree.items[i]);
  }
}

}  // namespace

Selector read_selector(const Fields& target) {
  Selector selector;
  for (const auto& kind : selector_kinds) {
    const bool bare_node = kind.keys.empty() && target.names(kind.kind);  // `node:` without a value
    if (!target.has(kind.kind) && !bare_node) continue;
    if (!selector.kind.empty()) {
      target.report.complain(target.path(kind.kind),
                             "a target is one kind of thing, this one is already '" + selector.kind + "': make two targets");
      continue;
    }
    selector.kind = kind.kind;
    selector.match = read_match(target, kind);
    check_match(target, selector);
  }
  if (!selector.kind.empty() || target.names("pods") || target.names("container")) return selector;
  std::string known;
  for (const auto name : kind_names()) known.append(known.empty() ? "" : ", ").append(name);
  target.complain("has no kind: one of " + known + " is needed, such as process: {name: wallet}");
  return selector;
}

Pick read_pick(const Fields& target) {
  const Tree* tree = target.find("pick");
  const std::string here = target.path("pick");
  constexpr std::array<std::string_view, 2> words{"all", "one"};
  if (tree == nullptr) return {};
  if (tree->kind == Tree::Kind::map) return read_counted(Fields(target.report, *tree, here, count_object));
  if (tree->text == "all") return {};
  if (tree->text == "one") return {.mode = Pick::Mode::one};
  if (whole<int>(tree->text))
    target.report.complain(here, "is " + scalar_or_kind(*tree) + "; did you mean {count: " + tree->text + "}?");
  else if (tree->kind == Tree::Kind::scalar && parse_percent(tree->text))
    target.report.complain(
        here, "is " + scalar_or_kind(*tree) + "; did you mean {percent: " + tree->text.substr(0, tree->text.size() - 1) + "}?");
  else
    target.report.complain(here, "is " + scalar_or_kind(*tree) + (tree->kind == Tree::Kind::scalar ? suggestion(tree->text, words) : "") +
                                     "; write all, one, {count: 2} or {percent: 50}");
  return {};
}

void read_no_data(const Fields& guard, Guard& out) {
  const Tree* tree = guard.find("onNoData");
  const std::string here = guard.path("onNoData");
  if (tree == nullptr) return;
  if (tree->kind == Tree::Kind::map) {
    out.on_no_data = OnNoData::hold;
    return Fields(guard.report, *tree, here, hold_object).duration("hold", out.hold);
  }
  constexpr std::array<std::string_view, 2> words{"charge", "abort"};
  if (tree->text == "charge") {
    out.on_no_data = OnNoData::charge;
  } else if (tree->text == "abort") {
    out.on_no_data = OnNoData::abort;
  } else if (tree->text.starts_with("hold: ")) {  // a quoted one
    out.on_no_data = OnNoData::hold;
    const auto parsed = parse_duration(std::string_view(tree->text).substr(6));
    if (!parsed) return guard.report.complain(here, parsed.error().message);
    out.hold = *parsed;
  } else if (tree->text.starts_with("hold")) {
    guard.report.complain(here, "is " + scalar_or_kind(*tree) + ": say how long, as onNoData: {hold: 10s}");
  } else {
    guard.report.complain(here, "is " + scalar_or_kind(*tree) + suggestion(tree->text, words) + "; write charge, abort or {hold: 10s}");
  }
}

void read_expect(const Fields& check, Check& out) {
  out.expect = check.has("http") ? 200 : 0;
  check.object("expect", [&](const Fields& expect) {
    const auto read = [&](std::string_view key, std::string_view of, int least, int most) {
      const Tree* tree = expect.find(key);
      if (tree == nullptr) return;
      const auto value = whole<int>(tree->text);
      if (!check.has(of))
        expect.report.complain(expect.path(key), "'" + std::string(key) + "' is for a check with '" + std::string(of) + "'");
      else if (!value || *value < least || *value > most)
        expect.report.complain(expect.path(key), "is " + scalar_or_kind(*tree) + ": a whole number from " + std::to_string(least) + " to " +
                                                     std::to_string(most) + " is expected");
      else
        out.expect = *value;
    };
    read("exit", "command", 0, 255);
    read("status", "http", 100, 599);
  });
}

Hours read_hours(const Fields& window) {
  Hours hours{.days = read_days(window), .from = {}, .to = std::chrono::hours(24), .timezone = {}};
  if (const Tree* tree = window.find("hours")) {
    const std::string_view text = tree->text;
    const auto dash = text.find('-');
    const auto from = time_of_day(text.substr(0, dash));
    const auto to = dash == std::string_view::npos ? std::nullopt : time_of_day(text.substr(dash + 1));
    if (!from || !to || *from == *to)
      window.report.complain(window.path("hours"),
                             "is " + scalar_or_kind(*tree) + ": hours are written as 10:00-16:00, from 00:00 to 24:00");
    hours.from = from.value_or(Duration{});
    hours.to = to.value_or(std::chrono::hours(24));
  }
  if (const Tree* tree = window.find("timezone")) {
    hours.timezone = tree->text;
    if (const auto known = local_time(hours.timezone, 0); !known) window.report.complain(window.path("timezone"), known.error().message);
  }
  return hours;
}

std::shared_ptr<const Json> read_params(const Fields& step, const protocol::FaultText& fault) {
  const Tree* tree = step.find("with");
  std::map<std::string, bool> complained;
  Json given = nullptr;
  if (tree != nullptr && tree->kind != Tree::Kind::map) {
    step.report.complain(step.path("with"), "is " + scalar_or_kind(*tree) + ", a mapping of parameters is expected");
    return std::make_shared<Json>(Json::object());
  }
  if (tree != nullptr) {
    place_params(step, *tree, fault, complained);
    given = to_json(*tree);
  }
  ParamCheck check = check_params(std::span<const ParamText>(fault.params), given);
  for (const auto& problem : check.problems)
    if (!complained[problem.name])
      step.report.complain(step.path("with") + (problem.name.empty() ? "" : "." + problem.name), problem.message);
  return std::make_shared<Json>(std::move(check.canonical));
}

}  // namespace arashi::spec
