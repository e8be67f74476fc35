#include "experiments/load/multi.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>

#include <algorithm>
#include <array>

namespace arashi::load {
namespace {

constexpr std::size_t streams = 100;  // requests at once on one HTTP/2 connection: what libcurl and most servers take
constexpr std::size_t events_at_once = 256;
constexpr int most_timer_rounds = 16;  // a timer that is due again at once may not keep us from the sockets

// libcurl before 8.0 breaks a connection of HTTP/2 by prior knowledge when it uses it again (its issue 10634): there each request has its
// own.
bool shares(spec::Http http) {
  return http == spec::Http::two || (http == spec::Http::two_in_clear && curl_version_info(CURLVERSION_NOW)->version_num >= 0x080000);
}

std::size_t discard(const char*, std::size_t, std::size_t size, void*) { return size; }

void watch(int epoll, int fd, std::uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.fd = fd;
  ::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

void empty(int fd) {
  std::uint64_t count = 0;
  while (::read(fd, &count, sizeof count) > 0) {
  }
}

// How long ago the connection last received data, whoever was busy then; milliseconds, as coarse as the kernel's tick.
std::optional<Duration> since_last_data(CURL* easy) {
  curl_socket_t socket = CURL_SOCKET_BAD;
  if (curl_easy_getinfo(easy, CURLINFO_ACTIVESOCKET, &socket) != CURLE_OK || socket == CURL_SOCKET_BAD) return std::nullopt;
  tcp_info info{};
  socklen_t size = sizeof info;
  if (::getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return std::nullopt;
  return std::chrono::milliseconds(info.tcpi_last_data_recv);
}

}  // namespace

Multi::Multi(const spec::Load& load, std::shared_ptr<const Requests> requests, Terms terms)
    : load_(load),
      requests_(std::move(requests)),
      terms_(std::move(terms)),
      most_in_flight_(terms_.connections * (shares(load.http) ? streams : 1)),
      idle_(requests_->kinds().size()),
      looked_(boot_now()),
      seen_(looked_),
      seen_before_(looked_) {}

Multi::~Multi() { end(); }

void Multi::end() {
  for (const auto& flight : flights_) {
    if (multi_ != nullptr && flight->under_way) curl_multi_remove_handle(multi_, flight->easy);
    curl_easy_cleanup(flight->easy);
  }
  begun_.clear();
  for (auto& each : idle_) each.clear();
  flights_.clear();
  in_flight_ = 0;
  curl_multi_cleanup(std::exchange(multi_, nullptr));
}

Result<std::unique_ptr<Multi>> Multi::make(const spec::Load& load, std::shared_ptr<const Requests> requests, Terms terms) {
  std::unique_ptr<Multi> multi(new Multi(load, std::move(requests), std::move(terms)));
  TRY(multi->open());
  TRY(multi->make_headers());
  return multi;
}

Result<void> Multi::open() {
  static const CURLcode once = curl_global_init(CURL_GLOBAL_DEFAULT);
  multi_ = once == CURLE_OK ? curl_multi_init() : nullptr;
  if (multi_ == nullptr) return fail(Blame::system, "load '", load_.name, "': libcurl could not be started");
  epoll_ = Fd(::epoll_create1(EPOLL_CLOEXEC));
  timer_ = Fd(::timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK));
  wake_ = Fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!epoll_ || !timer_ || !wake_) return sys_fail("load '", load_.name, "': epoll, timerfd or eventfd");
  watch(epoll_.get(), timer_.get(), EPOLLIN | EPOLLET);  // by its edge: it need not be read
  watch(epoll_.get(), wake_.get(), EPOLLIN);
  const bool two = shares(load_.http);
  curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, &Multi::socket_changed);
  curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, &Multi::timer_changed);
  curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_PIPELINING, static_cast<long>(two ? CURLPIPE_MULTIPLEX : CURLPIPE_NOTHING));
  curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, static_cast<long>(terms_.connections));
  if (two) curl_multi_setopt(multi_, CURLMOPT_MAX_HOST_CONNECTIONS, static_cast<long>(terms_.connections));
  return {};
}

Result<void> Multi::make_headers() {
  for (const auto& kind : requests_->kinds()) {
    auto lines = header_lines(requests_->headers(kind, 0));
    if (!lines) return because(lines.error(), "load '", load_.name, "'");
    headers_.push_back(std::move(lines).value());
  }
  return {};
}

// ---- one request

void Multi::set_tls(CURL* easy) {
  const spec::LoadTls& tls = load_.tls;
  if (!tls.ca.empty()) curl_easy_setopt(easy, CURLOPT_CAINFO, tls.ca.c_str());
  if (!tls.cert.empty()) curl_easy_setopt(easy, CURLOPT_SSLCERT, tls.cert.c_str());
  if (!tls.key.empty()) curl_easy_setopt(easy, CURLOPT_SSLKEY, tls.key.c_str());
  if (!tls.insecure) return;
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
}

