// Sloth: prometheus/v1 (snake_case), and sloth.slok.dev/v1 PrometheusServiceLevel (camelCase).
#include "experiments/import/document.hpp"

namespace arashi::import {
namespace {

struct Names {
  const char *error, *total, *ratio;
};

void read_slo(Document& document, const Tree& slo, const std::string& path, const std::string& service, const Names& names) {
  document.clean();
  ForeignSlo made{.name = text_of(&slo, "name"), .where = slo.where};
  if (made.name.empty()) document.complain(&slo, path, "'name' is missing");
  if (!service.empty()) made.name = service + "-" + made.name;
  made.objective = document.percent(child(&slo, "objective"), path + ".objective", 100);
  const Tree* sli = child(&slo, "sli");
  const Tree* events = child(sli, "events");
  const int given = (events != nullptr ? 1 : 0) + (child(sli, "raw") != nullptr ? 1 : 0) + (child(sli, "plugin") != nullptr ? 1 : 0);
  if (given != 1) return document.complain(sli == nullptr ? &slo : sli, path + ".sli", "exactly one of events, raw and plugin is needed");
  if (events == nullptr) {
    const bool raw = child(sli, "raw") != nullptr;
    return document.complain(
        sli, path + (raw ? ".sli.raw" : ".sli.plugin"),
        raw ? "is a ratio: the guard needs counts; write sli.events with " + std::string(names.error) + " and " + names.total
            : std::string("is a program of Sloth's own and is not run here; write sli.events"));
  }
  made.bad = document.counters(child(events, names.error), path + ".sli.events." + names.error, false);
  made.total = document.counters(child(events, names.total), path + ".sli.events." + names.total, false);
  document.add(std::move(made));
}

}  // namespace

void read_sloth(Document document, bool resource) {
  if (const Tree* kind = child(document.root, "kind"); resource && text_of(document.root, "kind") != "PrometheusServiceLevel")
    return document.complain(kind != nullptr ? kind : document.root, "kind",
                             "is '" + text_of(document.root, "kind") + "' and no SLO: only PrometheusServiceLevel is read");
  const Tree* spec = resource ? child(document.root, "spec") : document.root;
  const std::string before = resource ? "spec." : "";
  const Names names =
      resource ? Names{"errorQuery", "totalQuery", "errorRatioQuery"} : Names{"error_query", "total_query", "error_ratio_query"};
  const std::string service = text_of(spec, "service");
  if (service.empty()) document.complain(spec, before + "service", "is missing");
  const Tree* slos = child(spec, "slos");
  if (slos == nullptr || slos->kind != Tree::Kind::list || slos->items.empty())
    return document.complain(slos, before + "slos", "is missing: at least one SLO is expected");
  for (std::size_t i = 0; i < slos->items.size(); ++i)
    read_slo(document, slos->items[i], before + "slos[" + std::to_string(i) + "]", service, names);
}

}  // namespace arashi::import
