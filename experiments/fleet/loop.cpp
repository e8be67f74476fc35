#include "experiments/fleet/loop.hpp"

#include "experiments/fleet/wire.hpp"

#include <mutex>
#include <thread>

namespace arashi::fleet {
namespace {

constexpr std::size_t begun_at_once = 16;  // requests that are not urgent; then what is urgent is looked for again
constexpr int last_rounds = 100;           // at the end, of answers that ask again

}  // namespace

struct Loop::Inside : std::enable_shared_from_this<Inside> {
  std::unique_ptr<Wire> wire;
  std::thread thread;
  std::thread::id id;

  std::mutex mutex;  // guards what follows
  std::vector<Task> tasks;
  std::vector<std::unique_ptr<Transfer>> reverts, leases, others;
  std::uint64_t last_id = 0;
  std::map<std::array<std::string, 3>, std::shared_ptr<Keys>> keys;
  bool ending = false;
  bool urgent = false;  // something came that the loop must not sleep or work over

  std::multimap<Duration, Task> timers;             // of the loop's thread alone
  std::deque<std::unique_ptr<Transfer>> not_begun;  // likewise

  template <class Change>
  void tell(Change change) {
    {
      const std::lock_guard lock(mutex);
      change();
    }
    if (!is_own_thread()) wire->wake();
  }
  [[nodiscard]] bool is_own_thread() const { return std::this_thread::get_id() == id; }

  bool hurry() {
    const std::lock_guard lock(mutex);
    return urgent || ending || (!timers.empty() && timers.begin()->first <= boot_now());
  }

  void run() {
    while (take_what_came()) {
      run_timers();
      begin_some();
      wire->carry_on(next_wake(), [this] { return hurry(); });
    }
    for (int round = 0; round < last_rounds && refuse_all(); ++round) {
    }
  }

  // Also what the answers to the cancelled ask for. False: there was nothing.
  bool refuse_all() {
    wire->cancel_all();
    take_what_came();
    const bool some = !not_begun.empty();
    for (; !not_begun.empty(); not_begun.pop_front()) refuse(*not_begun.front());
    return some;
  }

  static void refuse(Transfer& transfer) {
    transfer.stopper.reset();
    transfer.then(fail(Blame::system, transfer.request.method, " ", transfer.request.url, ": cancelled before it was sent"));
  }

  // False at the end.
  bool take_what_came() {
    std::vector<Task> now;
    std::vector<std::unique_ptr<Transfer>> first, second, third;
    bool last = false;
    {
      const std::lock_guard lock(mutex);
      now.swap(tasks);
      first.swap(reverts);
      second.swap(leases);
      third.swap(others);
      urgent = false;
      last = ending;
    }
    for (auto* urgent_ones : {&first, &second})
      for (auto& one : *urgent_ones) last ? not_begun.push_back(std::move(one)) : begin(std::move(one));
    for (auto& one : third) not_begun.push_back(std::move(one));
    if (last) return false;
    for (const auto& task : now) task();
    return true;
  }

  // A token that has stopped already cancels it the next time round.
  void begin(std::unique_ptr<Transfer> transfer) {
    const auto cancel_it = [weak = weak_from_this(), number = transfer->id] {
      if (const auto there = weak.lock())
        there->tell([&] { there->tasks.emplace_back([at = there.get(), number] { at->wire->cancel(number); }); });
    };
    if (transfer->stop.stop_possible()) transfer->stopper.emplace(std::move(transfer->stop), cancel_it);
    wire->begin(std::move(transfer));
  }

  void run_timers() {
    for (const Duration now = boot_now(); !timers.empty() && timers.begin()->first <= now;) {
      const auto task = std::move(timers.begin()->second);
      timers.erase(timers.begin());
      task();
    }
  }

  void begin_some() {
    for (std::size_t i = 0; i < begun_at_once && !not_begun.empty(); ++i) {
      auto next = std::move(not_begun.front());
      not_begun.pop_front();
      begin(std::move(next));
    }
  }

  Duration next_wake() {
    const std::lock_guard lock(mutex);
    if (!tasks.empty() || !reverts.empty() || !leases.empty() || !others.empty() || !not_begun.empty() || ending) return Duration{};
    return timers.empty() ? Duration::max() : timers.begin()->first;
  }
};

Loop::Loop(std::shared_ptr<Inside> inside) : inside_(std::move(inside)) {}

Result<std::shared_ptr<Loop>> Loop::start() {
  auto inside = std::make_shared<Inside>();
  inside->wire = TRY(Wire::make());
  const std::lock_guard lock(inside->mutex);  // until the thread's id is there
  inside->thread = std::thread([inside] {
    { const std::lock_guard ready(inside->mutex); }
    inside->run();
  });
  inside->id = inside->thread.get_id();
  return std::shared_ptr<Loop>(new Loop(inside));
}

Loop::~Loop() {
  inside_->tell([this] { inside_->ending = true; });
  inside_->is_own_thread() ? inside_->thread.detach() : inside_->thread.join();  // the last agent went away in an answer
}

void Loop::post(Task task) {
  inside_->tell([&] { inside_->tasks.push_back(std::move(task)); });
}

void Loop::at(Duration when, Task task) {
  post([inside = inside_.get(), when, task = std::move(task)] { inside->timers.emplace(when, task); });
}

void Loop::send(std::unique_ptr<Transfer> transfer) {
  transfer->deadline = boot_now() + transfer->request.timeout;
  inside_->tell([&] {
    const auto urgency = transfer->urgency;
    auto& queue = urgency == Urgency::revert ? inside_->reverts : urgency == Urgency::lease ? inside_->leases : inside_->others;
    inside_->urgent = inside_->urgent || urgency == Urgency::revert;
    transfer->id = ++inside_->last_id;
    queue.push_back(std::move(transfer));
  });
}

std::shared_ptr<Keys> Loop::keys(const std::string& ca, const std::string& certificate, const std::string& key) {
  const std::lock_guard lock(inside_->mutex);
  auto& known = inside_->keys[{ca, certificate, key}];
  if (!known) known = std::make_shared<Keys>(ca, certificate, key);
  return known;
}

}  // namespace arashi::fleet