void Multi::set_transport(CURL* easy) {
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_PROXY, "");
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &discard);
  curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, &Multi::socket_closes);
  curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, this);
  long version = CURL_HTTP_VERSION_1_1;
  if (load_.http == spec::Http::two) version = CURL_HTTP_VERSION_2TLS;
  if (load_.http == spec::Http::two_in_clear) version = CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE;
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, version);
  const bool alone = load_.http != spec::Http::one && !shares(load_.http);
  curl_easy_setopt(easy, CURLOPT_PIPEWAIT, shares(load_.http) ? 1L : 0L);  // rather another stream than another connection
  curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, alone ? 1L : 0L);
  curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, alone ? 1L : 0L);
  set_tls(easy);
}

// The body must stay where it is: libcurl takes no copy.
void Multi::set_body(const Flight& flight, const std::string& body) {
  curl_easy_setopt(flight.easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
  curl_easy_setopt(flight.easy, CURLOPT_POSTFIELDS, body.c_str());
}

// To libcurl a server's name is the URL's host; where to connect is told besides.
void Multi::set_url(Flight& flight) {
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
void Multi::set(Flight& flight) {
  const Requests::Kind& kind = requests_->kinds()[flight.kind];
  set_transport(flight.easy);
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
bool Multi::prepare(Flight& flight) {
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

Multi::Flight* Multi::new_flight(std::size_t kind) {
  auto flight = std::make_unique<Flight>();
  flight->easy = curl_easy_init();
  flight->kind = kind;
  if (flight->easy == nullptr) return nullptr;
  set(*flight);
  flights_.push_back(std::move(flight));
  return flights_.back().get();
}

bool Multi::begin(std::uint64_t request, Duration intended) {
  const std::size_t kind = requests_->kind_of(request);
  Flight* flight = nullptr;
  if (idle_[kind].empty()) {
    flight = new_flight(kind);
  } else {
    flight = idle_[kind].back();
    idle_[kind].pop_back();
  }
  if (flight == nullptr) return false;
  flight->request = request;
  flight->intended = intended;
  if (!prepare(*flight) || curl_multi_add_handle(multi_, flight->easy) != CURLM_OK) {
    idle_[kind].push_back(flight);
    return false;
  }
  flight->under_way = true;
  ++in_flight_;
  begun_.emplace_back(flight, request);
  return true;
}

void Multi::release(Flight& flight) {
  curl_multi_remove_handle(multi_, flight.easy);
  flight.under_way = false;
  --in_flight_;
  idle_[flight.kind].push_back(&flight);
}

// ---- its end

// Where a threshold lies between our last two looks, the kernel knows on which side of it the answer came.
Duration Multi::arrival(const Flight& flight) const {
  const bool matters = std::ranges::any_of(terms_.patience, [&](Duration patience) {
    return flight.intended + patience > seen_before_ && flight.intended + patience < looked_;
  });
  if (!matters) return looked_;
  const auto age = since_last_data(flight.easy);
  return age ? std::clamp(boot_now() - *age, std::min(seen_before_, looked_), looked_) : looked_;
}

Finished Multi::ending(const Flight& flight, CURLcode code) const {
  Finished end{.request = flight.request, .answer = Answer::failed, .arrived = arrival(flight), .why = {}};
  if (code != CURLE_OK) {
    end.why = curl_easy_strerror(code);
    return end;
  }
  long status = 0, version = 0;
  curl_easy_getinfo(flight.easy, CURLINFO_RESPONSE_CODE, &status);
  if (load_.http != spec::Http::one) curl_easy_getinfo(flight.easy, CURLINFO_HTTP_VERSION, &version);
  if (load_.http != spec::Http::one && version != CURL_HTTP_VERSION_2_0)
    end.why = "the server does not speak HTTP/2";
  else if (status > 0 && status < 400)
    end.answer = Answer::good;
  else
    end.why = "HTTP " + std::to_string(status);
  return end;
}

void Multi::take(std::vector<Finished>& finished) {
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    void* context = nullptr;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &context);
    auto& flight = *static_cast<Flight*>(context);
    finished.push_back(ending(flight, message->data.result));
    release(flight);
  }
  time_out(looked_, finished);
}

// Requests begin in the order of their intended times, so the first ones time out first.
void Multi::time_out(Duration now, std::vector<Finished>& finished) {
  while (next_timeout() <= now) {
    auto& [flight, request] = begun_.front();
    finished.push_back({.request = request, .answer = Answer::timed_out, .arrived = now, .why = "timeout"});
    release(*flight);
    --running_;
    begun_.pop_front();
  }
}

Duration Multi::next_timeout() {
  while (!begun_.empty()) {
    const auto& [flight, request] = begun_.front();
    if (flight->under_way && flight->request == request) return flight->intended + load_.timeout;
    begun_.pop_front();
  }
  return Duration::max();
}

// ---- sockets and timers

Multi::Socket& Multi::socket_at(int fd) {
  const auto index = static_cast<std::size_t>(fd);
  if (sockets_.size() <= index) sockets_.resize(index + 64);
  return sockets_[index];
}

void Multi::change(int fd, std::uint32_t wanted) {
  Socket& socket = socket_at(fd);
  socket.wanted = wanted;
  if (!std::exchange(socket.changed, true)) changed_.push_back(fd);
}

void Multi::tell(int fd, std::uint32_t events) {
  Socket& socket = socket_at(fd);
  epoll_event event{};
  event.events = events;
  event.data.fd = fd;
  const int how = events == 0 ? EPOLL_CTL_DEL : socket.told == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
  if (::epoll_ctl(epoll_.get(), how, fd, &event) == 0) socket.told = events;
}

// libcurl forgets a socket after each request and names it again with the next: what epoll knows is changed only where it would miss
// something, or wake us for nothing.
void Multi::tell_epoll() {
  for (const int fd : changed_) {
    Socket& socket = socket_at(fd);
    socket.changed = false;
    const std::uint32_t enough = socket.told & ~std::uint32_t{EPOLLOUT};
    const std::uint32_t needed = socket.wanted | enough;
    if (socket.told != needed) tell(fd, needed);
  }
  changed_.clear();
}

int Multi::socket_changed(CURL*, curl_socket_t socket, int what, void* self, void*) {
  std::uint32_t wanted = 0;
  if (what != CURL_POLL_REMOVE && (what & CURL_POLL_IN) != 0) wanted |= EPOLLIN;
  if (what != CURL_POLL_REMOVE && (what & CURL_POLL_OUT) != 0) wanted |= EPOLLOUT;
  static_cast<Multi*>(self)->change(socket, wanted);
  return 0;
}

// With the socket epoll forgets it; its number may come again.
int Multi::socket_closes(void* self, curl_socket_t socket) {
  auto& known = static_cast<Multi*>(self)->socket_at(socket);
  known.told = known.wanted = 0;
  return ::close(socket);
}

int Multi::timer_changed(CURLM*, long milliseconds, void* self) {
  auto& multi = *static_cast<Multi*>(self);
  multi.curl_due_ = milliseconds < 0 ? std::nullopt : std::optional(boot_now() + std::chrono::milliseconds(milliseconds));
  return 0;
}

void Multi::act(int socket, int events) { curl_multi_socket_action(multi_, socket, events, &running_); }

void Multi::act_on_timers(Duration now) {
  for (int round = 0; round < most_timer_rounds && curl_due_ && *curl_due_ <= now; ++round) {
    curl_due_.reset();
    act(CURL_SOCKET_TIMEOUT, 0);
  }
}

void Multi::take_event(int fd, std::uint32_t events) {
  if (fd == timer_.get()) return;
  if (fd == wake_.get()) return empty(fd);
  Socket& socket = socket_at(fd);
  constexpr std::uint32_t ends = EPOLLERR | EPOLLHUP;
  if (socket.wanted == 0 || (events & (socket.wanted | ends)) == 0) {  // nobody waits for it, as when the server closes an idle connection
    tell(fd, socket.wanted);
    return;
  }
  int mask = 0;
  if ((events & EPOLLIN) != 0) mask |= CURL_CSELECT_IN;
  if ((events & EPOLLOUT) != 0) mask |= CURL_CSELECT_OUT;
  if ((events & (EPOLLERR | EPOLLHUP)) != 0) mask |= CURL_CSELECT_ERR;
  act(fd, mask);
}

void Multi::sleep_until(Duration due, int at_most) {
  tell_epoll();
  if (at_most != 0 && (armed_ != due || armed_ <= looked_)) {
    itimerspec when{};
    when.it_value.tv_sec = due.count() / 1'000'000'000;
    when.it_value.tv_nsec = due.count() % 1'000'000'000;
    ::timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &when, nullptr);
    armed_ = due;
  }
  std::array<epoll_event, events_at_once> events;  // NOLINT(cppcoreguidelines-pro-type-member-init): filled in by epoll_wait
  const int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), at_most);
  looked_ = boot_now();
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events.at(static_cast<std::size_t>(i));
    take_event(event.data.fd, event.events);
  }
  act_on_timers(looked_);
  seen_before_ = seen_;
  if (count < static_cast<int>(events.size())) seen_ = looked_;
}

void Multi::wait(Duration until) {
  const Duration now = boot_now();
  act_on_timers(now);
  const Duration due = std::min({until, next_timeout(), curl_due_.value_or(Duration::max())});
  // What has ended in there waits to be taken: asleep we would find it late, and call its answer slow.
  const bool ended = running_ < static_cast<int>(in_flight_);
  sleep_until(due, ended || due <= now ? 0 : -1);
}

void Multi::wake() const {
  const std::uint64_t one = 1;
  static_cast<void>(!::write(wake_.get(), &one, sizeof one));
}

}  // namespace arashi::load
