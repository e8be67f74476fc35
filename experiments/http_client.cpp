#include "experiments/http_client.hpp"

#include "experiments/http_exchange.hpp"

namespace arashi {
namespace {

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
  TRY(set_up(handle_->easy, request, exchange));
  const CURLcode code = handle_->perform(exchange.stop);
  return read_out(handle_->easy, code, exchange);
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
    const auto ready = set_up(easy, requests[i], exchanges[i]);
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
    replies[i] = read_out(easy, code == codes.end() ? CURLE_ABORTED_BY_CALLBACK : code->second, exchanges[i]);
  }
  return replies;
}

}  // namespace arashi
