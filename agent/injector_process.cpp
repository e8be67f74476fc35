#include "agent/injector_process.hpp"

#include "agent/channel.hpp"
#include "agent/control.hpp"
#include "agent/event_loop.hpp"
#include "agent/machine.hpp"
#include "agent/pool.hpp"
#include "agent/say.hpp"
#include "injector/host/command.hpp"

#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <deque>

namespace arashi {

namespace {

constexpr const char* self = "injector";
constexpr Duration patience_to_close = std::chrono::seconds(10);
constexpr Duration stable = std::chrono::seconds(1);  // an api process that lived so long is started again at once
constexpr Duration longest_pause = std::chrono::seconds(5);
constexpr std::size_t most_pending = std::size_t{64} << 20U;  // answers that the api process does not take

void say_all(const std::vector<Reverted>& outcomes, const char* why) {
  for (const auto& one : outcomes)
    say(self, one.id, " ", one.fault, ": ", name_of(one.step), " after ", to_text(one.took), " (", why, ")",
        one.problem.empty() ? "" : ": " + one.problem);
}

class InjectorProcess {
 public:
  InjectorProcess(const Options& options, Machine& machine, Policy policy)
      : options_(options), machine_(machine), operations_(machine, std::move(policy), node_name(options)) {}

  int run() {
    if (const auto ready = prepare(); !ready) return fail_to_start(ready.error());
    while (!stopping_) {
      for (const auto source : loop_.wait()) handle(static_cast<Source>(source));
      if (start_failure_) return fail_to_start(*start_failure_);
      tell_whether_anything_lives();
      arm();
    }
    return close();
  }

 private:
  enum class Source : std::uint32_t { control, lifeline, signals, channel, api, timer, done };
  using Clock = std::optional<Duration>;

  static std::string node_name(const Options& options) {
    if (!options.node.empty()) return options.node;
    std::array<char, 256> name{};
    return gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "unnamed";
  }

  int fail_to_start(const Error& error) {
    send_notice(options_.control_fd, {.kind = Notice::Kind::failed, .blame = error.blame, .text = error.message});
    return operations_.close(boot_now() + patience_to_close) ? 1 : 6;
  }

  Result<void> prepare() {
    TRY(loop_.open(static_cast<std::uint32_t>(Source::timer)));
    done_.reset(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    signals_.reset(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!done_ || !signals_) return sys_fail("make the event loop");
    listen_to(options_.control_fd, Source::control);
    if (options_.lifeline_fd >= 0) listen_to(options_.lifeline_fd, Source::lifeline);
    listen_to(signals_.get(), Source::signals);
    listen_to(done_.get(), Source::done);
    for (const auto& damage : machine_.injector().damage())
      say(self, damage, "; it was begun anew: faults of an earlier agent may be left behind that no record tells of");
    say_all(machine_.injector().recover(), "left by an earlier agent");
    tend_at_ = boot_now();  // what could not be reverted is tried again
    return start_api();
  }

  void listen_to(int fd, Source source, std::uint32_t events = EPOLLIN) { loop_.listen_to(fd, static_cast<std::uint32_t>(source), events); }

  void handle(Source source) {
    switch (source) {
      case Source::control:
      case Source::signals:
        stopping_ = true;
        break;  // nobody sends on control: it is readable at its end
      case Source::lifeline:
        read_lifeline();
        break;
      case Source::channel:
        serve_channel();
        break;
      case Source::api:
        api_ended();
        break;
      case Source::timer:
        break;  // what is due is found by the clock in arm()
      case Source::done:
        take_done();
        break;
    }
  }

  void read_lifeline() {
    std::array<char, 256> ignored;
    const auto got = read(options_.lifeline_fd, ignored.data(), ignored.size());
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) stopping_ = true;
  }

  // ---- the api process

  Result<void> start_api() {
    auto pair = TRY(channel_pair());
    auto options = options_;
    options.channel_fd = pair.second.get();
    options.control_fd = options.lifeline_fd = options.copy_fd = -1;
    api_begin_ = boot_now();
    api_.emplace(TRY(Child::start({.argv = arguments_of("api", options),
                                   .dies_with_starter = true,
                                   .inherited = {pair.second.get()},
                                   .piped_output = false,
                                   .piped_errors = false})));
    channel_ = std::move(pair.first);
    frames_ = Frames{};
    pending_.clear();
    ++api_life_;
    listen_to(channel_.get(), Source::channel);
    listen_to(api_->pidfd(), Source::api);
    return {};
  }

