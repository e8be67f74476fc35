#include "agent/lease.hpp"

#include "injector/core/id.hpp"

#include <algorithm>

namespace arashi {

Result<Leases::Grant> Leases::renew(const std::string& experiment, Duration ttl, Duration now) {
  if (!is_name(experiment))
    return fail(Blame::input, "experiment '", experiment, "': must be a name of at most 63 lower-case letters, digits and '-'");
  if (ttl <= Duration::zero()) return fail(Blame::input, "a lease of ", ttl.count(), " ns: must be > 0");
  auto found = leases_.find(experiment);
  // One whose time is up is as good as gone, even if nobody has come to take it out yet.
  const bool lives = found != leases_.end() && now < found->second.end;
  if (found == leases_.end() && leases_.size() >= most_)
    return fail(Blame::refused, "experiment '", experiment, "' gets no lease: this agent serves ", most_, " experiments already");
  if (found == leases_.end()) found = leases_.emplace(experiment, Lease{}).first;
  if (!lives) found->second.term = ++last_term_;
  const auto granted = std::min(ttl, longest_);
  found->second.end = now + granted;
  return Grant{.ttl = granted, .opened = !lives};
}

bool Leases::end(std::string_view experiment) {
  const auto found = leases_.find(experiment);
  if (found == leases_.end()) return false;
  leases_.erase(found);
  return true;
}

std::vector<std::string> Leases::take_expired(Duration now) {
  std::vector<std::string> expired;
  for (auto lease = leases_.begin(); lease != leases_.end();) {
    if (now < lease->second.end) {
      ++lease;
      continue;
    }
    expired.push_back(lease->first);
    lease = leases_.erase(lease);
  }
  return expired;
}

std::optional<Leases::Term> Leases::term(std::string_view experiment, Duration now) const {
  const auto found = leases_.find(experiment);
  if (found == leases_.end() || now >= found->second.end) return std::nullopt;
  return found->second.term;
}

std::optional<Duration> Leases::next_end() const {
  std::optional<Duration> next;
  for (const auto& [experiment, lease] : leases_)
    if (!next || lease.end < *next) next = lease.end;
  return next;
}

std::vector<std::string> Leases::experiments() const {
  std::vector<std::string> names;
  names.reserve(leases_.size());
  for (const auto& [experiment, lease] : leases_) names.push_back(experiment);
  return names;
}

void Ends::note(const std::string& experiment, Code why) {
  forget(experiment);
  ended_.emplace_back(experiment, why);
  if (ended_.size() > most_) ended_.pop_front();
}

void Ends::forget(std::string_view experiment) {
  std::erase_if(ended_, [&](const auto& one) { return one.first == experiment; });
}

Code Ends::why(std::string_view experiment) const {
  const auto found = std::ranges::find(ended_, experiment, &std::pair<std::string, Code>::first);
  return found == ended_.end() ? Code::none : found->second;
}

}  // namespace arashi
