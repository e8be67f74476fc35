#include "experiments/sli/prometheus/counters.hpp"

#include "experiments/sli/poller.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace arashi::sli {
namespace {

std::string labelled(const std::string& expression, const std::string& part) {
  return "label_replace((" + expression + R"(),"arashi_part",")" + part + R"(","",""))";
}

std::string times(const Expression& expression, const std::string& prefix) {
  std::string query;
  for (std::size_t i = 0; i < expression.selectors.size(); ++i)
    query += " or " + labelled("max(timestamp(" + expression.selectors[i] + "))", prefix + std::to_string(i));
  return query;
}

// When the processes began, of those that say so. Where a series is born late this tells whether it can have counted anything before.
std::string process_starts(const Expression& bad, const Expression& total) {
  std::string any;
  for (const auto* expression : {&total, &bad})
    for (const std::string& selector : expression->selectors) any += (any.empty() ? "" : " or ") + selector;
  return any.empty() ? "" : " or " + labelled("process_start_time_seconds and on (job, instance) (" + any + ")", "start");
}

guard::Freshness state_of(const Reply& reply, const Error& error) {
  const bool sound = std::ranges::all_of(reply.samples, [](const Sample& sample) { return std::isfinite(sample.value); });
  if (!sound) return guard::Freshness::not_a_number;
  return error.blame == Blame::missing ? guard::Freshness::empty : guard::Freshness::error;
}

// From a process's begin until Prometheus' service discovery hands it on for its first scrape.
constexpr Duration discovery = std::chrono::seconds(10);

std::uint64_t whole(double count) { return static_cast<std::uint64_t>(std::llround(std::clamp(count, 0.0, 9e15))); }

// "bad", "bad1", "bad2": the parts of the query, one for each term.
std::string part(const std::string& name, std::size_t term) { return term == 0 ? name : name + std::to_string(term); }

std::size_t terms_of(const Expression& expression) { return std::max<std::size_t>(expression.terms.size(), 1); }

}  // namespace

Counters::Counters(Expression bad, Expression total, Duration stale_after)
    : bad_{.name = "bad", .expression = std::move(bad), .known = {}},
      total_{.name = "total", .expression = std::move(total), .known = {}},
      stale_after_(stale_after) {}

std::string Counters::asked(const Count& count) {
  const auto& terms = count.expression.terms;
  if (terms.empty()) return labelled(count.expression.text, count.name);
  std::string query;
  for (std::size_t i = 0; i < terms.size(); ++i) query += (i == 0 ? "" : " or ") + labelled(terms[i].selector, part(count.name, i));
  return query;
}

std::string Counters::query() const {
  return asked(bad_) + " or " + asked(total_) + times(bad_.expression, "bad_at") + times(total_.expression, "total_at") +
         process_starts(bad_.expression, total_.expression);
}

Result<std::vector<Counters::Values>> Counters::values(const Reply& reply, const Count& count) {
  const Expression& expression = count.expression;
  std::vector<Values> result(terms_of(expression));
  for (std::size_t i = 0; i < result.size(); ++i)
    for (const Sample& sample : reply.samples) {
      if (sample.part != part(count.name, i)) continue;
      if (!(std::isfinite(sample.value) && sample.value >= 0))
        return fail(Blame::system, "'", expression.text, "' is ", sample.value, " for ", sample.series);
      result[i][sample.series] = {sample.value, sample.target};
    }
  if (expression.terms.empty() && result.front().size() > 1)
    return fail(Blame::input, "'", expression.text, "' gives ", result.front().size(), " series where one is wanted; write sum(...)");
  return result;
}

// The oldest of the newest samples of all selectors; those without any sample are left out.
Result<Duration> Counters::newest(const Reply& reply, const std::string& part, double zero) const {
  double oldest = std::numeric_limits<double>::infinity();
  for (const Sample& sample : reply.samples)
    if (sample.part.starts_with(part)) oldest = std::min(oldest, sample.value - zero);
  if (!(std::fabs(oldest) < 1e9)) return fail(Blame::missing, "no sample time");
  return Duration(static_cast<std::int64_t>(oldest * 1e9));
}

Result<Counters::Reading> Counters::read(const Reply& reply, Duration now, double zero) const {
  if (!reply.warnings.empty()) return fail(Blame::system, "the answer may be partial: ", reply.warnings.front());
  Reading reading;
  reading.bad = TRY(values(reply, bad_));
  reading.total = TRY(values(reply, total_));
  if (std::ranges::all_of(reading.total, &Values::empty)) return fail(Blame::missing, "no series for '", total_.expression.text, "'");
  reading.newest = TRY(newest(reply, "total_at", zero));
  // No error series is no error yet; but one that stands still while the total goes on is a source that died.
  const auto newest_bad = newest(reply, "bad_at", zero);
  if (newest_bad) reading.newest = std::min(reading.newest, *newest_bad);
  reading.newest = std::min(reading.newest, now);
  reading.starts = starts(reply);
  return reading;
}

