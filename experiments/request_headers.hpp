// The header lines of an outgoing request, as libcurl wants them. For http_client and load/ only.
#pragma once

#include "injector/core/result.hpp"

#include <curl/curl.h>

#include <map>
#include <memory>
#include <string>

namespace arashi {

using HeaderLines = std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)>;

// Refuses a name or a value that would smuggle in another line.
Result<HeaderLines> header_lines(const std::map<std::string, std::string>& headers);

}  // namespace arashi
