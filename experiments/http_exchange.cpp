#include "experiments/http_exchange.hpp"

#include "experiments/stop_scope.hpp"

#include <algorithm>
#include <cctype>
#include <string_view>

namespace arashi {
namespace {

constexpr std::size_t largest_head = std::size_t{256} << 10U;  // bytes of all reply headers together

std::size_t take_body(const char* data, std::size_t, std::size_t size, void* context) {
  auto& into = *static_cast<Exchange*>(context);
  if (size > into.limit - std::min(into.limit, into.reply.body.size())) {
    into.too_large = true;
    return 0;
  }
  into.reply.body.append(data, size);
  return size;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.front())) != 0) text.remove_prefix(1);
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back())) != 0) text.remove_suffix(1);
  return text;
}

std::size_t take_header(const char* data, std::size_t, std::size_t size, void* context) {
  auto& into = *static_cast<Exchange*>(context);
  into.head += size;
  if (into.head > largest_head) {
    into.too_large = true;
    return 0;
  }
  const std::string_view line(data, size);
  if (line.starts_with("HTTP/")) into.reply.headers.clear();  // after an interim answer (100 Continue) the real one begins
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return size;
  std::string name(trimmed(line.substr(0, colon)));
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  std::string& value = into.reply.headers[name];
  if (!value.empty()) value += ", ";
  value += trimmed(line.substr(colon + 1));
  return size;
}

int ask_to_go_on(void* context, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return static_cast<Exchange*>(context)->stop.stop_requested() ? 1 : 0;
}

bool breaks_a_line(std::string_view text) { return text.find_first_of(std::string_view("\r\n\0", 3)) != std::string_view::npos; }

long milliseconds(Duration duration) {
  const auto whole = std::chrono::ceil<std::chrono::milliseconds>(duration).count();
  return static_cast<long>(std::clamp<std::int64_t>(whole, 1, 86'400'000));  // 0 would mean "for ever"
}

void set_method(CURL* easy, const HttpRequest& request) {
  if (request.method == "HEAD") {
    curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
  } else if (request.method != "GET" || !request.body.empty()) {
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request.body.c_str());
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  }
}

void set_peer(CURL* easy, const HttpRequest& request) {
  curl_easy_setopt(easy, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_PROXY, "");  // an environment variable must not redirect an abort
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
  curl_easy_setopt(easy, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, milliseconds(request.timeout));
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, milliseconds(request.timeout));
  if (!request.unix_socket.empty()) curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, request.unix_socket.c_str());
  if (!request.ca.empty()) curl_easy_setopt(easy, CURLOPT_CAINFO, request.ca.c_str());
  if (!request.certificate.empty()) curl_easy_setopt(easy, CURLOPT_SSLCERT, request.certificate.c_str());
  if (!request.key.empty()) curl_easy_setopt(easy, CURLOPT_SSLKEY, request.key.c_str());
}

void set_user(CURL* easy, const HttpRequest& request) {
  if (!request.aws_sigv4.empty()) curl_easy_setopt(easy, CURLOPT_AWS_SIGV4, request.aws_sigv4.c_str());
  if (request.user.empty()) return;
  curl_easy_setopt(easy, CURLOPT_USERNAME, request.user.c_str());
  curl_easy_setopt(easy, CURLOPT_PASSWORD, request.password.c_str());
}

Result<void> check(const HttpRequest& request) {
  if (!request.url.starts_with("http://") && !request.url.starts_with("https://"))
    return fail(Blame::input, "URL '", request.url, "': must start with http:// or https://");
  if (breaks_a_line(request.url)) return fail(Blame::input, "URL '", request.url, "': holds a line break");
  const bool plain = std::all_of(request.method.begin(), request.method.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
  if (request.method.empty() || !plain) return fail(Blame::input, "method '", request.method, "': must be capital letters, such as GET");
  return {};
}

}  // namespace

Result<void> set_up(CURL* easy, const HttpRequest& request, Exchange& exchange) {
  exchange.what = request.method + ' ' + request.url;
  exchange.limit = request.largest_reply;
  exchange.stop = request.stop.stop_possible() ? request.stop : stop_here();
  if (easy == nullptr) return fail(Blame::system, exchange.what, ": libcurl could not be started");
  TRY(check(request));
  exchange.lines = TRY(header_lines(request.headers));
  curl_easy_reset(easy);  // keeps the warm connections
  set_peer(easy, request);
  set_method(easy, request);
  set_user(easy, request);
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, exchange.lines.get());
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, exchange.reason.data());
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &take_body);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, &exchange);
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, &take_header);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, &exchange);
  if (!exchange.stop.stop_possible()) return {};
  curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, &ask_to_go_on);
  curl_easy_setopt(easy, CURLOPT_XFERINFODATA, &exchange);
  return {};
}

Result<HttpReply> read_out(CURL* easy, CURLcode code, Exchange& exchange) {
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, nullptr);  // it goes away with the exchange
  if (exchange.too_large) return fail(Blame::system, exchange.what, ": the reply is larger than ", exchange.limit, " bytes");
  if (code != CURLE_OK)
    return fail(Blame::system, exchange.what, ": ", exchange.reason[0] != 0 ? exchange.reason.data() : curl_easy_strerror(code));
  curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &exchange.reply.status);
  curl_off_t total = 0, ready = 0;  // microseconds
  curl_easy_getinfo(easy, CURLINFO_TOTAL_TIME_T, &total);
  curl_easy_getinfo(easy, CURLINFO_PRETRANSFER_TIME_T, &ready);
  exchange.reply.took = std::chrono::microseconds(std::max<curl_off_t>(total - ready, 0));
  return std::move(exchange.reply);
}

CURLcode start_curl() {
  static const CURLcode once = curl_global_init(CURL_GLOBAL_DEFAULT);  // one thread only, however many begin at once
  return once;
}

}  // namespace arashi
