#include "experiments/load/multi.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>

namespace arashi::load {
namespace {

constexpr std::size_t streams = 100;  // requests at once on one HTTP/2 connection: what libcurl and most servers take
constexpr std::size_t events_at_once = 256;
constexpr Duration standstill = std::chrono::milliseconds(200);
constexpr int most_timer_rounds = 16;  // a timer that is due again at once may not keep us from the sockets

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
      terms_(std::move(terms)),
      most_in_flight_(terms_.connections * (shares_connections(load.http) ? streams : 1)),
      flights_(load, std::move(requests),
               {.open = &Multi::socket_opens, .before_request = &Multi::request_begins, .close = &Multi::socket_closes, .self = this}),
      looked_(boot_now()),
      seen_(looked_),
      seen_before_(looked_) {}

Multi::~Multi() { end(); }

void Multi::end() {
  for (const auto& flight : flights_.all())
    if (multi_ != nullptr && flight->under_way) curl_multi_remove_handle(multi_, flight->easy);
  begun_.clear();
  flights_.clear();
  in_flight_ = 0;
  curl_multi_cleanup(std::exchange(multi_, nullptr));
}

Result<std::unique_ptr<Multi>> Multi::make(const spec::Load& load, std::shared_ptr<const Requests> requests, Terms terms) {
  std::unique_ptr<Multi> multi(new Multi(load, std::move(requests), std::move(terms)));
  TRY(multi->open());
  TRY(multi->flights_.open());
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
  const bool two = shares_connections(load_.http);
  curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, &Multi::socket_changed);
  curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, &Multi::timer_changed);
  curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_PIPELINING, static_cast<long>(two ? CURLPIPE_MULTIPLEX : CURLPIPE_NOTHING));
  curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, static_cast<long>(terms_.connections));
  if (two) curl_multi_setopt(multi_, CURLMOPT_MAX_HOST_CONNECTIONS, static_cast<long>(terms_.connections));
  return {};
}

// ---- a request

bool Multi::begin(std::uint64_t request, Duration intended) {
  Flight* flight = flights_.make_ready(request, intended);
  if (flight == nullptr) return false;
  if (curl_multi_add_handle(multi_, flight->easy) != CURLM_OK) {
    flights_.put_back(*flight);
    return false;
  }
  flight->under_way = true;
  ++in_flight_;
  begun_.emplace_back(flight, request);
  return true;
}

// What was given a dead connection was not sent: it goes over a new one.
bool Multi::begin_anew(Flight& flight) {
  curl_multi_remove_handle(multi_, flight.easy);
  flights_.restart(flight);
  return curl_multi_add_handle(multi_, flight.easy) == CURLM_OK;
}

void Multi::release(Flight& flight) {
  curl_multi_remove_handle(multi_, flight.easy);
  flight.under_way = false;
  --in_flight_;
  flights_.put_back(flight);
}

// ---- its end

namespace {

// What went wrong on this side, before anything was sent: no answer of the service's.
std::optional<std::string> our_own(const Flight& flight, CURLcode code) {
  if (code == CURLE_OK || flight.sent) return std::nullopt;
  if (flight.no_socket != 0) return "no socket could be opened here: " + std::generic_category().message(flight.no_socket);
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
      return "the host's name does not resolve here";
    case CURLE_OUT_OF_MEMORY:
    case CURLE_FAILED_INIT:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ENGINE_INITFAILED:
      return curl_easy_strerror(code);
    default:
      break;
  }
  long error = 0;
  curl_easy_getinfo(flight.easy, CURLINFO_OS_ERRNO, &error);
  if (code == CURLE_COULDNT_CONNECT && error == EADDRNOTAVAIL) return "no local port is free for another connection";
  return std::nullopt;
}

}  // namespace

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
  if (const auto ours = our_own(flight, code)) {
    end.answer = Answer::not_sent;
    end.why = *ours;
    return end;
  }
  if (code != CURLE_OK) {
    end.why = flight.sent_again ? "ended without an answer" : curl_easy_strerror(code);
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
    Flight& flight = Flights::of(message->easy_handle);
    if (flight.found_dead && !flight.sent && message->data.result == CURLE_ABORTED_BY_CALLBACK && begin_anew(flight)) continue;
    finished.push_back(ending(flight, message->data.result));
    release(flight);
  }
  time_out(seen_, finished);
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

