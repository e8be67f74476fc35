// Datadog, Mackerel, CloudWatch and New Relic as their documentation has them: each checks what it is asked, and tells 100 events for every
// stretch of time that is over, 3 of them bad.
#pragma once

#include "injector/core/json.hpp"
#include "tests/support/http_server.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace arashi::testing {

Answered datadog_v1(const Asked& asked);
Answered datadog_v2(const Asked& asked);
Answered mackerel(const Asked& asked);
Answered cloudwatch(const Asked& asked);
Answered newrelic(const Asked& asked);

std::int64_t now_ms();  // since 1970
Answered refused(int status, const Json& body, const std::string& headers = "");

}  // namespace arashi::testing
