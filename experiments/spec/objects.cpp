#include "experiments/spec/objects.hpp"

#include "injector/core/kinds.hpp"

#include <array>

namespace arashi::spec {
namespace {

constexpr bool required = true;
constexpr bool optional = false;
constexpr bool zero = true;
constexpr std::string_view not_yet_kubernetes = "needs the Kubernetes runner, which is not supported yet in this version";

constexpr std::array<std::string_view, 1> versions{"arashi.dev/v1"};
constexpr std::array<std::string_view, 1> kinds{"Experiment"};
constexpr std::array<std::string_view, 3> budget_methods{"occurrences", "timeslices", "ratioTimeslices"};
constexpr std::array<std::string_view, 3> empty_slices{"good", "bad", "skip"};
constexpr std::array<std::string_view, 3> moments{"before", "during", "after"};

// Tables read like the page of a manual: name, type, what for, example.
constexpr auto metadata_keys = std::to_array<Key>({
    {"name", Type::name, "the experiment's name: a-z, 0-9 and '-'", "checkout-survives-a-slow-ledger", required},
    {"labels", Type::pairs, "free labels, kept in the result", "{team: payments}"},
    {"namespace", Type::name, "of the Kubernetes resource; without a meaning on one machine", "chaos"},
    {"annotations", Type::pairs, "of the Kubernetes resource; without a meaning here", "{ticket: PAY-7}"},
});

constexpr auto count_keys = std::to_array<Key>({
    {"count", Type::integer, "so many", "2"},
    {"percent", Type::special, "so much of the group, rounded up", "50"},
    {"seed", Type::special, "a whole number: draws the same victims again", "7"},
});

template <std::size_t... sizes>
constexpr auto joined(const std::array<Key, sizes>&... lists) {
  std::array<Key, (sizes + ...)> all{};
  std::size_t next = 0;
  const auto append = [&](const auto& list) {
    for (const Key& key : list) all[next++] = key;
  };
  (append(lists), ...);
  return all;
}

// Kinds of targets are declared in core: each is a key here.
constexpr auto kind_keys = [] {
  std::array<Key, selector_kinds.size()> keys{};
  for (std::size_t i = 0; i < keys.size(); ++i)
    keys[i] = {
        .name = selector_kinds[i].kind, .type = Type::special, .summary = selector_kinds[i].summary, .example = selector_kinds[i].example};
  return keys;
}();

constexpr auto target_keys =
    joined(kind_keys,
           std::to_array<Key>({
               {"pick", Type::special, "how many of those found: all, one, {count: N} or {percent: N}, with a seed to draw the same again",
                "one", optional, "all"},
               {.name = "pods", .type = Type::special, .summary = "", .example = "", .unsupported = not_yet_kubernetes},
               {.name = "container",
                .type = Type::special,
                .summary = "",
                .example = "",
                .unsupported = "is not supported yet in this version; select its cgroup, network namespace or process instead"},
           }));

// What measures an SLO: in the SLO itself, or in each of its `sources`.
constexpr auto measuring_keys = std::to_array<Key>({
    {"load", Type::name, "measured by this load", "checkout"},
    {"latency", Type::duration, "a request that takes longer is bad: of a load, a metrics histogram, or an access log", "300ms"},
    {"rate", Type::rate,
     "mean events of the window, which the budget is a share of; absent: from the source's past, or measured before the start", "200/s"},
    {"prometheus", Type::object, "measured by a Prometheus server, or what speaks its API", "", optional, "", &prometheus_object},
    {"metrics", Type::object, "measured by the replicas' own /metrics pages", "", optional, "", &metrics_object},
    {"datadog", Type::object, "measured by Datadog", "", optional, "", &datadog_object},
    {"mackerel", Type::object, "measured by Mackerel", "", optional, "", &mackerel_object},
    {"cloudwatch", Type::object, "measured by Amazon CloudWatch", "", optional, "", &cloudwatch_object},
    {"newrelic", Type::object, "measured by New Relic", "", optional, "", &newrelic_object},
    {"command", Type::object, "measured by a program of yours", "", optional, "", &command_object},
    {"accessLog", Type::object, "measured by nginx' access log on this machine", "", optional, "", &access_log_object},
    {"from", Type::text, "an OpenSLO v1, Sloth or Pyrra file, relative to the spec; FILE#NAME where it has several",
     "checkout.openslo.yaml"},
    {"server", Type::url, "of 'from': the Prometheus server its queries go to", "http://127.0.0.1:9090"},
});

constexpr auto measure_keys = joined(
    measuring_keys, std::to_array<Key>({
                        {"authoritative", Type::special,
                         "the budget, the steady state and the recovery go by it; with false it is only evidence that something burns",
                         "false", optional, "true"},
                    }));

constexpr auto slo_keys =
    joined(std::to_array<Key>({
               {"objective", Type::percent, "the share of events that must be good", "99.9%"},
               {"window", Type::duration, "over how long: the last 30 days", "30d", optional, "30d"},
               {"calendar", Type::object, "instead of 'window': the window begins anew with each day, week, month, quarter or year", "",
                optional, "", &calendar_object},
           }),
           measuring_keys,
           std::to_array<Key>({
               {"sources", Type::list, "several that measure it side by side; their counts are never added up",
                "[{load: checkout}, {prometheus: {…}, authoritative: false}]", optional, "", &measure_object},
               {.name = "method",
                .type = Type::choice,
                .summary = "what the budget is counted in: bad events, bad time slices, or every slice's share of bad events",
                .example = "timeslices",
                .fallback = "occurrences",
                .choices = budget_methods},
               {"slice", Type::object, "the time slices of such a method", "{target: 95%, window: 1m}", optional, "", &slice_object},
               {"countLost", Type::special, "requests that do not come any more are bad: true (against the rate before), control, or false",
                "true", optional, "false"},
           }));

constexpr auto calendar_keys = std::to_array<Key>({
    {"duration", Type::text, "a number and d, w, M (months), Q (quarters) or Y: how long a window is", "1M", required},
    {"start", Type::text, "when the first one began, by the clock of the time zone; the others follow without a gap", "2026-01-01 00:00:00",
     required},
    {"timezone", Type::text, "IANA name", "Europe/Berlin", required},
});

constexpr auto slice_keys = std::to_array<Key>({
    {"target", Type::percent, "timeslices: the share of good events that makes a slice good", "95%"},
    {"window", Type::duration, "how long a slice is", "1m", optional, "1m"},
    {.name = "empty",
     .type = Type::choice,
     .summary = "what a slice without an event is",
     .example = "skip",
     .fallback = "good",
     .choices = empty_slices},
});

constexpr auto hold_keys = std::to_array<Key>({
    {"hold", Type::duration, "start nothing further and wait this long for data, then abort", "10s", required},
});

constexpr auto guard_keys = std::to_array<Key>({
    {"budget", Type::percent, "of each SLO's whole budget: what this experiment may spend", "2%", optional, "2%"},
    {"reserve", Type::percent, "of each SLO's whole budget: so much must be left; with less nothing starts", "20%", optional, "0%"},
    {"grace", Type::duration, "a total outage of this length comes now and then and does not abort; makes it slower", "5s"},
    {"onNoData", Type::special, "while nothing is known: charge (as if all were bad), abort, or {hold: 10s}", "charge", optional, "charge"},
});

constexpr auto expect_keys = std::to_array<Key>({
    {"exit", Type::special, "the command's exit code", "0", optional, "0"},
    {"status", Type::special, "the HTTP status", "200", optional, "200"},
});

constexpr auto check_keys = std::to_array<Key>({
    {"command", Type::texts, "a program and its arguments, run in the spec's folder", "[demo/ledger-sum]"},
    {"http", Type::url, "an address that is fetched", "http://127.0.0.1:8080/healthz"},
    {"expect", Type::object, "what makes it pass", "{exit: 0}", optional, "", &expect_object},
    {.name = "when",
     .type = Type::choices,
     .summary = "before, during and/or after the faults",
     .example = "[before, after]",
     .fallback = "[before, after]",
     .choices = moments},
    {"every", Type::duration, "during the faults, so often", "5s"},
    {"timeout", Type::duration, "longer is failed", "10s", optional, "10s"},
});

constexpr auto steady_keys = std::to_array<Key>({
    {.name = "for",
     .type = Type::duration,
     .summary = "the SLOs and checks hold this long before the first fault, or nothing starts",
     .example = "10s",
     .required = required,
     .zero = zero},
});

constexpr auto step_keys = std::to_array<Key>({
    {.name = "at", .type = Type::duration, .summary = "when, from the first fault on", .example = "30s", .fallback = "0s", .zero = zero},
    {"for", Type::duration, "how long; then it is reverted", "60s", required},
    {"fault", Type::text, "which fault (arashi faults lists them)", "network.impair", required},
    {"on", Type::name, "which target", "ledger", required},
    {"with", Type::special, "the fault's parameters", "{delay: 200ms}"},
});

constexpr auto recovery_keys = std::to_array<Key>({
    {"within", Type::duration, "the SLOs hold again this soon after the last fault was reverted", "30s", required},
});

constexpr auto window_keys = std::to_array<Key>({
    {"days", Type::special, "mon-fri, or a list", "mon-fri", optional, "mon-sun"},
    {"hours", Type::special, "from-to, local time; 22:00-06:00 goes over midnight", "10:00-16:00", optional, "00:00-24:00"},
    {"timezone", Type::special, "an IANA name", "Asia/Tokyo", required},
});

constexpr auto limits_keys = std::to_array<Key>({
    {"targets", Type::integer, "most victims in all", "3"},
    {"share", Type::percent, "most of any target group", "50%", optional, "100%"},
    {"duration", Type::duration, "the longest timeline", "5m", optional, "1h"},
    {"window", Type::object, "when it may run at all", "", optional, "", &window_object},
});

constexpr auto spec_keys = std::to_array<Key>({
    {"hypothesis", Type::text, "what you expect to hold, as a sentence", "Checkout keeps its SLO while half of the ledger is slow."},
    {"targets", Type::named, "what may be hit, by name", "", optional, "", &target_object},
    {"slos", Type::named, "what must hold, by name", "", optional, "", &slo_object},
    {"load", Type::named, "traffic that is made while it runs, by name", "", optional, "", &load_object},
    {"guard", Type::object, "when it is stopped", "{budget: 2%}", optional, "", &guard_object},
    {"checks", Type::named, "what must be true besides the SLOs, by name", "", optional, "", &check_object},
    {"steadyState", Type::object, "what must hold before", "{for: 10s}", optional, "", &steady_object},
    {"timeline", Type::list, "which fault, when, on what", "", required, "", &step_object},
    {"recovery", Type::object, "what must hold after", "{within: 30s}", optional, "", &recovery_object},
    {"limits", Type::object, "how much may be hit, how long, and when", "{targets: 3, share: 50%}", optional, "", &limits_object},
});

constexpr auto root_keys = std::to_array<Key>({
    {.name = "apiVersion",
     .type = Type::choice,
     .summary = "the format's version",
     .example = "arashi.dev/v1",
     .required = required,
     .choices = versions},
    {.name = "kind", .type = Type::choice, .summary = "what this is", .example = "Experiment", .required = required, .choices = kinds},
    {"metadata", Type::object, "its name", "{name: checkout-survives-a-slow-ledger}", required, "", &metadata_object},
    {"spec", Type::object, "the experiment itself", "", required, "", &spec_object},
});

}  // namespace

constexpr Object metadata_object{"metadata", "who it is", metadata_keys};
constexpr Object target_object{"target", "what may be hit: one kind of thing, and how many of those found", target_keys};
constexpr Object count_object{"pick", "so many of those found", count_keys};
constexpr Object slo_object{"slo", "what must hold, and what measures it: a load, or a source of counts", slo_keys};
constexpr Object measure_object{"source", "one of several that measure an SLO", measure_keys};
constexpr Object slice_object{"slice", "the time slices in which a budget is counted", slice_keys};
constexpr Object hold_object{"hold", "wait for data", hold_keys};
constexpr Object guard_object{"guard", "when the experiment is stopped", guard_keys};
constexpr Object expect_object{"expect", "what makes a check pass", expect_keys};
constexpr Object check_object{"check", "a command or an address that tells whether something is true", check_keys};
constexpr Object steady_object{"steadyState", "what must hold before the first fault", steady_keys};
constexpr Object step_object{"step", "one fault on one target for a while", step_keys};
constexpr Object recovery_object{"recovery", "what must hold after the last fault", recovery_keys};
constexpr Object window_object{"window", "days and hours", window_keys};
constexpr Object calendar_object{"calendar", "a window that follows the calendar", calendar_keys};
constexpr Object limits_object{"limits", "what this experiment may never exceed", limits_keys};
constexpr Object spec_object{"spec", "the experiment itself", spec_keys};
constexpr Object root_object{"experiment", "an Arashi experiment", root_keys};

std::vector<const Object*> all_objects() {
  return {&root_object,       &metadata_object,
          &spec_object,       &target_object,
          &count_object,      &slo_object,
          &measure_object,    &slice_object,
          &secret_object,     &prometheus_object,
          &metrics_object,    &datadog_object,
          &mackerel_object,   &cloudwatch_metric_object,
          &cloudwatch_object, &newrelic_object,
          &command_object,    &access_log_object,
          &load_object,       &stage_object,
          &ramp_object,       &record_object,
          &request_object,    &data_object,
          &tls_object,        &guard_object,
          &hold_object,       &check_object,
          &expect_object,     &steady_object,
          &step_object,       &recovery_object,
          &limits_object,     &window_object,
          &calendar_object};
}

std::string_view name_of(Type type) {
  switch (type) {
    case Type::text:
    case Type::name:
    case Type::special:
      return "text";
    case Type::duration:
      return "duration";
    case Type::percent:
      return "percentage";
    case Type::rate:
      return "rate";
    case Type::integer:
      return "whole number";
    case Type::url:
      return "URL";
    case Type::choice:
    case Type::choices:
      return "choice";
    case Type::texts:
      return "list of texts";
    case Type::pairs:
      return "mapping of texts";
    case Type::object:
      return "mapping";
    case Type::named:
      return "mapping of names";
    case Type::list:
      return "list";
  }
  return "?";
}

}  // namespace arashi::spec
