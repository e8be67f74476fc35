#include "experiments/import/openslo_rules.hpp"

#include "experiments/import/rules.hpp"
#include "experiments/spec/calendar.hpp"
#include "experiments/spec/zone.hpp"

#include <array>
#include <limits>

namespace arashi::import {
namespace {

constexpr std::size_t longest_description = 1050;
constexpr std::size_t longest_display_name = 63;
constexpr std::size_t longest_key = 63, longest_prefix = 253;
constexpr std::size_t any_number = std::numeric_limits<std::size_t>::max();

std::span<const std::string_view> words(const std::initializer_list<std::string_view>& all) { return {all.begin(), all.size()}; }

constexpr std::array<std::string_view, 7> kinds{"DataSource", "SLO", "SLI", "AlertPolicy", "AlertCondition", "AlertNotificationTarget",
                                                "Service"};
constexpr std::array<std::string_view, 4> operators{"lte", "gte", "lt", "gt"};
constexpr std::array<std::string_view, 2> indicators{"indicator", "indicatorRef"};

bool alphanumeric(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }

bool is_key(std::string_view key) {
  constexpr std::string_view between = "-_.";
  if (key.empty() || key.size() > longest_key || !alphanumeric(key.front()) || !alphanumeric(key.back())) return false;
  for (const char c : key)
    if (!alphanumeric(c) && between.find(c) == std::string_view::npos) return false;
  return true;
}

bool is_dns_label(std::string_view label) {
  if (label.empty() || label.size() > longest_key || label.front() == '-' || label.back() == '-') return false;
  return label.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == std::string_view::npos;
}

bool is_subdomain(std::string_view name) {
  if (name.size() > longest_prefix) return false;
  while (true) {
    const auto dot = name.find('.');
    if (!is_dns_label(name.substr(0, dot))) return false;
    if (dot == std::string_view::npos) return true;
    name.remove_prefix(dot + 1);
  }
}

class Openslo : public Rules {
 public:
  void document(const Tree& tree) {
    const Field root{&tree, "", &tree};
    const auto kind = one_of(in(root, "kind"), Need::required, kinds);
    mapping(root, Need::required, words({"apiVersion", "kind", "metadata", "spec"}));
    metadata(in(root, "metadata"));
    const Field spec = in(root, "spec");
    if (kind == "SLO") slo(spec);
    if (kind == "SLI") sli(spec);
    if (kind == "DataSource") data_source(spec);
    if (kind == "Service") described(spec, Need::optional, words({"description"}));
    if (kind == "AlertPolicy") alert_policy(spec);
    if (kind == "AlertCondition") alert_condition(spec);
    if (kind == "AlertNotificationTarget") notification_target(spec);
  }

 private:
  bool described(const Field& spec, Need need, std::span<const std::string_view> keys) {
    if (!mapping(spec, need, keys)) return false;
    no_longer(in(spec, "description"), longest_description);
    return true;
  }

  // ---- metadata

  void metadata(const Field& at) {
    if (!mapping(at, Need::required, words({"name", "displayName", "labels", "annotations"}))) return;
    name(in(at, "name"), Need::required);
    no_longer(in(at, "displayName"), longest_display_name);
    each_entry(in(at, "labels"), [this](const Field& key, const Field& value) { label(key, value); });
    each_entry(in(at, "annotations"), [this](const Field& key, const Field& value) { annotation(key, value); });
  }

  void label(const Field& key, const Field& value) {
    if (!is_key(key.tree->text)) wrong_key(key, "");
    if (!value || value.tree->kind != Tree::Kind::list) return (void)text(value, Need::optional);
    for (std::size_t i = 0; i < value.tree->items.size(); ++i) text(in(value, i), Need::optional);
  }