// Of several processes of one target the oldest.
std::map<std::string, double> Counters::starts(const Reply& reply) {
  std::map<std::string, double> result;
  for (const Sample& sample : reply.samples) {
    if (sample.part != "start") continue;
    const auto [there, added] = result.try_emplace(sample.target, sample.value);
    there->second = std::min(there->second, sample.value);
  }
  return result;
}

// The target was seen without the series; or its process began since the counting did, and was found as soon as can be. Of what is no
// single target's nobody knows.
bool Counters::from_zero(const std::string& target, const Reading& reading, double zero) const {
  if (target.empty() || targets_.contains(target)) return true;
  const auto start = reading.starts.find(target);
  return start != reading.starts.end() && start->second >= zero + seconds(std::max(first_, last_ - stale_after_ - discovery));
}

void Counters::learn_targets(const Reading& reading) {
  for (const auto* terms : {&reading.bad, &reading.total})
    for (const Values& values : *terms)
      for (const auto& [series, value] : values) targets_.insert(value.target);
}

// A counter that fell has begun anew at 0.
Counters::Growth Counters::grow(Values& known, const Values& seen, const FromZero& from_zero) {
  Growth growth;
  for (const auto& [series, value] : seen) {
    const auto [before, born] = known.try_emplace(series);
    const double old = std::exchange(before->second, value).count;
    if (born && !from_zero(value.target)) {
      growth.unknown += value.count;
      growth.late_born = true;
    } else {
      growth.count += value.count < old ? value.count : value.count - old;
      growth.fell = growth.fell || value.count < old;
    }
  }
  return growth;
}

// Of the value of an expression that is read as it stands nobody knows why it fell.
Counters::Growth Counters::grow(Count& count, const std::vector<Values>& seen, const FromZero& from_zero) {
  Growth growth;
  const Expression& expression = count.expression;
  for (std::size_t i = 0; i < seen.size(); ++i) {
    const Growth term = grow(count.known[i], seen[i], from_zero);
    const double sign = i < expression.terms.size() && expression.terms[i].minus ? -1 : 1;
    growth.count += sign * term.count;
    growth.unknown += sign * term.unknown;
    growth.late_born = growth.late_born || term.late_born;
    growth.fell = term.fell && expression.terms.empty() && !expression.selector;
  }
  growth.count += count.owed;
  count.owed = std::min(growth.count, 0.0);
  growth.unknown = std::max(growth.unknown, 0.0);
  return growth;
}

guard::Slice Counters::slice(const Reading& reading, double zero) {
  const auto since_last = [&](const std::string& target) { return from_zero(target, reading, zero); };
  const Growth bad = grow(bad_, reading.bad, since_last);
  const Growth total = grow(total_, reading.total, since_last);
  guard::Slice slice{.begin = last_, .end = reading.newest, .newest = reading.newest};
  if (bad.fell || total.fell) {
    slice.state = guard::Freshness::partial;
    slice.problem = "a counter in '" + (bad.fell ? bad_ : total_).expression.text +
                    "' began anew; write sum(counter), or sums and differences of such, to have each series counted";
    return slice;
  }
  slice.bad = whole(bad.count);
  slice.total = std::max(slice.bad, whole(total.count));
  if (bad.late_born || total.late_born) {
    slice.state = guard::Freshness::late_born;
    slice.unknown = bad.unknown;
    slice.problem = "a target of '" + (bad.late_born ? bad_ : total_).expression.text +
                    "' is seen for the first time: what it counted before is not known to be of this time";
  }
  return slice;
}

void Counters::begin(const Reading& reading) {
  bad_.known = reading.bad;
  total_.known = reading.total;
  begun_ = true;
}

std::vector<guard::Slice> Counters::poll(const Result<Reply>& reply, Duration now, double zero) {
  if (!reply) return {notice(guard::Freshness::error, now, last_, reply.error().message)};
  const auto reading = read(*reply, now, zero);
  if (!reading) {
    return {notice(state_of(*reply, reading.error()), now, last_, reading.error().message)};
  }
  std::vector<guard::Slice> result;
  if (!begun_) {
    begin(*reading);
    first_ = last_ = reading->newest;
  } else if (reading->newest > last_) {
    result.push_back(slice(*reading, zero));
    last_ = reading->newest;
  }
  learn_targets(*reading);
  if (now - last_ > stale_after_)
    result.push_back(notice(guard::Freshness::stale, now, last_,
                            "the newest sample is " + std::to_string(static_cast<long>(seconds(now - last_))) + " s old"));
  return result;
}

}  // namespace arashi::sli
