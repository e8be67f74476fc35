// One HTTP request over libcurl: its options, and what came of it. For http_client and fleet/ only.
#pragma once

#include "experiments/http_client.hpp"
#include "experiments/request_headers.hpp"

#include <array>

namespace arashi {

// One request under way; stays where it is until it is over.
struct Exchange {
  HttpReply reply;
  std::string what;  // "GET http://…", for errors
  std::size_t limit = 0, head = 0;
  bool too_large = false;
  std::stop_token stop;
  HeaderLines lines{nullptr, &curl_slist_free_all};
  std::array<char, CURL_ERROR_SIZE> reason{};
};

// Once per process, however many begin at once.
CURLcode start_curl();
// `request` and `exchange` outlive the transfer.
Result<void> set_up(CURL* easy, const HttpRequest& request, Exchange& exchange);
Result<HttpReply> read_out(CURL* easy, CURLcode code, Exchange& exchange);

}  // namespace arashi