  void annotation(const Field& key, const Field& value) {
    const std::string_view whole = key.tree->text;
    const auto slash = whole.find('/');
    const bool prefixed = slash != std::string_view::npos;
    if (prefixed && !is_subdomain(whole.substr(0, slash)))
      complain(key, "has a prefix that is no DNS subdomain of at most 253 characters, such as my-domain.org/my-key");
    else if (!is_key(prefixed ? whole.substr(slash + 1) : whole))
      wrong_key(key, prefixed ? " behind the /" : "");
    text(value, Need::optional);
  }

  void wrong_key(const Field& key, const std::string& where) {
    complain(key, "is no key: at most 63 letters, digits, -, _ and ., with a letter or digit first and last" + where + ", are expected");
  }

  void each_entry(const Field& at, const std::function<void(const Field& key, const Field& value)>& check) {
    if (!at) return;
    if (at.tree->kind != Tree::Kind::map) return complain(at, "must be a mapping, but is " + std::string(spec::name_of(at.tree->kind)));
    for (std::size_t i = 0; i < at.tree->keys.size(); ++i) {
      const std::string path = at.path + "." + at.tree->keys[i].text.substr(0, 80);
      const Tree& value = at.tree->items[i];
      check({&at.tree->keys[i], path, at.tree}, {value.kind == Tree::Kind::null ? nullptr : &value, path, at.tree});
    }
  }

  // ---- DataSource, SLI

  void data_source(const Field& spec) {
    if (!described(spec, Need::required, words({"description", "type", "connectionDetails"}))) return;
    text(in(spec, "type"), Need::required);
    if (const Field details = in(spec, "connectionDetails"); !details) complain(details, "is missing");
  }

  void sli(const Field& spec) {
    if (!described(spec, Need::required, words({"description", "thresholdMetric", "ratioMetric"}))) return;
    one(spec, words({"thresholdMetric", "ratioMetric"}), Need::required);
    metric(in(spec, "thresholdMetric"));
    ratio(in(spec, "ratioMetric"));
  }

  void ratio(const Field& at) {
    if (!mapping(at, Need::optional, words({"counter", "good", "bad", "total", "rawType", "raw"}))) return;
    truth(in(at, "counter"));
    one(at, words({"total", "raw"}), Need::required);
    one(at, words({"raw", "good", "bad"}), Need::required);
    for (const char* part : {"good", "bad", "total", "raw"}) metric(in(at, part));
    const Field type = in(at, "rawType");
    if (in(at, "raw")) one_of(type, Need::required, words({"success", "failure"}));
    if (!in(at, "raw") && type) complain(type, "says what a raw ratio is, and there is no raw");
  }

  void metric(const Field& at) {
    if (!mapping(at, Need::optional, words({"metricSource"}))) return;
    const Field source = in(at, "metricSource");
    if (!mapping(source, Need::required, words({"metricSourceRef", "type", "spec"}))) return;
    name(in(source, "metricSourceRef"), Need::optional);
    text(in(source, "type"), Need::optional);
    const Field query = in(source, "spec");
    if (!query) return complain(query, "is missing: what is asked of the source, such as query");
    if (query.tree->kind != Tree::Kind::map || query.tree->items.empty())
      complain(query, "must be a mapping with at least one entry, such as query");
  }

  // An SLI inline, or the name of one.
  void indicator(const Field& around) {
    if (const Field own = in(around, "indicator"); mapping(own, Need::optional, words({"metadata", "spec"}))) {
      metadata(in(own, "metadata"));
      sli(in(own, "spec"));
    }
    name(in(around, "indicatorRef"), Need::optional);
    if (const Field own = in(around, "indicatorRef"); own && own.tree->text.empty()) complain(own, "is empty");
  }

  // ---- SLO

