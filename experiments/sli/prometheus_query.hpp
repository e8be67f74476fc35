// One question to a Prometheus server. Private to this folder.
#pragma once

#include "experiments/http_client.hpp"
#include "experiments/sli/prometheus_reply.hpp"
#include "experiments/spec/spec.hpp"

#include <optional>

namespace arashi::sli {

struct Answer {
  Result<Reply> reply;
  std::optional<Duration> retry_after;  // it asked to be left alone for so long
  std::optional<double> server_time;    // seconds since 1970, to the second
};

// Evaluates at `time` (server's clock, seconds since 1970).
Answer ask(HttpClient& client, const spec::PrometheusSource& source, const std::string& query, double time, Duration timeout);

// Our wall clock, or the server's where the two are more than two seconds apart.
double server_now(const Answer& answer);
double wall_now();

}  // namespace arashi::sli
