#include "experiments/load/flights.hpp"

#include <algorithm>

namespace arashi::load {
namespace {

std::size_t discard(const char*, std::size_t, std::size_t size, void*) { return size; }

// The body must stay where it is: libcurl takes no copy.
void set_body(const Flight& flight, const std::string& body) {
  curl_easy_setopt(flight.easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
  curl_easy_setopt(flight.easy, CURLOPT_POSTFIELDS, body.c_str());
}

}  // namespace

bool shares_connections(spec::Http http) {
  return http == spec::Http::two || (http == spec::Http::two_in_clear && curl_version_info(CURLVERSION_NOW)->version_num >= 0x080000);
}

Flights::Flights(spec::Load load, std::shared_ptr<const Requests> requests, Hooks hooks)
    : load_(std::move(load)), requests_(std::move(requests)), hooks_(hooks), idle_(requests_->kinds().size()) {}

Result<void> Flights::open() {
  for (const auto& kind : requests_->kinds()) {
    auto lines = header_lines(requests_->headers(kind, 0));
    if (!lines) return because(lines.error(), "load '", load_.name, "'");
    headers_.push_back(std::move(lines).value());
  }
  return {};
}

void Flights::clear() {
  for (auto& each : idle_) each.clear();
  for (const auto& flight : all_) curl_easy_cleanup(flight->easy);
  all_.clear();
}

Flight& Flights::of(CURL* easy) {
  void* context = nullptr;
  curl_easy_getinfo(easy, CURLINFO_PRIVATE, &context);
  return *static_cast<Flight*>(context);
}

void Flights::set_tls(CURL* easy) {
  const spec::LoadTls& tls = load_.tls;
  if (!tls.ca.empty()) curl_easy_setopt(easy, CURLOPT_CAINFO, tls.ca.c_str());
  if (!tls.cert.empty()) curl_easy_setopt(easy, CURLOPT_SSLCERT, tls.cert.c_str());
  if (!tls.key.empty()) curl_easy_setopt(easy, CURLOPT_SSLKEY, tls.key.c_str());
  if (!tls.insecure) return;
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
}

bool Flights::alone() const { return load_.http != spec::Http::one && !shares_connections(load_.http); }

void Flights::set_transport(Flight& flight) {
  CURL* easy = flight.easy;
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_PROXY, "");
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &discard);
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, hooks_.open);
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, &flight);
  curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, hooks_.close);
  curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, hooks_.self);
  curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, hooks_.before_request);
  curl_easy_setopt(easy, CURLOPT_PREREQDATA, &flight);
  long version = CURL_HTTP_VERSION_1_1;
  if (load_.http == spec::Http::two) version = CURL_HTTP_VERSION_2TLS;
  if (load_.http == spec::Http::two_in_clear) version = CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE;
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, version);
  curl_easy_setopt(easy, CURLOPT_PIPEWAIT, shares_connections(load_.http) ? 1L : 0L);  // rather another stream than another connection
  curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, alone() ? 1L : 0L);
  curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, alone() ? 1L : 0L);
  set_tls(easy);
}

// To libcurl a server's name is the URL's host; where to connect is told besides.
void Flights::set_url(Flight& flight) {
  const std::string& name = load_.tls.server_name;
  if (name.empty() || !flight.url.starts_with("https://")) {
    curl_easy_setopt(flight.easy, CURLOPT_URL, flight.url.c_str());
    return;
  }
  const auto begin = std::string_view("https://").size();
  const auto end = std::min(flight.url.find_first_of("/?#", begin), flight.url.size());
  const auto host = flight.url.rfind('@', end) == std::string::npos ? begin : flight.url.rfind('@', end) + 1;
  const std::string authority = flight.url.substr(host, end - host);
  const auto colon = authority.find(':', authority.rfind(']') == std::string::npos ? 0 : authority.rfind(']'));
  const std::string port = colon == std::string::npos ? "" : authority.substr(colon);
  flight.url.replace(host, end - host, name + port);
  flight.connect_to.reset(curl_slist_append(nullptr, ("::" + authority.substr(0, colon) + (port.empty() ? ":" : port)).c_str()));
  curl_easy_setopt(flight.easy, CURLOPT_URL, flight.url.c_str());
  curl_easy_setopt(flight.easy, CURLOPT_CONNECT_TO, flight.connect_to.get());
}

// What is the same in every request of this kind.
void Flights::set(Flight& flight) {
  const Requests::Kind& kind = requests_->kinds()[flight.kind];
  set_transport(flight);
  flight.owner = hooks_.self;
  curl_easy_setopt(flight.easy, CURLOPT_PRIVATE, &flight);
  requests_->write_url(kind, 0, flight.url);
  set_url(flight);
  const bool sends_body = kind.has_body || (kind.method != "GET" && kind.method != "HEAD");
  if (kind.fixed_headers && (sends_body || !kind.headers.empty()))
    curl_easy_setopt(flight.easy, CURLOPT_HTTPHEADER, headers_[flight.kind].get());
  if (kind.method == "HEAD") curl_easy_setopt(flight.easy, CURLOPT_NOBODY, 1L);
  if (!sends_body || kind.method == "HEAD") return;
  requests_->write_body(kind, 0, flight.body);
  set_body(flight, flight.body);
  curl_easy_setopt(flight.easy, CURLOPT_CUSTOMREQUEST, kind.method.c_str());
}

// What is not. False: a value makes a header that can't be sent.
bool Flights::write_values(Flight& flight) {
  const Requests::Kind& kind = requests_->kinds()[flight.kind];
  if (!kind.fixed_url) {
    requests_->write_url(kind, flight.request, flight.url);
    set_url(flight);
  }
  if (!kind.fixed_body && kind.method != "HEAD") {
    requests_->write_body(kind, flight.request, flight.body);
    set_body(flight, flight.body);
  }
  if (kind.fixed_headers) return true;
  auto lines = header_lines(requests_->headers(kind, flight.request));
  if (!lines) return false;
  curl_easy_setopt(flight.easy, CURLOPT_HTTPHEADER, lines->get());
  flight.headers = std::move(lines).value();
  return true;
}

Flight* Flights::take(std::size_t kind) {
  if (!idle_[kind].empty()) {
    Flight* flight = idle_[kind].back();
    idle_[kind].pop_back();
    return flight;
  }
  auto flight = std::make_unique<Flight>();
  flight->easy = curl_easy_init();
  flight->kind = kind;
  if (flight->easy == nullptr) return nullptr;
  set(*flight);
  all_.push_back(std::move(flight));
  return all_.back().get();
}

void Flights::restart(Flight& flight) const { curl_easy_setopt(flight.easy, CURLOPT_FRESH_CONNECT, 1L); }

Flight* Flights::make_ready(std::uint64_t request, Duration intended) {
  Flight* flight = take(requests_->kind_of(request));
  if (flight == nullptr) return nullptr;
  flight->request = request;
  flight->intended = intended;
  flight->sent = flight->sent_again = false;
  flight->no_socket = 0;
  if (std::exchange(flight->found_dead, false)) curl_easy_setopt(flight->easy, CURLOPT_FRESH_CONNECT, alone() ? 1L : 0L);
  if (write_values(*flight)) return flight;
  put_back(*flight);
  return nullptr;
}

}  // namespace arashi::load