  void slo(const Field& spec) {
    if (!described(
            spec, Need::required,
            words({"description", "service", "indicator", "indicatorRef", "timeWindow", "budgetingMethod", "objectives", "alertPolicies"})))
      return;
    text(in(spec, "service"), Need::required);
    const auto method =
        one_of(in(spec, "budgetingMethod"), Need::required, words({"Occurrences", "Timeslices", "RatioTimeslices"})).value_or("");
    if (const Field windows = in(spec, "timeWindow"); list_of(windows, 1, 1))
      for (std::size_t i = 0; i < windows.tree->items.size(); ++i) window(in(windows, i));
    indicator(spec);
    if (const Field all = in(spec, "objectives"); list_of(all, 1, any_number)) objectives(spec, all, method);
    const Field policies = in(spec, "alertPolicies");
    if (Rules::list(policies, Need::optional, 0, any_number))
      for (std::size_t i = 0; i < policies.tree->items.size(); ++i)
        inline_or_name(in(policies, i), "alertPolicyRef", "AlertPolicy", &Openslo::alert_policy);
  }

  bool list_of(const Field& at, std::size_t fewest, std::size_t most) { return Rules::list(at, Need::required, fewest, most); }

  void window(const Field& at) {
    if (!mapping(at, Need::required, words({"duration", "isRolling", "calendar"}))) return;
    duration(in(at, "duration"), Need::required);
    truth(in(at, "isRolling"));
    const Field calendar = in(at, "calendar");
    const bool rolling = is_true(at.tree, "isRolling");
    if (rolling && calendar) complain(calendar, "can't be there with isRolling: true: a window rolls or follows the calendar");
    if (!rolling && !calendar) complain(at, "says neither isRolling: true nor calendar: {startTime: …, timeZone: …}");
    if (!mapping(calendar, Need::optional, words({"startTime", "timeZone"}))) return;
    start_time(in(calendar, "startTime"));
    const auto zone = text(in(calendar, "timeZone"), Need::required);
    if (!zone) return;
    if (const auto known = spec::local_time(*zone, 0); !known) complain(in(calendar, "timeZone"), known.error().message);
  }

  void start_time(const Field& at) {
    const auto given = text(at, Need::required);
    if (!given) return;
    constexpr std::size_t length = std::string_view("2020-01-21 12:30:00").size();
    if (given->size() != length || !spec::parse_wall_clock(*given))
      complain(at,
               "is '" + given->substr(0, 60) + "': a date with the time in 24 hours and no zone is expected, such as 2020-01-21 12:30:00");
  }

  void objectives(const Field& spec, const Field& all, const std::string& method) {
    bool composite = false;
    for (std::size_t i = 0; i < all.tree->items.size(); ++i)
      composite = composite || in(in(all, i), "indicator") || in(in(all, i), "indicatorRef");
    if (!composite) one(spec, indicators, Need::required);
    if (composite && (in(spec, "indicator") || in(spec, "indicatorRef")))
      complain(all, "have indicators of their own, and the SLO has one too: only one of both is allowed");
    const Field own = in(in(spec, "indicator"), "spec");
    const bool threshold = in(own, "thresholdMetric").tree != nullptr, ratio = in(own, "ratioMetric").tree != nullptr;
    if (threshold && all.tree->items.size() > 1)
      complain(all, "has " + std::to_string(all.tree->items.size()) + " entries: with a thresholdMetric only one is allowed");
    for (std::size_t i = 0; i < all.tree->items.size(); ++i) {
      const Field one_of_them = in(all, i);
      if (!objective(one_of_them, method)) continue;
      if (composite) one(one_of_them, indicators, Need::required);
      if (composite) indicator(one_of_them);
      compared(one_of_them, threshold, ratio);
    }
  }

  // op and value: needed beside an inline thresholdMetric, forbidden beside an inline ratioMetric; of a reference nobody knows.
  void compared(const Field& at, bool threshold, bool ratio) {
    const Field op = in(at, "op"), value = in(at, "value");
    for (const Field& each : {op, value})
      if (ratio && each) complain(each, "is for a thresholdMetric: a ratio is not compared; take it away");
    if (ratio) return;
    one_of(op, threshold ? Need::required : Need::optional, operators);
    number(
        value, threshold ? Need::required : Need::optional, [](double) { return true; }, "a number");
  }

