// One question to a Prometheus server, or to what speaks its API. Private to this folder.
#pragma once

#include "experiments/http_client.hpp"
#include "experiments/sli/prometheus/prometheus_reply.hpp"
#include "experiments/sli/secret.hpp"

#include <optional>

namespace arashi::sli {

struct Answer {
  Result<Reply> reply;
  Duration leave_alone{};             // it wants no question for so long
  std::optional<double> server_time;  // seconds since 1970, to the second
};

class PrometheusServer {
 public:
  PrometheusServer(spec::PrometheusSource source, const std::string& directory);
  // Evaluates at `time` (server's clock, seconds since 1970). A token that was refused is read anew, once.
  Answer ask(const std::string& query, double time, Duration timeout, const std::stop_token& stop);
  // The same for a range of evaluation times, ends included.
  Result<RangeReply> ask_range(const std::string& query, double from, double to, double step);

 private:
  Result<HttpReply> send(HttpRequest request);
  Result<void> authorise(HttpRequest& request);

  spec::PrometheusSource source_;
  KeptSecret token_, password_;
  HttpClient client_;
};

}  // namespace arashi::sli
