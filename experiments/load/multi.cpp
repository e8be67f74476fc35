#include "experiments/load/multi.hpp"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>

#include <algorithm>
#include <array>

namespace arashi::load {
namespace {

std::size_t discard(const char*, std::size_t, std::size_t size, void*) { return size; }

long whole_milliseconds(Duration duration) {
  return static_cast<long>(std::max<std::int64_t>(1, std::chrono::ceil<std::chrono::milliseconds>(duration).count()));
}

void watch(int epoll, int fd) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = fd;
  ::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

void empty(int fd) {
  std::uint64_t count = 0;
  while (::read(fd, &count, sizeof count) > 0) {
  }
}

Answer answer_of(CURL* easy, CURLcode code) {
  if (code == CURLE_OPERATION_TIMEDOUT) return Answer::timed_out;
  if (code != CURLE_OK) return Answer::failed;
  long status = 0;
  curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
  return status > 0 && status < 400 ? Answer::good : Answer::failed;
}

}  // namespace

Multi::Multi(spec::Load load, std::size_t connections) : load_(std::move(load)), connections_(connections) {}

Multi::~Multi() { end(); }

void Multi::end() {
  for (const auto& flight : flights_) {
    if (multi_ != nullptr) curl_multi_remove_handle(multi_, flight->easy);
    curl_easy_cleanup(flight->easy);
  }
  idle_.clear();
  flights_.clear();
  curl_multi_cleanup(std::exchange(multi_, nullptr));
}

Result<std::unique_ptr<Multi>> Multi::make(const spec::Load& load, std::size_t connections) {
  std::unique_ptr<Multi> multi(new Multi(load, connections));
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
  watch(epoll_.get(), timer_.get());
  watch(epoll_.get(), wake_.get());
  curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, &Multi::socket_changed);
  curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, &Multi::timer_changed);
  curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_PIPELINING, static_cast<long>(CURLPIPE_NOTHING));
  curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, static_cast<long>(connections_));
  return {};
}

Result<void> Multi::make_headers() {
  auto lines = header_lines(load_.headers);
  if (!lines) return because(lines.error(), "load '", load_.name, "'");
  headers_ = std::move(lines).value();
  return {};
}

void Multi::set(CURL* easy) {
  curl_easy_setopt(easy, CURLOPT_URL, load_.url.c_str());
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_PROXY, "");
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers_.get());
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &discard);
  if (load_.method == "HEAD") {
    curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
  } else if (load_.method != "GET" || !load_.body.empty()) {
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(load_.body.size()));
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, load_.body.c_str());
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, load_.method.c_str());
  }
}

Multi::Flight* Multi::new_flight() {
  auto flight = std::make_unique<Flight>();
  flight->easy = curl_easy_init();
  if (flight->easy == nullptr) return nullptr;
  set(flight->easy);
  curl_easy_setopt(flight->easy, CURLOPT_PRIVATE, flight.get());
  flights_.push_back(std::move(flight));
  return flights_.back().get();
}

bool Multi::begin(std::uint64_t request, Duration at_most) {
  Flight* flight = nullptr;
  if (idle_.empty()) {
    flight = new_flight();
  } else {
    flight = idle_.back();
    idle_.pop_back();
  }
  if (flight == nullptr) return false;
  flight->request = request;
  curl_easy_setopt(flight->easy, CURLOPT_TIMEOUT_MS, whole_milliseconds(at_most));
  if (curl_multi_add_handle(multi_, flight->easy) == CURLM_OK) return true;
  idle_.push_back(flight);
  return false;
}

int Multi::socket_changed(CURL*, curl_socket_t socket, int what, void* self, void* known) {
  auto& multi = *static_cast<Multi*>(self);
  epoll_event event{};
  event.data.fd = socket;
  if (what == CURL_POLL_REMOVE) {
    ::epoll_ctl(multi.epoll_.get(), EPOLL_CTL_DEL, socket, &event);
    curl_multi_assign(multi.multi_, socket, nullptr);
    return 0;
  }
  if ((what & CURL_POLL_IN) != 0) event.events |= EPOLLIN;
  if ((what & CURL_POLL_OUT) != 0) event.events |= EPOLLOUT;
  const int change = known == nullptr ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
  if (::epoll_ctl(multi.epoll_.get(), change, socket, &event) != 0 && errno == EEXIST)
    ::epoll_ctl(multi.epoll_.get(), EPOLL_CTL_MOD, socket, &event);
  curl_multi_assign(multi.multi_, socket, self);
  return 0;
}

int Multi::timer_changed(CURLM*, long milliseconds, void* self) {
  auto& multi = *static_cast<Multi*>(self);
  multi.curl_due_ = milliseconds < 0 ? std::nullopt : std::optional(boot_now() + std::chrono::milliseconds(milliseconds));
  return 0;
}

void Multi::act(int socket, int events) {
  int running = 0;
  curl_multi_socket_action(multi_, socket, events, &running);
}

void Multi::wait(Duration until) {
  if (curl_due_ && *curl_due_ <= boot_now()) {
    curl_due_.reset();
    act(CURL_SOCKET_TIMEOUT, 0);
    return;  // this may have ended a request: asleep we would find it late, and call its answer slow
  }
  const Duration due = std::max<Duration>(curl_due_ ? std::min(*curl_due_, until) : until, Duration(1));
  itimerspec when{};
  when.it_value.tv_sec = due.count() / 1'000'000'000;
  when.it_value.tv_nsec = due.count() % 1'000'000'000;
  ::timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &when, nullptr);
  std::array<epoll_event, 64> events{};
  const int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), -1);
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events.at(static_cast<std::size_t>(i));
    const int fd = event.data.fd;
    if (fd == timer_.get() || fd == wake_.get()) {
      empty(fd);
      continue;
    }
    int mask = 0;
    if ((event.events & EPOLLIN) != 0) mask |= CURL_CSELECT_IN;
    if ((event.events & EPOLLOUT) != 0) mask |= CURL_CSELECT_OUT;
    if ((event.events & (EPOLLERR | EPOLLHUP)) != 0) mask |= CURL_CSELECT_ERR;
    act(fd, mask);
  }
}

void Multi::wake() const {
  const std::uint64_t one = 1;
  static_cast<void>(!::write(wake_.get(), &one, sizeof one));
}

std::vector<Finished> Multi::finished() {
  std::vector<Finished> result;
  int left = 0;
  while (CURLMsg* message = curl_multi_info_read(multi_, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    CURL* easy = message->easy_handle;
    const Answer answer = answer_of(easy, message->data.result);
    void* context = nullptr;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &context);
    curl_multi_remove_handle(multi_, easy);
    auto* flight = static_cast<Flight*>(context);
    result.push_back({flight->request, answer});
    idle_.push_back(flight);
  }
  return result;
}

}  // namespace arashi::load
