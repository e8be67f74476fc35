#include "experiments/engine/budget_names.hpp"

#include "experiments/sli/prometheus/promql.hpp"
#include "experiments/spec/sources/series.hpp"

#include <algorithm>
#include <filesystem>

namespace arashi::engine {
namespace {

std::string joined(const std::vector<std::string>& parts, const std::string& between) {
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : between) + part;
  return text;
}

std::string sorted(std::vector<std::string> parts, const std::string& between = " ") {
  std::ranges::sort(parts);
  return joined(parts, between);
}

// Without blanks outside of quotes, and with one kind of quotes.
std::string packed(const std::string& text) {
  std::string made;
  char quote = 0;
  for (const char c : text) {
    if (quote == 0 && std::isspace(static_cast<unsigned char>(c)) != 0) continue;
    const bool opens = quote == 0 && (c == '"' || c == '\'' || c == '`');
    made += opens || (quote != 0 && c == quote) ? '"' : c;
    if (opens)
      quote = c;
    else if (c == quote)
      quote = 0;
  }
  return made;
}

std::string selector(const std::string& text) {
  const auto series = spec::parse_series(text);
  if (!series) return packed(text);
  std::vector<std::string> labels;
  for (const auto& each : series->matchers) {
    using Kind = spec::Matcher::Kind;
    const char* is = each.kind == Kind::equal ? "=" : each.kind == Kind::unequal ? "!=" : each.kind == Kind::like ? "=~" : "!~";
    labels.push_back(each.label + is + "\"" + each.value + "\"");
  }
  return series->name + "{" + sorted(std::move(labels), ",") + "}";
}

// sum(x) of one series is x.
std::string query(const std::string& text) {
  const auto expression = sli::analyse(text);
  if (!expression) return packed(text);
  if (expression->selector) return "+" + selector(expression->text);
  std::vector<std::string> terms;
  for (const auto& term : expression->terms) terms.push_back((term.minus ? "-" : "+") + selector(term.selector));
  return terms.empty() ? packed(text) : sorted(std::move(terms), "");
}

// Scheme and host in lower case, without the scheme's own port and without a slash at the end.
std::string address(std::string url) {
  const auto host = url.find("://");
  if (host == std::string::npos) return url;
  const auto end = std::min(url.find('/', host + 3), url.size());
  std::transform(url.begin(), url.begin() + static_cast<std::ptrdiff_t>(end), url.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  const std::string port = url.starts_with("https") ? ":443" : ":80";
  if (std::string_view(url).substr(0, end).ends_with(port)) url.erase(end - port.size(), port.size());
  while (url.ends_with('/')) url.pop_back();
  return url;
}

std::string metric(const spec::CloudwatchMetric& one) {
  std::string text = one.name_space + "/" + one.metric + " " + one.stat;
  for (const auto& [name, value] : one.dimensions) text += " " + name + "=" + value;
  return text;
}

struct Name {
  const std::string& directory;
  Duration latency;

  std::string operator()(const std::monostate& /*none*/) const { return ""; }
  std::string operator()(const spec::PrometheusSource& s) const {
    return address(s.url) + " " + s.tenant + " " + query(s.bad) + " of " + query(s.total);
  }
  std::string operator()(const spec::MetricsSource& s) const {
    std::vector<std::string> replicas;
    for (const auto* group : {&s.targets, &s.control})
      for (const std::string& url : *group) replicas.push_back(address(url));
    if (!s.histogram.empty()) return sorted(std::move(replicas)) + " " + selector(s.histogram) + " over " + to_text(latency);
    return sorted(std::move(replicas)) + " " + (s.bad.empty() ? "not " + selector(s.good) : selector(s.bad)) + " of " + selector(s.total);
  }
  std::string operator()(const spec::DatadogSource& s) const { return address(s.url) + " " + packed(s.bad) + " of " + packed(s.total); }
  std::string operator()(const spec::MackerelSource& s) const {
    return address(s.url) + " " + s.service + s.host + " " + s.bad + " of " + s.total;
  }
  std::string operator()(const spec::CloudwatchSource& s) const {
    return s.region + address(s.url) + " " + metric(s.bad) + " of " + metric(s.total);
  }
  std::string operator()(const spec::NewrelicSource& s) const {
    return address(s.url) + " " + s.account + " " + s.from + " " + packed(s.where) + " " + packed(s.bad);
  }
  std::string operator()(const spec::CommandSource& s) const { return directory + " " + joined(s.run, " "); }
  std::string operator()(const spec::AccessLogSource& s) const {
    const auto file = std::filesystem::path(directory) / s.file;
    std::error_code error;
    const auto real = std::filesystem::weakly_canonical(file, error);
    return (error ? file : real).string() + " " + s.path + " " + sorted(s.bad) + " over " + to_text(latency);
  }
};

std::string name_of_load(const spec::Load& load) {
  std::vector<std::string> requests;
  for (const auto& request : spec::requests_of(load)) requests.push_back(request.method + " " + address(request.url));
  return sorted(std::move(requests), ", ");
}

}  // namespace

std::vector<std::string> budgets_of(const spec::Slo& slo, const spec::Experiment& experiment) {
  std::vector<std::string> budgets;
  for (const auto& measure : slo.measures) {
    if (!measure.authoritative) continue;
    if (const spec::Load* load = spec::load_of(experiment, measure))
      budgets.push_back("load " + name_of_load(*load));
    else
      budgets.push_back(std::string(spec::name_of(measure.source)) + " " +
                        std::visit(Name{experiment.directory, measure.latency}, measure.source));
  }
  return budgets;
}

}  // namespace arashi::engine
