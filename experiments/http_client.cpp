#include "experiments/http_client.hpp"

#include "experiments/request_headers.hpp"
#include "experiments/stop_scope.hpp"

#include <curl/curl.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <string_view>

namespace arashi {
namespace {

constexpr std::size_t largest_head = std::size_t{256} << 10U;  // bytes of all reply headers together

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

// `request` and `exchange` outlive the transfer.
Result<void> prepare(CURL* easy, const HttpRequest& request, Exchange& exchange) {
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

Result<HttpReply> finish(CURL* easy, CURLcode code, Exchange& exchange) {
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

struct EasyHandle {
  CURL* easy = nullptr;
  EasyHandle() {
    if (start_curl() == CURLE_OK) easy = curl_easy_init();
  }
  ~EasyHandle() { curl_easy_cleanup(easy); }
  EasyHandle(const EasyHandle&) = delete;
  EasyHandle& operator=(const EasyHandle&) = delete;
};

}  // namespace

struct HttpClient::Handle : EasyHandle {
  CURLM* multi = nullptr;  // made for the first request that may be stopped, and used from then on: it holds the warm connection
  ~Handle() {
    if (multi != nullptr) curl_multi_cleanup(multi);
  }
  Handle() = default;
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;

  CURLcode perform(const std::stop_token& stop) {
    if (multi == nullptr && stop.stop_possible()) multi = curl_multi_init();
    if (multi == nullptr) return curl_easy_perform(easy);
    const std::stop_callback wake(stop, [this] { curl_multi_wakeup(multi); });
    if (curl_multi_add_handle(multi, easy) != CURLM_OK) return CURLE_FAILED_INIT;
    CURLcode code = CURLE_ABORTED_BY_CALLBACK;
    for (int under_way = 1; under_way > 0 && !stop.stop_requested();) {
      if (curl_multi_perform(multi, &under_way) != CURLM_OK) break;
      if (under_way > 0) curl_multi_poll(multi, nullptr, 0, 1000, nullptr);
    }
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi, &left))
      if (message->msg == CURLMSG_DONE) code = message->data.result;
    curl_multi_remove_handle(multi, easy);
    return code;
  }
};

HttpClient::HttpClient() : handle_(std::make_unique<Handle>()) {}
HttpClient::~HttpClient() = default;
HttpClient::HttpClient(HttpClient&&) noexcept = default;
HttpClient& HttpClient::operator=(HttpClient&&) noexcept = default;

Result<HttpReply> HttpClient::send(const HttpRequest& request) {
  Exchange exchange;
  TRY(prepare(handle_->easy, request, exchange));
  const CURLcode code = handle_->perform(exchange.stop);
  return finish(handle_->easy, code, exchange);
}

// ---- many at once

struct HttpCrowd::Handles {
  CURLM* multi = nullptr;
  std::vector<EasyHandle> easy;
  explicit Handles(std::size_t size) : easy(size) {
    multi = curl_multi_init();
    curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, static_cast<long>(size));
  }
  ~Handles() { curl_multi_cleanup(multi); }
  Handles(const Handles&) = delete;
  Handles& operator=(const Handles&) = delete;

  void carry_on(const std::stop_token& stop, int under_way) {
    while (under_way > 0 && !stop.stop_requested()) {
      if (curl_multi_perform(multi, &under_way) != CURLM_OK) return;
      if (under_way > 0) curl_multi_poll(multi, nullptr, 0, 50, nullptr);
    }
  }

  // What each transfer ended with; absent: it did not end.
  std::map<CURL*, CURLcode> ended() {
    std::map<CURL*, CURLcode> codes;
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi, &left))
      if (message->msg == CURLMSG_DONE) codes[message->easy_handle] = message->data.result;
    return codes;
  }
};

HttpCrowd::HttpCrowd(std::size_t size) {
  start_curl();
  handles_ = std::make_unique<Handles>(size);
}
HttpCrowd::~HttpCrowd() = default;
HttpCrowd::HttpCrowd(HttpCrowd&&) noexcept = default;
HttpCrowd& HttpCrowd::operator=(HttpCrowd&&) noexcept = default;
std::size_t HttpCrowd::size() const { return handles_->easy.size(); }

std::vector<Result<HttpReply>> HttpCrowd::send(const std::vector<HttpRequest>& requests, const std::stop_token& stop) {
  std::vector<Exchange> exchanges(requests.size());
  std::vector<Result<HttpReply>> replies(requests.size(), fail(Blame::system, "stopped before an answer came"));
  std::vector<std::size_t> sent;
  for (std::size_t i = 0; i < requests.size() && i < size(); ++i) {
    CURL* easy = handles_->easy[i].easy;
    const auto ready = prepare(easy, requests[i], exchanges[i]);
    if (!ready) {
      replies[i] = pass(ready.error());
    } else if (curl_multi_add_handle(handles_->multi, easy) == CURLM_OK) {
      sent.push_back(i);
    }
  }
  handles_->carry_on(stop, static_cast<int>(sent.size()));
  const auto codes = handles_->ended();
  for (const std::size_t i : sent) {
    CURL* easy = handles_->easy[i].easy;
    curl_multi_remove_handle(handles_->multi, easy);
    const auto code = codes.find(easy);
    replies[i] = finish(easy, code == codes.end() ? CURLE_ABORTED_BY_CALLBACK : code->second, exchanges[i]);
  }
  return replies;
}

}  // namespace arashi