  void api_ended() {
    const auto code = api_->wait(std::nullopt).value_or(-1);
    loop_.forget(api_->pidfd());
    serve_channel();  // it may have said why
    api_.reset();
    channel_.reset();
    if (stopping_ || start_failure_) return;
    if (!was_ready_) {
      start_failure_ = Error{"the api process ended at once (exit " + std::to_string(code) + ")"};
      return;
    }
    const bool was_stable = boot_now() - api_begin_ >= stable;
    api_pause_ = was_stable ? Duration::zero() : std::clamp<Duration>(api_pause_ * 2, std::chrono::milliseconds(50), longest_pause);
    say(self, "the api process ended (", code > 128 ? "signal " : "exit ", code > 128 ? code - 128 : code, "); starting it again",
        api_pause_ > Duration::zero() ? " in " + to_text(api_pause_) : "");
    api_again_at_ = boot_now() + api_pause_;
  }

  void serve_channel() {
    if (!channel_) return;
    flush();
    const auto open = receive_into(frames_, channel_.get());
    for (;;) {
      auto frame = frames_.next();
      if (!frame) return end_api(frame.error().message);
      if (!frame->has_value()) break;
      auto call = decode_call(**frame);
      if (!call) return end_api(call.error().message);
      take(*std::move(call));
    }
    if (channel_ && (!open || !*open)) {
      loop_.forget(channel_.get());  // its end stays readable; the pidfd tells the rest
      channel_.reset();
    }
  }

  // It sends what ours never would: it is broken or no longer ours.
  void end_api(const std::string& why) {
    say(self, "the api process is ended: ", why);
    channel_.reset();
    if (api_) api_->signal(SIGKILL);
  }

  void take(Call call) {
    if (call.method == "READY") return api_is_ready(call.path);
    if (call.method == "FAILED") return api_failed(call.body);
    NoRoute why;
    const auto* entry = find_route(call.method, call.path, why);
    if (entry == nullptr || Operations::is_quick(entry->route)) return send(operations_.answer(call));
    auto& pool = Operations::is_slow(entry->route) ? slow_ : quick_;
    pool.run([this, call = std::move(call), life = api_life_] {
      auto answer = operations_.answer(call);
      post({.life = life, .answer = std::move(answer)});
      machine_.load_ahead();  // not before the answer, which it would hold up
    });
  }

  void api_is_ready(const std::string& tcp) {
    if (const auto bound = parse_endpoint(tcp)) machine_.injector().set_agent_port(bound->port);
    if (was_ready_) return;
    if (!tcp.empty()) options_.listen = tcp;  // ":0" takes any port, but the next api process is to have the same
    was_ready_ = true;
    send_notice(options_.control_fd, {.kind = Notice::Kind::ready, .text = options_.socket.string() + (tcp.empty() ? "" : " " + tcp)});
  }

  void api_failed(const std::string& body) {
    const auto reply = protocol::parse<protocol::ErrorReply>(body);
    const auto error = reply ? protocol::error_of(*reply) : reply.error();
    if (was_ready_) {
      say(self, "the api process cannot serve: ", error.message);
    } else {
      start_failure_ = error;
    }
  }

  void send(const Answer& answer) {
    if (!channel_) return;
    pending_ += encode(answer);
    if (pending_.size() > most_pending) return end_api("it does not take its answers");
    flush();
  }

  void flush() {
    if (!channel_ || (pending_.empty() && !wants_to_write_)) return;
    (void)send_from(pending_, channel_.get());  // an error shows as its end
    wants_to_write_ = !pending_.empty();
    listen_to(channel_.get(), Source::channel, wants_to_write_ ? EPOLLIN | EPOLLOUT : EPOLLIN);
  }

  // ---- what threads have done

  struct Done {
    std::uint64_t life = 0;  // of the api process that asked
    std::optional<Answer> answer;
    Clock tend_again;  // when tending was done
    bool tended = false;
  };

  void post(Done done) {
    {
      const std::scoped_lock lock(done_mutex_);
      done_queue_.push_back(std::move(done));
    }
    (void)eventfd_write(done_.get(), 1);
  }

