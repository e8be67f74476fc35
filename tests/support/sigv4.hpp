// AWS Signature Version 4 as its documentation writes it down, for checking what a client signed: independent of libcurl's.
#pragma once

#include "tests/support/http_server.hpp"

#include <string>

namespace arashi::testing {

// The value of a header of a request as it came; empty if it is not there.
std::string header_of(const Asked& asked, const std::string& name);

// What is wrong with the Authorization header of this request; empty: nothing.
std::string sigv4_problem(const Asked& asked, const std::string& access_key, const std::string& secret_key, const std::string& region,
                          const std::string& service);

}  // namespace arashi::testing