curl_socket_t Multi::socket_opens(void* flight, curlsocktype, curl_sockaddr* address) {
  auto& which = *static_cast<Flight*>(flight);
  which.sent_again = which.sent;
  if (which.sent) return CURL_SOCKET_BAD;
  const int fd = ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
  which.no_socket = fd >= 0 || errno == EAFNOSUPPORT ? 0 : errno;
  if (fd >= 0) static_cast<Multi*>(which.owner)->opened_.push_back(fd);
  return fd;
}

// With the socket epoll forgets it; its number may come again.
int Multi::socket_closes(void* self, curl_socket_t socket) {
  auto& multi = *static_cast<Multi*>(self);
  auto& known = multi.socket_at(socket);
  const auto [first, last] = multi.by_port_.equal_range(known.local_port);
  const auto entry = std::find_if(first, last, [&](const auto& each) { return each.second == socket; });
  if (entry != last) multi.by_port_.erase(entry);
  std::erase(multi.opened_, socket);
  known = {.changed = known.changed};
  return ::close(socket);
}

void Multi::learn_ports() {
  std::erase_if(opened_, [&](int fd) {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    if (::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return false;
    const bool six = address.ss_family == AF_INET6;
    const int port = ntohs(six ? reinterpret_cast<sockaddr_in6*>(&address)->sin6_port : reinterpret_cast<sockaddr_in*>(&address)->sin_port);
    if (port == 0) return false;  // not bound yet
    socket_at(fd).local_port = port;
    by_port_.emplace(port, fd);
    return true;
  });
}

// An idle connection of HTTP/1 has nothing to say: what can be read from it is its end, or an answer that is not ours (408, close_notify).
bool Multi::is_dead(int fd) const {
  pollfd look{.fd = fd, .events = static_cast<short>(POLLRDHUP | (load_.http == spec::Http::one ? POLLIN : 0)), .revents = 0};
  return ::poll(&look, 1, 0) > 0;
}

// The last moment before it is written, on whichever connection; libcurl asks again before it writes it another time. Two connections to
// different places may have one local port: then both are looked at, and a new connection is all that it costs.
int Multi::before_request(Flight& flight, int local_port) {
  flight.sent_again = flight.sent;
  if (flight.sent) return CURL_PREREQFUNC_ABORT;
  learn_ports();
  const auto [first, last] = by_port_.equal_range(local_port);
  bool dead = false;
  for (auto each = first; each != last; ++each) {
    const bool used = std::exchange(socket_at(each->second).used, true);
    dead = dead || (used && !flight.found_dead && is_dead(each->second));
  }
  flight.sent = !dead;
  flight.found_dead = flight.found_dead || dead;
  return dead ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
}

int Multi::request_begins(void* flight, char*, char*, int, int local_port) {
  auto& which = *static_cast<Flight*>(flight);
  return static_cast<Multi*>(which.owner)->before_request(which, local_port);
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

// Since we last looked, but for what we slept by will. Connections that were being made waited for us.
void Multi::note_standstill(Duration entered, Duration due) {
  const Duration away = entered - looked_ + std::max(boot_now() - std::max(due, entered), Duration{});
  if (away <= standstill) return;
  for (const auto& [flight, request] : begun_)
    if (flight->under_way && flight->request == request && !flight->sent) held_up_.emplace_back(request, away);
}

void Multi::sleep_until(Duration due, int at_most) {
  const Duration entered = boot_now();
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
  note_standstill(entered, due);
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
