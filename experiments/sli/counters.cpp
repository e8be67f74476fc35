#include "experiments/sli/counters.hpp"

#include "experiments/sli/poller.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

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

guard::Freshness state_of(const Reply& reply, const Error& error) {
  const bool sound = std::ranges::all_of(reply.samples, [](const Sample& sample) { return std::isfinite(sample.value); });
  if (!sound) return guard::Freshness::not_a_number;
  return error.blame == Blame::missing ? guard::Freshness::empty : guard::Freshness::error;
}

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
  return asked(bad_) + " or " + asked(total_) + times(bad_.expression, "bad_at") + times(total_.expression, "total_at");
}

Result<std::vector<Counters::Values>> Counters::values(const Reply& reply, const Count& count) {
  const Expression& expression = count.expression;
  std::vector<Values> result(terms_of(expression));
  for (std::size_t i = 0; i < result.size(); ++i)
    for (const Sample& sample : reply.samples) {
      if (sample.part != part(count.name, i)) continue;
      if (!(std::isfinite(sample.value) && sample.value >= 0))
        return fail(Blame::system, "'", expression.text, "' is ", sample.value, " for ", sample.series);
      result[i][sample.series] = sample.value;
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
  return reading;
}

// A series seen for the first time after the first poll began at 0. A counter that fell has begun anew at 0.
Counters::Growth Counters::grow(Values& known, const Values& seen) {
  Growth growth;
  for (const auto& [series, value] : seen) {
    const auto [before, born] = known.try_emplace(series, 0);
    const bool fell = value < before->second;
    growth.count += born || fell ? value : value - before->second;
    growth.fell = growth.fell || fell;
    before->second = value;
  }
  return growth;
}

// Of the value of an expression that is read as it stands nobody knows why it fell.
Counters::Growth Counters::grow(Count& count, const std::vector<Values>& seen) {
  Growth growth;
  const Expression& expression = count.expression;
  for (std::size_t i = 0; i < seen.size(); ++i) {
    const Growth term = grow(count.known[i], seen[i]);
    growth.count += i < expression.terms.size() && expression.terms[i].minus ? -term.count : term.count;
    growth.fell = term.fell && expression.terms.empty() && !expression.selector;
  }
  growth.count += count.owed;
  count.owed = std::min(growth.count, 0.0);
  return growth;
}

guard::Slice Counters::slice(const Reading& reading) {
  const Growth bad = grow(bad_, reading.bad);
  const Growth total = grow(total_, reading.total);
  guard::Slice slice{.begin = last_, .end = reading.newest, .newest = reading.newest};
  if (bad.fell || total.fell) {
    slice.state = guard::Freshness::partial;
    slice.problem = "a counter in '" + (bad.fell ? bad_ : total_).expression.text +
                    "' began anew; write sum(counter), or sums and differences of such, to have each series counted";
    return slice;
  }
  slice.bad = whole(bad.count);
  slice.total = std::max(slice.bad, whole(total.count));
  return slice;
}

std::vector<guard::Slice> Counters::poll(const Result<Reply>& reply, Duration now, double zero) {
  if (!reply) return {notice(guard::Freshness::error, now, last_, reply.error().message)};
  const auto reading = read(*reply, now, zero);
  if (!reading) {
    return {notice(state_of(*reply, reading.error()), now, last_, reading.error().message)};
  }
  std::vector<guard::Slice> result;
  if (!begun_) {
    bad_.known = reading->bad;
    total_.known = reading->total;
    last_ = reading->newest;
    begun_ = true;
  } else if (reading->newest > last_) {
    result.push_back(slice(*reading));
    last_ = reading->newest;
  }
  if (now - last_ > stale_after_)
    result.push_back(notice(guard::Freshness::stale, now, last_,
                            "the newest sample is " + std::to_string(static_cast<long>(seconds(now - last_))) + " s old"));
  return result;
}

}  // namespace arashi::sli
