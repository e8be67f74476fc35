#include "experiments/fleet/wire.hpp"

#include <sys/eventfd.h>
#include <sys/timerfd.h>

#include <algorithm>
#include <utility>

namespace arashi::fleet {
namespace {

constexpr std::size_t most_idle = 16;  // handles kept for the next requests
constexpr std::size_t events_at_once = 4096;
constexpr long read_at_once = 4096;           // bytes, for each request under way
constexpr long most_connections = 1'000'000;  // their number is ours to bound, by agent

void watch(int epoll, int fd, std::uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.fd = fd;
  ::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

Transfer& transfer_of(CURL* easy) {
  char* found = nullptr;
  curl_easy_getinfo(easy, CURLINFO_PRIVATE, &found);
  return *reinterpret_cast<Transfer*>(found);
}

}  // namespace

Result<std::unique_ptr<Wire>> Wire::make() {
  std::unique_ptr<Wire> wire(new Wire);
  TRY(wire->open());
  return wire;
}

Result<void> Wire::open() {
  epoll_ = Fd(::epoll_create1(EPOLL_CLOEXEC));
  timer_ = Fd(::timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK));
  wake_ = Fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!epoll_ || !timer_ || !wake_) return sys_fail("make the loop of the agents: epoll, timerfd or eventfd");
  watch(epoll_.get(), timer_.get(), EPOLLIN | EPOLLET);  // by its edge: it need not be read
  watch(epoll_.get(), wake_.get(), EPOLLIN);
  ready_.resize(events_at_once);
  for (auto& line : lines_) TRY(open_line(line));
  return {};
}

Result<void> Wire::open_line(Line& line) {
  line.multi = start_curl() == CURLE_OK ? curl_multi_init() : nullptr;
  if (line.multi == nullptr) return fail(Blame::system, "make the loop of the agents: libcurl could not be started");
  curl_multi_setopt(line.multi, CURLMOPT_SOCKETFUNCTION, &Wire::socket_changed);
  curl_multi_setopt(line.multi, CURLMOPT_SOCKETDATA, this);
  curl_multi_setopt(line.multi, CURLMOPT_TIMERFUNCTION, &Wire::timer_changed);
  curl_multi_setopt(line.multi, CURLMOPT_TIMERDATA, &line);
  curl_multi_setopt(line.multi, CURLMOPT_MAXCONNECTS, most_connections);
  return {};
}

Wire::~Wire() {
  cancel_all();
  for (CURL* easy : idle_) curl_easy_cleanup(easy);
  for (auto& line : lines_) curl_multi_cleanup(line.multi);
}

// ---- a request

void Wire::begin(std::unique_ptr<Transfer> transfer) {
  Peer& peer = *transfer->peer;
  if (transfer->urgency != Urgency::rest || peer.at_rest < most_at_once) return start(std::move(transfer));
  waiting_.emplace(transfer->id, &peer);
  overdue_.emplace(transfer->deadline, transfer->id);
  peer.waiting.push_back(std::move(transfer));
}

void Wire::start(std::unique_ptr<Transfer> transfer) {
  const auto id = transfer->id;
  Transfer& one = *transfer;
  const bool rest = one.urgency == Urgency::rest;
  one.stays_warm = !std::exchange(one.peer->warm_taken.at(line_of(one)), true);
  one.peer->at_rest += rest ? 1 : 0;
  under_way_.emplace(id, std::move(transfer));
  if (auto ready = set_up_transfer(one); !ready) return end(id, pass(ready.error()));
  if (curl_multi_add_handle(lines_.at(line_of(one)).multi, one.easy) != CURLM_OK)
    end(id, fail(Blame::system, one.exchange.what, ": libcurl refused the request"));
}

Result<void> Wire::set_up_transfer(Transfer& transfer) {
  if (transfer.peer->keys) TRY(transfer.peer->keys->refresh());
  transfer.request.timeout = std::max<Duration>(transfer.deadline - boot_now(), std::chrono::milliseconds(1));
  transfer.easy = take_easy();
  TRY(set_up(transfer.easy, transfer.request, transfer.exchange));
  if (transfer.peer->keys) transfer.peer->keys->use(transfer.easy);
  curl_easy_setopt(transfer.easy, CURLOPT_PRIVATE, &transfer);
  curl_easy_setopt(transfer.easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  curl_easy_setopt(transfer.easy, CURLOPT_BUFFERSIZE, read_at_once);
  if (!transfer.stays_warm) curl_easy_setopt(transfer.easy, CURLOPT_FORBID_REUSE, 1L);
  return {};
}

void Wire::end(std::uint64_t id, Result<HttpReply> result) {
  const auto found = under_way_.find(id);
  if (found == under_way_.end()) return;
  const auto transfer = std::move(found->second);
  under_way_.erase(found);
  const auto peer = transfer->peer;
  peer->at_rest -= transfer->urgency == Urgency::rest ? 1 : 0;
  if (transfer->stays_warm) peer->warm_taken.at(line_of(*transfer)) = false;
  if (transfer->easy != nullptr) put_back(transfer->easy);
  transfer->stopper.reset();
  transfer->then(std::move(result));
  let_next_begin(*peer);
}

void Wire::let_next_begin(Peer& peer) {
  while (!peer.waiting.empty() && peer.at_rest < most_at_once) {
    auto next = std::move(peer.waiting.front());
    peer.waiting.pop_front();
    waiting_.erase(next->id);
    overdue_.erase({next->deadline, next->id});
    start(std::move(next));
  }
}

void Wire::cancel(std::uint64_t id) {
  if (const auto waits = waiting_.find(id); waits != waiting_.end()) {
    auto& queue = waits->second->waiting;
    const auto at = std::find_if(queue.begin(), queue.end(), [id](const auto& one) { return one->id == id; });
    const auto transfer = std::move(*at);
    queue.erase(at);
    waiting_.erase(waits);
    overdue_.erase({transfer->deadline, id});
    transfer->stopper.reset();
    return transfer->then(fail(Blame::system, transfer->request.method, " ", transfer->request.url, ": cancelled before it was sent"));
  }
  const auto found = under_way_.find(id);
  if (found == under_way_.end()) return;
  Transfer& transfer = *found->second;
  curl_multi_remove_handle(lines_.at(line_of(transfer)).multi, transfer.easy);
  end(id, fail(Blame::system, transfer.exchange.what, ": cancelled"));
}

void Wire::cancel_all() {
  while (!waiting_.empty()) cancel(waiting_.begin()->first);
  while (!under_way_.empty()) cancel(under_way_.begin()->first);
}

CURL* Wire::take_easy() {
  if (idle_.empty()) return curl_easy_init();
  CURL* easy = idle_.back();
  idle_.pop_back();
  return easy;
}

void Wire::put_back(CURL* easy) {
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, nullptr);  // its request is gone
  curl_easy_setopt(easy, CURLOPT_PRIVATE, nullptr);
  if (idle_.size() < most_idle) return idle_.push_back(easy);
  curl_easy_cleanup(easy);
}