  bool objective(const Field& at, const std::string& method) {
    if (!mapping(at, Need::required,
                 words({"displayName", "op", "value", "target", "targetPercent", "timeSliceTarget", "timeSliceWindow", "indicator",
                        "indicatorRef", "compositeWeight"})))
      return false;
    text(in(at, "displayName"), Need::optional);
    one(at, words({"target", "targetPercent"}), Need::required);
    number(
        in(at, "target"), Need::optional, [](double x) { return x >= 0 && x < 1; }, "a number from 0 to below 1");
    number(
        in(at, "targetPercent"), Need::optional, [](double x) { return x >= 0 && x < 100; }, "a number from 0 to below 100");
    number(
        in(at, "compositeWeight"), Need::optional, [](double x) { return x > 0; }, "a number over 0");
    if (method == "Timeslices")
      number(
          in(at, "timeSliceTarget"), Need::required, [](double x) { return x > 0 && x <= 1; }, "more than 0 and at most 1");
    if (method == "Timeslices" || method == "RatioTimeslices") duration(in(at, "timeSliceWindow"), Need::required);
    return true;
  }

  // ---- alerts

  // The object itself with its kind and metadata, or the name of one.
  void inline_or_name(const Field& at, std::string_view reference, std::string_view kind, void (Openslo::*check)(const Field&)) {
    if (!mapping(at, Need::required, words({reference, "kind", "metadata", "spec"}))) return;
    one(at, words({reference, "spec"}), Need::required);
    name(in(at, reference), Need::optional);
    if (const Field own = in(at, reference); own && own.tree->text.empty()) complain(own, "is empty");
    if (!in(at, "spec")) return;
    one_of(in(at, "kind"), Need::required, std::span(&kind, 1));
    metadata(in(at, "metadata"));
    (this->*check)(in(at, "spec"));
  }

  void alert_policy(const Field& spec) {
    if (!described(
            spec, Need::required,
            words({"description", "alertWhenNoData", "alertWhenResolved", "alertWhenBreaching", "conditions", "notificationTargets"})))
      return;
    for (const char* when : {"alertWhenNoData", "alertWhenResolved", "alertWhenBreaching"}) truth(in(spec, when));
    if (const Field conditions = in(spec, "conditions"); list_of(conditions, 1, 1))
      for (std::size_t i = 0; i < conditions.tree->items.size(); ++i)
        inline_or_name(in(conditions, i), "conditionRef", "AlertCondition", &Openslo::alert_condition);
    if (const Field targets = in(spec, "notificationTargets"); list_of(targets, 1, any_number))
      for (std::size_t i = 0; i < targets.tree->items.size(); ++i)
        inline_or_name(in(targets, i), "targetRef", "AlertNotificationTarget", &Openslo::notification_target);
  }

  void alert_condition(const Field& spec) {
    if (!described(spec, Need::required, words({"description", "severity", "condition"}))) return;
    text(in(spec, "severity"), Need::required);
    const Field condition = in(spec, "condition");
    if (!mapping(condition, Need::required, words({"kind", "op", "threshold", "lookbackWindow", "alertAfter"}))) return;
    one_of(in(condition, "kind"), Need::required, words({"burnrate"}));
    one_of(in(condition, "op"), Need::required, operators);
    number(
        in(condition, "threshold"), Need::required, [](double) { return true; }, "a number");
    duration(in(condition, "lookbackWindow"), Need::required);
    duration(in(condition, "alertAfter"), Need::optional);
  }

  void notification_target(const Field& spec) {
    if (!described(spec, Need::required, words({"description", "target"}))) return;
    text(in(spec, "target"), Need::required);
  }
};

}  // namespace

std::vector<spec::Problem> breaches_of_openslo(const Tree& document) {
  Openslo rules;
  rules.document(document);
  return std::move(rules.found);
}

}  // namespace arashi::import
