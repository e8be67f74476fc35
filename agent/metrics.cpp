#include "agent/metrics.hpp"

#include <array>
#include <limits>
#include <sstream>
#include <string_view>

namespace arashi {

namespace {

std::string label_text(std::string_view value) {
  std::string out = "\"";
  for (const char c : value) {
    if (c == '\n') {
      out += "\\n";
      continue;
    }
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

void head(std::ostream& out, std::string_view name, std::string_view type, std::string_view help) {
  out << "# HELP " << name << ' ' << help << "\n# TYPE " << name << ' ' << type << '\n';
}

void by_label(std::ostream& out, std::string_view name, std::string_view label, const std::map<std::string, std::uint64_t>& values) {
  for (const auto& [value, count] : values) out << name << '{' << label << '=' << label_text(value) << "} " << count << '\n';
}

void put_steps(std::ostream& out, const std::vector<Injection>& injections) {
  std::map<std::string, std::uint64_t> steps;
  for (const auto step : {Step::intended, Step::applying, Step::active, Step::lost, Step::reverting, Step::stuck})
    steps[std::string(name_of(step))] = 0;  // a series that is always there can be alerted on
  for (const auto& injection : injections)
    if (!is_over(injection.step)) ++steps[std::string(name_of(injection.step))];
  head(out, "arashi_injections", "gauge", "Faults that have not ended, by step.");
  by_label(out, "arashi_injections", "step", steps);
}

std::string labels_of(const Injection& injection) {
  return "id=" + label_text(injection.id) + ",experiment=" + label_text(injection.experiment) + ",fault=" + label_text(injection.fault);
}

void put_evidence(std::ostream& out, const std::vector<Injection>& injections) {
  head(out, "arashi_evidence_events", "gauge", "Events an active fault could have affected (seen) and did affect (affected).");
  for (const auto& injection : injections) {
    if (is_over(injection.step)) continue;
    const auto labels = labels_of(injection);
    out << "arashi_evidence_events{" << labels << ",kind=\"seen\"} " << injection.evidence.seen << '\n'
        << "arashi_evidence_events{" << labels << ",kind=\"affected\"} " << injection.evidence.affected << '\n';
  }
}

// "delay" in nanoseconds, "loss" as a fraction, "matched packets" as a count: requested beside achieved.
void put_values(std::ostream& out, const std::vector<Injection>& injections) {
  head(out, "arashi_evidence_value", "gauge",
       "What an active fault was asked to do (requested) and does (achieved), in the unit of its label.");
  for (const auto& injection : injections) {
    if (is_over(injection.step)) continue;
    for (const auto& value : injection.evidence.values) {
      const auto labels = labels_of(injection) + ",what=" + label_text(value.what) + ",unit=" + label_text(value.unit);
      if (value.requested) out << "arashi_evidence_value{" << labels << ",kind=\"requested\"} " << *value.requested << '\n';
      if (value.achieved) out << "arashi_evidence_value{" << labels << ",kind=\"achieved\"} " << *value.achieved << '\n';
    }
  }
}

void put_one(std::ostream& out, std::string_view name, std::string_view type, std::string_view help, std::uint64_t value) {
  head(out, name, type, help);
  out << name << ' ' << value << '\n';
}

}  // namespace

void Tally::count(const std::vector<Reverted>& reverted) {
  for (const auto& one : reverted) ++reverts[std::string(name_of(one.step))];
}

std::string metrics_text(const Tally& counters, const Gauges& gauges) {
  std::ostringstream out;
  out.precision(std::numeric_limits<double>::max_digits10 - 2);
  head(out, "arashi_build_info", "gauge", "Always 1; tells the release and the node's name.");
  out << "arashi_build_info{release=" << label_text(gauges.release) << ",node=" << label_text(gauges.node) << "} 1\n";
  put_steps(out, gauges.injections);
  head(out, "arashi_inject_requests_total", "counter", "Requests to inject a fault, by outcome.");
  by_label(out, "arashi_inject_requests_total", "outcome", counters.injections);
  head(out, "arashi_reverts_total", "counter", "Faults reverted, by outcome.");
  by_label(out, "arashi_reverts_total", "outcome", counters.reverts);
  put_one(out, "arashi_leases", "gauge", "Experiments that hold a lease.", gauges.leases);
  put_one(out, "arashi_leases_opened_total", "counter", "Leases opened; renewals are not counted.", counters.leases_opened);
  put_one(out, "arashi_leases_expired_total", "counter", "Leases that ended because nobody renewed them.", counters.leases_expired);
  put_one(out, "arashi_halts_total", "counter", "Halt requests.", counters.halts);
  put_evidence(out, gauges.injections);
  put_values(out, gauges.injections);
  return out.str();
}

}  // namespace arashi
