#include "experiments/fleet/lease.hpp"

#include <algorithm>
#include <atomic>

namespace arashi::fleet {
namespace {

constexpr Duration pause_after_failure = std::chrono::milliseconds(200);
constexpr Duration patience_to_open = std::chrono::seconds(10);

// Where in its period a lease is renewed first, so that a thousand opened at once are renewed one after the other: between half of the
// period and all of it, evenly for however many there are (multiples of the golden ratio).
double place_in_period() {
  static std::atomic<std::uint32_t> count = 0;
  constexpr double golden = 0.6180339887498949;
  const double part = static_cast<double>(count++ % 100'000) * golden;
  return 0.5 + (part - static_cast<double>(static_cast<std::uint64_t>(part))) / 2;
}

}  // namespace

// Held by the loop's timers and answers, so that it may outlive its owner by one of them.
struct Lease::Inside : std::enable_shared_from_this<Inside> {
  std::shared_ptr<Agent> agent;
  protocol::LeaseRequest request;
  LeaseNews news;
  std::stop_source stop;
  double place = place_in_period();
  bool opened = false;
  Duration granted{}, last_renewed{};  // when the last renewal that worked was sent

  void renew() {
    if (stop.stop_requested()) return;
    const Duration sent = boot_now();
    const auto told = [self = shared_from_this(), sent](const Result<protocol::LeaseReply>& reply) {
      if (!self->stop.stop_requested()) self->take(reply, sent);
    };
    // A thousand that are opened at once take their time; a renewal must be through before the lease ends.
    agent->lease(request, told, {.patience = opened ? Duration{} : patience_to_open, .stop = stop.get_token()});
  }

  void take(const Result<protocol::LeaseReply>& reply, Duration sent) {
    if (!reply) return take_failure(reply.error());
    last_renewed = sent;
    granted = reply->ttl > Duration::zero() ? std::min(reply->ttl, request.ttl) : request.ttl;
    const bool first = !std::exchange(opened, true);
    const double part = first ? place : 1.0;
    again_at(sent + Duration(static_cast<std::int64_t>(part * static_cast<double>(granted.count()) / 3)));
    if (first) news.opened();
  }

  void take_failure(const Error& error) {
    const Duration now = boot_now();
    if (news.failed(error, opened && now - last_renewed >= granted)) again_at(now + pause_after_failure);
  }

  void again_at(Duration when) {
    agent->loop().at(when, [weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->renew();
    });
  }
};

Lease::Lease(std::shared_ptr<Agent> agent, protocol::LeaseRequest request, LeaseNews news) : inside_(std::make_shared<Inside>()) {
  inside_->agent = std::move(agent);
  inside_->request = std::move(request);
  inside_->news = std::move(news);
  inside_->renew();
}

Lease::~Lease() { end(); }

void Lease::end() { inside_->stop.request_stop(); }

}  // namespace arashi::fleet
