#include "experiments/spec/parse.hpp"

#include "experiments/spec/document/text.hpp"
#include "experiments/spec/document/tree.hpp"
#include "experiments/spec/reader.hpp"
#include "experiments/spec/references.hpp"
#include "experiments/spec/sections.hpp"
#include "injector/core/json.hpp"
#include "injector/core/params.hpp"
#include "injector/core/peer.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <optional>
#include <tuple>

namespace arashi::spec {
namespace {

using Faults = std::vector<protocol::FaultText>;

Target read_target(const std::string& name, const Fields& fields) {
  return {.name = name, .selector = read_selector(fields), .pick = read_pick(fields), .where = fields.where()};
}

// What a file says of an SLO; nothing where no file is named, or it can't be used.
std::optional<ImportedSlo> read_from(const Fields& fields, const ReadSlo& read, Measure& measure) {
  PrometheusSource source;
  std::string from;
  fields.text("from", from);
  fields.text("server", source.url);
  if (fields.has("server") && !fields.has("from"))
    fields.report.complain(fields.path("server"), "is for 'from': which server its queries go to");
  if (from.empty()) return std::nullopt;
  if (measure.source.index() != 0 || !measure.load.empty()) {
    fields.complain("has both 'from' and another source: one of them measures it");
    return std::nullopt;
  }
  auto imported = read ? read(from) : Result<ImportedSlo>(fail(Blame::input, "files are not read here"));
  if (!imported) {
    fields.report.complain(fields.path("from"), imported.error().message);
    return std::nullopt;
  }
  if (source.url.empty()) source.url = imported->url;
  if (source.url.empty())
    fields.report.complain(fields.path("from"), "does not say where Prometheus is: add server, such as server: http://127.0.0.1:9090");
  source.bad = imported->bad;
  source.total = imported->total;
  measure.source = std::move(source);
  return *imported;
}

void read_authority(const Fields& fields, Measure& measure) {
  const Tree* tree = fields.find("authoritative");
  if (tree == nullptr) return;
  measure.authoritative = tree->text != "false";
  if (tree->text != "true" && tree->text != "false")
    fields.report.complain(fields.path("authoritative"), "is '" + tree->text.substr(0, 60) + "': write true or false");
}

// Several sources, each with what belongs to it.
void read_measures(const Fields& fields, const ReadSlo& read, Slo& slo, std::optional<ImportedSlo>& imported) {
  for (const std::string_view key : {"load", "latency", "rate", "prometheus", "metrics", "datadog", "mackerel", "cloudwatch", "newrelic",
                                     "command", "accessLog", "from", "server"})
    if (fields.has(key))
      fields.report.complain(fields.path(key), "and 'sources' exclude each other: move it into the source that it is for");
  fields.list("sources", [&](const Fields& source) {
    Measure measure = read_measure(source);
    read_authority(source, measure);
    const auto of_file = read_from(source, read, measure);
    if (!imported) imported = of_file;
    slo.measures.push_back(std::move(measure));
  });
  if (fields.find("sources")->kind == Tree::Kind::list && slo.measures.empty())
    fields.report.complain(fields.path("sources"), "is empty: nothing measures the SLO");
  if (!slo.measures.empty() && std::ranges::none_of(slo.measures, &Measure::authoritative))
    fields.report.complain(fields.path("sources"),
                           "has no authoritative source: take 'authoritative: false' from the one whose budget counts");
}

// What stands in the spec goes before what the file says.
void take_imported(const Fields& fields, const ImportedSlo& imported, Slo& slo) {
  if (!fields.has("objective")) slo.objective = imported.objective;
  if (!fields.has("window") && !fields.has("calendar")) {
    slo.window = imported.window;
    slo.calendar = imported.calendar;
  }
  if (fields.has("method") || imported.method == Method::occurrences) return;
  slo.method = imported.method;
  if (fields.has("slice")) return;
  slo.slice = imported.slice;
  slo.slice_target = imported.slice_target;
}

Slo read_slo(const std::string& name, const Fields& fields, const ReadSlo& read) {
  Slo slo{.name = name, .where = fields.where()};
  Percent objective;
  fields.percent("objective", objective);
  if (objective.fraction >= 1)
    fields.report.complain(fields.path("objective"), "is 100%: that leaves no budget, so nothing may be broken; such as 99.9%");
  if (objective.fraction < 1) slo.objective = objective.fraction;
  read_window(fields, slo);
  read_budgeting(fields, slo);
  std::optional<ImportedSlo> imported;
  if (fields.has("sources")) {
    read_measures(fields, read, slo, imported);
  } else {
    Measure measure = read_measure(fields);
    imported = read_from(fields, read, measure);
    slo.measures.push_back(std::move(measure));
  }
  if (imported) take_imported(fields, *imported, slo);
  if (!fields.has("objective") && !imported && !fields.has("from"))
    fields.complain("'objective' is missing: the share of events that must be good, such as objective: 99.9%");
  return slo;
}

Guard read_guard(const Fields& fields) {
  Guard guard{.where = fields.where()};
  fields.percent("budget", guard.budget);
  fields.percent("reserve", guard.reserve);
  fields.duration("grace", guard.grace);
  read_no_data(fields, guard);
  return guard;
}

void read_moments(const Fields& fields, Check& check) {
  std::vector<std::string> when;
  fields.texts("when", when);
  fields.duration("every", check.during);
  const auto holds = [&](std::string_view moment) { return std::ranges::find(when, moment) != when.end(); };
  check.before = holds("before") || (!fields.has("when") && !fields.has("every"));
  check.after = holds("after") || (!fields.has("when") && !fields.has("every"));
  if (holds("during") && !fields.has("every")) check.during = std::chrono::seconds(5);
  if (fields.has("every") && fields.has("when") && !holds("during"))
    fields.report.complain(fields.path("every"), "is for a check 'during' the faults: add during to 'when', or take 'every' away");
}

Check read_check(const std::string& name, const Fields& fields) {
  Check check{.name = name, .where = fields.where()};
  const Tree* command = fields.find("command");
  if (command != nullptr && command->kind == Tree::Kind::scalar)
    fields.report.complain(fields.path("command"), "is one text: write the program and its arguments as a list, such as [sh, -c, \"…\"]");
  else
    fields.texts("command", check.command);
  fields.text("http", check.url);
  read_expect(fields, check);
  read_moments(fields, check);
  fields.duration("timeout", check.timeout);
  if (fields.has("command") == fields.has("http"))
    fields.complain(fields.has("http") ? "has both 'command' and 'http': make two checks" : "needs 'command' or 'http': what is asked?");
  return check;
}

Step read_step(const Fields& fields, const Faults& faults) {
  const Tree* with = fields.find("with");
  Step step{.path = fields.path(), .where = fields.where(), .params_where = with != nullptr ? with->where : fields.where()};
  fields.duration("at", step.at);
  fields.duration("for", step.length);
  fields.text("fault", step.fault);
  fields.text("on", step.on);
  const auto fault = std::ranges::find(faults, step.fault, &protocol::FaultText::name);
  step.params = fault == faults.end() ? std::make_shared<Json>(Json::object()) : read_params(fields, *fault);
  if (fault == faults.end()) return step;
  for (const auto& param : fault->params)
    if (param.type == "peers") step.peer_lists.push_back(param.name);
  return step;
}

Limits read_limits(const Fields& fields) {
  Limits limits;
  fields.integer("targets", limits.targets);
  fields.percent("share", limits.share);
  fields.duration("duration", limits.duration);
  fields.object("window", [&](const Fields& window) { limits.window = read_hours(window); });
  return limits;
}

struct Read {
  const ReadSlo& slo;
  const ReadText& text;
};

void read_spec_object(const Fields& fields, const Faults& faults, const Read& read, Experiment& out) {
  fields.text("hypothesis", out.hypothesis);
  fields.named("targets", [&](const std::string& name, const Fields& target) { out.targets.push_back(read_target(name, target)); });
  fields.named("slos", [&](const std::string& name, const Fields& slo) { out.slos.push_back(read_slo(name, slo, read.slo)); });
  fields.named("load", [&](const std::string& name, const Fields& load) { out.loads.push_back(read_load(name, load, read.text)); });
  fields.object("guard", [&](const Fields& guard) { out.guard = read_guard(guard); });
  fields.named("checks", [&](const std::string& name, const Fields& check) { out.checks.push_back(read_check(name, check)); });
  fields.object("steadyState", [&](const Fields& steady) { steady.duration("for", out.steady_for); });
  fields.list("timeline", [&](const Fields& step) { out.timeline.push_back(read_step(step, faults)); });
  fields.object("recovery", [&](const Fields& recovery) { recovery.duration("within", out.recovery_within); });
  fields.object("limits", [&](const Fields& limits) { out.limits = read_limits(limits); });
}

void read_root(const Tree& tree, const Faults& faults, const Read& read, Report& report, Experiment& out) {
  const Fields root(report, tree, "", root_object);
  std::string checked;
  root.text("apiVersion", checked);
  root.text("kind", checked);
  root.object("metadata", [&](const Fields& metadata) {
    metadata.text("name", out.name);
    metadata.pairs("labels", out.labels);
    std::string unused_here;
    metadata.text("namespace", unused_here);
    std::map<std::string, std::string> unused_pairs;
    metadata.pairs("annotations", unused_pairs);
  });
  root.object("spec", [&](const Fields& spec) { read_spec_object(spec, faults, read, out); });
}

}  // namespace

bool Problem::operator<(const Problem& other) const {
  return std::tie(where.line, where.column, path, message) < std::tie(other.where.line, other.where.column, other.path, other.message);
}

Parsed parse(std::string_view text, const std::vector<protocol::FaultText>& faults, const ReadSlo& from, const ReadText& text_of) {
  Parsed parsed;
  const auto refuse = [&](Where where, std::string message) {
    parsed.problems.push_back({where, "", std::move(message)});
    return parsed;
  };
  if (text.size() > largest_spec)
    return refuse({1, 1}, "is " + std::to_string(text.size()) + " bytes long, at most " + to_text(Bytes{largest_spec}) + " is read");
  if (auto foreign = find_foreign_byte(text)) return refuse(foreign->where, foreign->message);
  auto read = read_tree(text);
  if (const auto* problem = std::get_if<TreeProblem>(&read)) return refuse(problem->where, problem->message);
  const Tree& tree = std::get<Tree>(read);
  if (tree.kind == Tree::Kind::null) return refuse({1, 1}, "is empty: an experiment is expected; see 'arashi schema' and the examples");
  Report report;
  Experiment& experiment = parsed.experiment;
  read_root(tree, faults, {from, text_of}, report, experiment);
  check_references(experiment, faults, report);
  std::ranges::stable_sort(experiment.timeline, {}, &Step::at);
  experiment.text = text;
  parsed.problems = report.take();
  return parsed;
}

std::string to_text(const std::string& file, const Problem& problem) {
  return file + ":" + std::to_string(problem.where.line) + ":" + std::to_string(problem.where.column) + ": " +
         (problem.path.empty() ? "" : problem.path + ": ") + problem.message;
}

Duration timeline_length(const Experiment& experiment) {
  Duration longest{0};
  for (const Step& step : experiment.timeline) longest = std::max(longest, step.at + step.length);
  return longest;
}

Duration run_length(const Experiment& experiment) {
  return experiment.steady_for + timeline_length(experiment) + experiment.recovery_within;
}

bool may_outlast(const Experiment& experiment, const Period& period, std::int64_t now) {
  constexpr Duration longest_wait = std::chrono::minutes(30);  // for data before the first injection
  return std::chrono::seconds(now) + run_length(experiment) + longest_wait >= std::chrono::seconds(period.end);
}

Result<void> settle_windows(Experiment& experiment, std::int64_t now) {
  for (Slo& slo : experiment.slos) {
    if (!slo.calendar) continue;
    auto period = period_of(*slo.calendar, now);
    if (!period) return because(period.error(), "SLO '", slo.name, "'");
    slo.period = *period;
    slo.window = std::chrono::seconds(period->end - period->begin);
    while (may_outlast(experiment, *period, now)) {
      period = TRY(period_of(*slo.calendar, period->end));
      slo.window = std::min<Duration>(slo.window, std::chrono::seconds(period->end - period->begin));
    }
  }
  return {};
}

std::vector<std::string> peer_targets(const Step& step) {
  std::vector<std::string> names;
  for (const auto& list : step.peer_lists)
    for (const auto& text : list_param(*step.params, list)) {
      const auto peer = parse_peer(text);
      if (peer && peer->kind == Peer::Kind::group && std::ranges::find(names, peer->name) == names.end()) names.push_back(peer->name);
    }
  return names;
}

const Load* load_of(const Experiment& experiment, const Measure& measure) {
  const auto found = std::ranges::find(experiment.loads, measure.load, &Load::name);
  return measure.load.empty() || found == experiment.loads.end() ? nullptr : &*found;
}

const Target* find_target(const Experiment& experiment, const std::string& name) {
  const auto found = std::ranges::find(experiment.targets, name, &Target::name);
  return found == experiment.targets.end() ? nullptr : &*found;
}

}  // namespace arashi::spec
