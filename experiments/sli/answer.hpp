// What an HTTP answer of any monitoring system says besides its body: when to come back, and what time it is there. Pure.
#pragma once

#include "experiments/http_client.hpp"

#include <optional>
#include <string_view>

namespace arashi::sli {

// How long to leave it alone: Retry-After (seconds, or a date), or X-RateLimit-Reset where nothing remains; at most 5 minutes.
Duration leave_alone(const HttpReply& reply, double wall);

// Seconds since 1970 by its Date header, which is whole seconds.
std::optional<double> server_time(const HttpReply& reply);

// The text as it stands in a query of a URL.
std::string escaped(std::string_view text);

double wall_now();  // seconds since 1970

// The server's clock beside ours. Read once: later readings would only add the jitter of the question to every slice.
class ServerClock {
 public:
  explicit ServerClock(Duration epoch) : epoch_(epoch) {}
  void learn(std::optional<double> server_time);
  [[nodiscard]] double now() const { return wall_now() + skew_; }  // there; ours until it is learned
  [[nodiscard]] double zero() const { return zero_; }              // there, at our time 0
  [[nodiscard]] Duration since_epoch(double server_time) const;

 private:
  Duration epoch_;
  bool known_ = false;
  double skew_ = 0, zero_ = wall_now() - seconds(boot_now() - epoch_);
};

}  // namespace arashi::sli
