#include "experiments/sli/prometheus/prometheus.hpp"

#include "experiments/sli/answer.hpp"
#include "experiments/sli/poller.hpp"
#include "experiments/sli/prometheus/counters.hpp"
#include "experiments/sli/prometheus/prometheus_query.hpp"

#include <algorithm>
#include <cmath>

namespace arashi::sli {
namespace {

// One poll: asks for both counts at once, and makes slices of the answer.
class Asking {
 public:
  Asking(PrometheusServer server, Counters counters, Duration epoch)
      : server_(std::move(server)), counters_(std::move(counters)), clock_(epoch), epoch_(epoch) {}

  Polled operator()(Duration timeout, const std::stop_token& stop) {
    const Duration asked = boot_now();
    const Answer answer = server_.ask(counters_.query(), clock_.now(), timeout, stop);
    if (answer.reply) clock_.learn(answer.server_time);
    return {counters_.poll(answer.reply, asked - epoch_, clock_.zero()), answer.leave_alone};
  }

 private:
  PrometheusServer server_;
  Counters counters_;
  ServerClock clock_;
  Duration epoch_;
};

Result<void> check(const spec::PrometheusSource& source) {
  if (!source.url.starts_with("http://") && !source.url.starts_with("https://"))
    return fail(Blame::input, "Prometheus URL '", source.url, "' must start with http:// or https://");
  if (source.every <= Duration::zero() || source.scrape <= Duration::zero())
    return fail(Blame::input, "Prometheus '", source.url, "': every and scrape must be > 0");
  return {};
}

// ---- history

std::string promql_seconds(Duration duration) {
  return std::to_string(std::max<std::int64_t>(1, std::chrono::duration_cast<std::chrono::seconds>(duration).count())) + "s";
}

std::string increase(const Expression& expression, Duration window) {
  const std::string range = "[" + promql_seconds(window);
  if (expression.selector) return "sum(increase(" + expression.text + range + "]))";
  std::string sums;
  for (const Term& term : expression.terms) {
    std::string sum = "sum(increase(" + term.selector + range + "]))";
    if (expression.terms.size() == 1) return sum;
    sums += (sums.empty() ? "" : term.minus ? " - " : " + ") + ("(" + sum + " or vector(0))");
  }
  if (!sums.empty()) return sums;
  return "sum(increase((" + expression.text + ")" + range + ":" + promql_seconds(window / 1000) + "]))";
}

// What increase() leaves out: the first value of each series that was born within the window, all of which is of the window where its
// target was there before it, or its process began since. Empty: the expression does not tell its series.
std::string at_birth(const Expression& expression, Duration window, double now) {
  const std::string range = promql_seconds(window);
  const auto born = [&](const std::string& selector) {
    return "sum((min_over_time(" + selector + "[" + range + "]) unless (" + selector + " offset " + range +
           ")) and on (job, instance) (min_over_time(process_start_time_seconds[" + range +
           "]) >= " + std::to_string(static_cast<std::int64_t>(now - seconds(window))) + " or up offset " + range + "))";
  };
  if (expression.selector) return born(expression.text);
  std::string sums;
  for (const Term& term : expression.terms)
    sums += (sums.empty() ? "" : term.minus ? " - " : " + ") + ("(" + born(term.selector) + " or vector(0))");
  return sums;
}

class Past {
 public:
  Past(const spec::PrometheusSource& source, const std::string& directory) : source_(source), server_(source, directory) {}

  Result<std::optional<double>> value(const std::string& query) {
    const Answer answer = server_.ask(query, now_, std::chrono::seconds(10), {});
    if (!answer.reply) return pass(answer.reply.error());
    if (!answer.reply->warnings.empty())
      return fail(Blame::system, source_.url, ": the answer may be partial: ", answer.reply->warnings[0]);
    if (answer.reply->samples.empty()) return std::optional<double>();
    const double value = answer.reply->samples.front().value;
    if (!std::isfinite(value)) return fail(Blame::system, source_.url, ": '", query, "' is ", value);
    return std::optional(value);
  }

  // Of a count whose increase() misses what its series began with.
  Result<double> with_births(const Expression& expression, Duration window) {
    const double increased = TRY(value(increase(expression, window))).value_or(0);
    const std::string births = at_birth(expression, window, now_);
    if (births.empty()) return increased;
    return std::max(increased, 0.0) + std::max(TRY(value(births)).value_or(0), 0.0);
  }

  // Looks further and further back, until the first sample is clearly inside of what it looked at.
  Result<Duration> covered(const Expression& total, Duration window) {
    for (const int part : {4096, 512, 64, 8, 1}) {
      const Duration back = std::max<Duration>(window / part, std::min<Duration>(window, std::chrono::minutes(5)));
      const std::string range = "[" + promql_seconds(back) + ":" + promql_seconds(back / 500) + "]";
      const auto first = TRY(value("min(min_over_time(timestamp(" + total.selectors.front() + ")" + range + "))"));
      if (!first) continue;
      const Duration seen(static_cast<std::int64_t>(std::max(now_ - *first, 0.0) * 1e9));
      if (seen < back * 95 / 100 || back == window) return std::min(seen, window);
    }
    return Duration::zero();
  }

 private:
  const spec::PrometheusSource& source_;
  PrometheusServer server_;
  double now_ = wall_now();
};

}  // namespace

Result<std::unique_ptr<Source>> prometheus(const spec::PrometheusSource& source, const std::string& directory, Duration epoch) {
  TRY(check(source));
  const Duration stale = source.scrape * 5 / 2 + source.every;
  Counters counters(TRY(analyse(source.bad)), TRY(analyse(source.total)), stale);
  const auto asking = std::make_shared<Asking>(PrometheusServer(source, directory), std::move(counters), epoch);
  return std::unique_ptr<Source>(std::make_unique<Poller>(
      Rhythm{.every = source.every}, [asking](Duration timeout, const std::stop_token& stop) { return (*asking)(timeout, stop); }));
}

Result<History> prometheus_history(const spec::PrometheusSource& source, const std::string& directory, Duration window) {
  TRY(check(source));
  const Expression bad = TRY(analyse(source.bad));
  const Expression total = TRY(analyse(source.total));
  Past past(source, directory);
  const auto events = TRY(past.value(increase(total, window)));
  if (!events) return fail(Blame::missing, source.url, ": no series for '", source.total, "' in the last ", to_text(window));
  History history;
  history.bad = TRY(past.with_births(bad, window));
  history.events = std::max(*events, history.bad);  // whose births are not counted: they would only make the budget larger
  history.covered = TRY(past.covered(total, window));
  return history;
}

}  // namespace arashi::sli
