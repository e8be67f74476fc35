// Who may have faults alive on this machine, and until when. Pure: the time (CLOCK_BOOTTIME) is an argument.
#pragma once

#include "injector/core/result.hpp"
#include "injector/core/units.hpp"

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace arashi {

class Leases {
 public:
  // A lease that ended and was opened again has another term: what was begun under the old one may not live on under the new.
  using Term = std::uint64_t;
  struct Grant {
    Duration ttl{};
    bool opened = false;  // not merely renewed
  };

  explicit Leases(Duration longest, std::size_t most = 256) : longest_(longest), most_(most) {}

  // Opens or renews; grants at most `longest`.
  Result<Grant> renew(const std::string& experiment, Duration ttl, Duration now);
  // Ends it before its time; false if there was none.
  bool end(std::string_view experiment);
  // Takes out and names those whose time is up.
  std::vector<std::string> take_expired(Duration now);
  // Its term, if it lives at this moment.
  [[nodiscard]] std::optional<Term> term(std::string_view experiment, Duration now) const;
  // When the next one ends; nothing if there is none: no timer then.
  [[nodiscard]] std::optional<Duration> next_end() const;
  [[nodiscard]] std::vector<std::string> experiments() const;

 private:
  struct Lease {
    Term term = 0;
    Duration end{};
  };
  Duration longest_;
  std::size_t most_;
  Term last_term_ = 0;
  std::map<std::string, Lease, std::less<>> leases_;
};

// Why experiments lost their leases before they gave them up: the newest 256.
class Ends {
 public:
  void note(const std::string& experiment, Code why);
  void forget(std::string_view experiment);
  [[nodiscard]] Code why(std::string_view experiment) const;  // Code::none: it is not known

 private:
  static constexpr std::size_t most_ = 256;
  std::deque<std::pair<std::string, Code>> ended_;
};

}  // namespace arashi