void Wire::take_ended(Line& line) {
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(line.multi, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    CURL* easy = message->easy_handle;
    const CURLcode code = message->data.result;
    Transfer& transfer = transfer_of(easy);
    curl_multi_remove_handle(line.multi, easy);
    end(transfer.id, read_out(easy, code, transfer.exchange));
  }
}

// ---- sockets and timers

void Wire::tell(CURL* easy, int fd, int what) {
  const auto known = sockets_.find(fd);
  if (what == CURL_POLL_REMOVE) {
    if (known == sockets_.end()) return;
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
    sockets_.erase(known);
    return;
  }
  std::uint32_t wanted = 0;
  if ((what & CURL_POLL_IN) != 0) wanted |= EPOLLIN;
  if ((what & CURL_POLL_OUT) != 0) wanted |= EPOLLOUT;
  epoll_event event{};
  event.events = wanted;
  event.data.fd = fd;
  ::epoll_ctl(epoll_.get(), known == sockets_.end() ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &event);
  sockets_[fd] = {.events = wanted, .urgency = transfer_of(easy).urgency};
}

int Wire::socket_changed(CURL* easy, curl_socket_t socket, int what, void* self, void*) {
  static_cast<Wire*>(self)->tell(easy, socket, what);
  return 0;
}

int Wire::timer_changed(CURLM*, long milliseconds, void* line) {
  static_cast<Line*>(line)->due = milliseconds < 0 ? std::nullopt : std::optional(boot_now() + std::chrono::milliseconds(milliseconds));
  return 0;
}

void Wire::act(Line& line, int socket, int events) {
  int running = 0;
  curl_multi_socket_action(line.multi, socket, events, &running);
  take_ended(line);
}

void Wire::act_on_time(Duration now) {
  for (auto& line : {&lines_[1], &lines_[0]})
    if (line->due && *line->due <= now) {
      line->due.reset();
      act(*line, CURL_SOCKET_TIMEOUT, 0);
    }
  while (!overdue_.empty() && overdue_.begin()->first <= now) cancel(overdue_.begin()->second);
}

void Wire::take_event(int fd, std::uint32_t events) {
  int mask = 0;
  if ((events & EPOLLIN) != 0) mask |= CURL_CSELECT_IN;
  if ((events & EPOLLOUT) != 0) mask |= CURL_CSELECT_OUT;
  if ((events & (EPOLLERR | EPOLLHUP)) != 0) mask |= CURL_CSELECT_ERR;
  const auto urgency = sockets_.at(fd).urgency;
  act(lines_.at(urgency == Urgency::rest ? 0 : 1), fd, mask);
}

void Wire::sleep(Duration until) {
  const bool now = until <= boot_now();
  if (!now && armed_ != until) {
    itimerspec when{};
    when.it_value.tv_sec = until.count() / 1'000'000'000;
    when.it_value.tv_nsec = until.count() % 1'000'000'000;
    ::timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &when, nullptr);
    armed_ = until;
  }
  ready_.resize(events_at_once);
  const int count = ::epoll_wait(epoll_.get(), ready_.data(), static_cast<int>(ready_.size()), now ? 0 : -1);
  ready_.resize(static_cast<std::size_t>(std::max(count, 0)));
}

void Wire::carry_on(Duration until, const std::function<bool()>& hurry) {
  Duration due = overdue_.empty() ? until : std::min(until, overdue_.begin()->first);
  for (const auto& line : lines_) due = std::min(due, line.due.value_or(due));
  sleep(due);
  for (const auto level : {Urgency::revert, Urgency::lease, Urgency::rest})
    for (const auto& event : ready_) {
      const auto socket = sockets_.find(event.data.fd);
      if (socket == sockets_.end() || socket->second.urgency != level) continue;
      if (level != Urgency::revert && hurry()) return;
      take_event(event.data.fd, event.events);
    }
  act_on_time(boot_now());
  std::uint64_t rung = 0;
  [[maybe_unused]] const auto got = ::read(wake_.get(), &rung, sizeof rung);
}

void Wire::wake() const {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(wake_.get(), &one, sizeof one);
}

}  // namespace arashi::fleet