  void take_done() {
    eventfd_t count = 0;
    (void)eventfd_read(done_.get(), &count);
    std::deque<Done> queue;
    {
      const std::scoped_lock lock(done_mutex_);
      queue.swap(done_queue_);
    }
    for (const auto& done : queue) {
      if (done.answer && done.life == api_life_) send(*done.answer);
      if (done.tended) {
        for (const auto& warning : machine_.injector().take_warnings()) say(self, warning);
        tending_ = false;
        tend_at_ = tend_now_ ? std::optional(boot_now()) : done.tend_again;
        tend_now_ = false;
      } else if (machine_.live() > 0) {
        tend_soon();  // a new injection has a deadline, a failed revert is tried again
      }
    }
  }

  // ---- time

  void tend_soon() {
    if (tending_) tend_now_ = true;
    if (!tending_) tend_at_ = boot_now();
  }

  static bool is_due(Clock& when, Duration now) {
    if (!when || *when > now) return false;
    when.reset();
    return true;
  }

  void do_what_is_due(Duration now) {
    for (const auto& experiment : operations_.take_expired(now)) {
      say(self, "experiment '", experiment, "': its lease ended, nobody renewed it");
      quick_.run([this, experiment] {
        say_all(operations_.revert_expired(experiment), "lease ended");
        post({});
      });
    }
    if (!tending_ && is_due(tend_at_, now)) {
      tending_ = true;
      quick_.run([this] {
        const auto again = machine_.injector().tend(boot_now());
        post({.tend_again = again, .tended = true});
      });
    }
    if (is_due(beat_at_, now)) {
      send_notice(options_.control_fd, {.kind = Notice::Kind::alive});
      beat_at_ = now + beat;
    }
    if (is_due(api_again_at_, now))
      if (const auto started = start_api(); !started) {
        say(self, started.error().message);
        api_again_at_ = now + longest_pause;
      }
  }

  void tell_whether_anything_lives() {
    const bool lives = machine_.live() > 0 || operations_.next_lease_end().has_value();
    if (lives == beat_at_.has_value()) return;
    send_notice(options_.control_fd, {.kind = lives ? Notice::Kind::alive : Notice::Kind::idle});
    beat_at_ = lives ? std::optional(boot_now() + beat) : std::nullopt;
  }

  // The timer runs only while something is due at some time.
  void arm() {
    do_what_is_due(boot_now());
    Clock next = operations_.next_lease_end();
    for (const auto& when : {tending_ ? Clock{} : tend_at_, beat_at_, api_again_at_})
      if (when && (!next || *when < *next)) next = when;
    loop_.wake_at(next);
  }

  // ---- the end

  int close() {
    const bool clean = operations_.close(boot_now() + patience_to_close);
    if (!clean) say(self, "ends with faults that could not be reverted yet");
    if (api_) api_->end();
    unlink(options_.socket.c_str());
    return clean ? 0 : 6;
  }

  Options options_;
  Machine& machine_;
  Operations operations_;
  EventLoop loop_;
  Fd done_, signals_, channel_;
  std::optional<Child> api_;
  Frames frames_;
  std::string pending_;
  bool wants_to_write_ = false;
  std::uint64_t api_life_ = 0;
  Duration api_begin_{}, api_pause_{};
  bool was_ready_ = false, stopping_ = false, tending_ = false, tend_now_ = false;
  std::optional<Error> start_failure_;
  Clock tend_at_, beat_at_, api_again_at_;
  std::mutex done_mutex_;
  std::deque<Done> done_queue_;
  Pool slow_{32}, quick_{16};
};

// Before the first thread: each inherits this.
void block_signals(const Options& options) {
  (void)std::signal(SIGPIPE, SIG_IGN);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  sigprocmask(SIG_BLOCK, &set, nullptr);
  if (options.embedded) (void)std::signal(SIGINT, SIG_IGN);
}

}  // namespace

int run_injector_process(const Options& options) {
  block_signals(options);
  const auto give_up = [&options](const Error& error) {
    send_notice(options.control_fd, {.kind = Notice::Kind::failed, .blame = error.blame, .text = error.message});
    return 1;
  };
  auto policy = load_policy(options);
  if (!policy) return give_up(policy.error());
  auto machine = Machine::open(options, make_workers(host_of(options)));
  if (!machine) return give_up(machine.error());
  InjectorProcess process(options, **machine, *std::move(policy));
  const int code = process.run();
  _exit(code);  // threads may still wait for a user's command: nothing of ours waits for them
}

}  // namespace arashi
