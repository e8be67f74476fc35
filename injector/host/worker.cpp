#include "injector/host/worker.hpp"

#include "injector/core/json.hpp"
#include "injector/host/cgroup.hpp"
#include "injector/host/command.hpp"
#include "injector/host/files.hpp"
#include "injector/host/proc.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <array>
#include <condition_variable>
#include <csignal>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <thread>

namespace arashi {

namespace {

constexpr int pipe_size = 1 << 20;  // the most a configuration may have
constexpr std::size_t longest_line = std::size_t{1} << 20U;
constexpr auto death_patience = std::chrono::seconds(5);

struct Running {
  Child child;
  std::string unread;  // the beginning of a line
  Json ready, stats;   // null before the first
  std::string problem;
  std::optional<int> exit_code;
};

bool is_stopped(const Host& host, std::int32_t pid) {
  const auto stat = read_text(host.proc / std::to_string(pid) / "stat");
  const auto after_name = stat ? stat->rfind(") ") : std::string::npos;
  return after_name != std::string::npos && stat->substr(after_name + 2, 1) == "T";
}

bool is_frozen_cgroup(const std::filesystem::path& directory) {
  if (freezer_version(directory) == 0) return false;
  const auto state = freezer_state(directory);
  return state && state->frozen;
}

// By the freezer of its cgroup or of one above, of either version; its state in /proc does not tell.
bool is_frozen(const Host& host, std::int32_t pid) {
  const auto in = memberships(host, pid);
  if (!in) return false;
  const auto all = hierarchies(host);
  return std::ranges::any_of(*in, [&all](const Membership& one) {
    const auto home = std::ranges::find(all, one.controllers.empty() ? "v2" : one.controllers, &Hierarchy::name);
    return home != all.end() && is_frozen_cgroup(home->root / std::filesystem::path(one.path).relative_path());
  });
}

struct Order {
  std::string id;
  Launch launch;
  std::string config;
  std::optional<Result<void>> answer;
};

// One thread starts all workers, since their parent-death signal follows it, and reads what they say. It sleeps while nothing happens.
class WorkerProcesses : public Workers {
 public:
  explicit WorkerProcesses(Host host) : host_(std::move(host)), wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
  ~WorkerProcesses() override;
  Result<Json> start(std::string_view id, std::string_view engine, const Json& config, Duration patience) override;
  Result<Json> stats(std::string_view id) override;
  WorkerState state(std::string_view id) override;
  Result<void> stop(std::string_view id, Duration grace) override;

 private:
  void live();
  void carry_out(Order& order);
  std::vector<pollfd> what_to_watch();
  void listen_to(Running& running);
  void understand(Running& running, std::string_view line);
  void wake() const;
  Result<void> launch(std::string_view id, std::string_view engine, const Json& config);
  Result<Json> wait_ready(const std::string& id, Duration patience);
  void end(const std::string& id, Duration grace);

  const Host host_;
  Fd wake_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::map<std::string, Running> running_;
  std::deque<Order*> orders_;
  bool ending_ = false;
  std::thread thread_;
};

WorkerProcesses::~WorkerProcesses() {
  std::vector<std::string> ids;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [id, running] : running_) ids.push_back(id);
  }
  for (const auto& id : ids) [[maybe_unused]] const auto stopped = WorkerProcesses::stop(id, {});
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  wake();
  if (thread_.joinable()) thread_.join();
}

void WorkerProcesses::wake() const {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto ignored = ::write(wake_.get(), &one, sizeof one);
}

std::vector<pollfd> WorkerProcesses::what_to_watch() {
  std::vector<pollfd> watched{{wake_.get(), POLLIN, 0}};
  for (const auto& [id, running] : running_) {
    if (running.exit_code) continue;
    watched.push_back({running.child.output(), POLLIN, 0});
    watched.push_back({running.child.pidfd(), POLLIN, 0});
  }
  return watched;
}

void WorkerProcesses::live() {
  sigset_t all;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, nullptr);  // a worker that died must not end us by SIGPIPE; the agent's signals go elsewhere
  std::unique_lock lock(mutex_);
  while (!ending_) {
    auto watched = what_to_watch();
    lock.unlock();
    ::poll(watched.data(), watched.size(), -1);
    std::uint64_t ignored = 0;
    [[maybe_unused]] const auto count = ::read(wake_.get(), &ignored, sizeof ignored);
    lock.lock();
    for (; !orders_.empty(); orders_.pop_front()) carry_out(*orders_.front());
    for (auto& [id, running] : running_) listen_to(running);
    changed_.notify_all();
  }
}

void WorkerProcesses::carry_out(Order& order) {
  auto child = Child::start(order.launch);
  if (!child) {
    order.answer = Result<void>(pass(child.error()));
    return;
  }
  ::fcntl(child->input().get(), F_SETPIPE_SZ, pipe_size);
  for (const int fd : {child->input().get(), child->output()}) ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
  order.answer = write_all(child->input().get(), order.config);
  if (*order.answer) running_.insert_or_assign(order.id, Running{.child = std::move(child).value()});
}

void WorkerProcesses::understand(Running& running, std::string_view line) {
  const auto said = parse_json(line, longest_line);
  if (!said || !said->is_object()) return;
  if (said->contains("ready")) running.ready = said->at("ready");
  if (said->contains("stats")) running.stats = said->at("stats");
  if (running.problem.empty() && said->contains("error") && said->at("error").is_string())
    running.problem = said->at("error").get<std::string>();
}

void WorkerProcesses::listen_to(Running& running) {
  if (running.exit_code) return;
  std::array<char, 8192> buffer{};
  ssize_t count = 0;
  while ((count = ::read(running.child.output(), buffer.data(), buffer.size())) > 0) {
    running.unread.append(buffer.data(), static_cast<std::size_t>(count));
    std::size_t begin = 0;
    for (auto end = running.unread.find('\n'); end != std::string::npos; begin = end + 1, end = running.unread.find('\n', begin))
      understand(running, std::string_view(running.unread).substr(begin, end - begin));
    running.unread.erase(0, begin);
    if (running.unread.size() > longest_line) running.unread.clear();
  }
  // An end of file while it lives would be seen again at once and for ever: such a worker is of no use.
  if (count == 0) running.child.signal(SIGKILL);
  running.exit_code = running.child.wait(count == 0 ? std::optional(boot_now() + death_patience) : boot_now());
}

Result<void> WorkerProcesses::launch(std::string_view id, std::string_view engine, const Json& config) {
  Order order{.id = std::string(id),
              .launch = {.argv = {host_.self.string(), "worker", std::string(engine)},
                         .env = {{"ARASHI_INJECTION", std::string(id)}},
                         .dies_with_starter = true,
                         .piped_input = true,
                         .piped_errors = false},
              .config = to_text(config) + "\n"};
  const auto cgroup = make_own_cgroup(host_, id);
  if (cgroup) order.launch.cgroups.push_back(*cgroup);
  if (!cgroup && cgroup.error().blame != Blame::unsupported) return pass(cgroup.error());
  std::unique_lock lock(mutex_);
  if (running_.contains(order.id)) return fail(Blame::refused, "injection ", id, " has a worker already");
  if (!thread_.joinable()) thread_ = std::thread([this] { live(); });
  orders_.push_back(&order);
  wake();
  changed_.wait(lock, [&] { return order.answer.has_value(); });
  return *order.answer;
}

Result<Json> WorkerProcesses::wait_ready(const std::string& id, Duration patience) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  std::unique_lock lock(mutex_);
  while (true) {
    const auto found = running_.find(id);
    if (found == running_.end()) return fail(Blame::refused, "it was stopped while it started");
    const auto& running = found->second;
    if (!running.problem.empty()) return fail(Blame::system, running.problem);
    if (!running.ready.is_null()) return running.ready;
    if (running.exit_code) return fail(Blame::system, "it ended with ", *running.exit_code, " before it was ready");
    if (std::chrono::steady_clock::now() >= deadline) return fail(Blame::system, "it was not ready after ", to_text(patience));
    changed_.wait_until(lock, deadline);
  }
}

Result<Json> WorkerProcesses::start(std::string_view id, std::string_view engine, const Json& config, Duration patience) {
  Result<Json> ready = Json();
  const auto launched = launch(id, engine, config);
  if (!launched && launched.error().blame == Blame::refused) return pass(launched.error());
  ready = launched ? wait_ready(std::string(id), patience) : pass(launched.error());
  if (ready) return ready;
  const auto stopped = stop(id, {});
  if (!stopped) return because(ready.error(), "worker ", engine, " (", stopped.error().message, ")");
  return because(ready.error(), "worker ", engine);
}

Result<Json> WorkerProcesses::stats(std::string_view id) {
  const std::lock_guard lock(mutex_);
  const auto found = running_.find(std::string(id));
  if (found == running_.end()) return fail(Blame::missing, "injection ", id, " has no worker");
  // One that has not spoken since it was ready is as it was then: "no word yet" must not read as "nothing there".
  return found->second.stats.is_null() ? found->second.ready : found->second.stats;
}

WorkerState WorkerProcesses::state(std::string_view id) {
  const std::lock_guard lock(mutex_);
  const auto found = running_.find(std::string(id));
  if (found == running_.end()) return {};
  auto& running = found->second;
  // One that somebody stopped or froze does not do its work, and what it holds in the kernel is a black hole: its end opens that.
  if (!running.exit_code && (is_stopped(host_, running.child.pid()) || is_frozen(host_, running.child.pid()))) {
    running.child.signal(SIGKILL);
    // Version 1 lets nobody die who is frozen.
    if (const auto cgroup = own_cgroup(host_, id)) static_cast<void>(kill_cgroup(*cgroup));
    running.exit_code = running.child.wait(boot_now() + death_patience);
  }
  return {.alive = !running.exit_code.has_value(), .exit_code = running.exit_code.value_or(0), .pid = running.child.pid()};
}

// Waits until the thread has reaped it, and forgets it.
void WorkerProcesses::end(const std::string& id, Duration grace) {
  std::unique_lock lock(mutex_);
  const auto has_ended = [&] {
    const auto now = running_.find(id);
    return now == running_.end() || now->second.exit_code.has_value();
  };
  if (running_.contains(id) && grace > Duration{}) {
    running_.at(id).child.input().reset();
    changed_.wait_for(lock, grace, has_ended);
  }
  const auto found = running_.find(id);  // only now: it may have gone meanwhile
  if (found == running_.end()) return;
  if (!found->second.exit_code) found->second.child.signal(SIGKILL);
  changed_.wait_for(lock, death_patience, has_ended);
  running_.erase(id);
}

Result<void> WorkerProcesses::stop(std::string_view id, Duration grace) {
  end(std::string(id), grace);
  Host alone = host_;
  alone.workers = nullptr;
  return stop_processes(alone, id);
}

}  // namespace

std::unique_ptr<Workers> make_workers(const Host& host) { return std::make_unique<WorkerProcesses>(host); }

Result<void> stop_processes(const Host& host, std::string_view id, Duration grace) {
  if (host.workers != nullptr) return host.workers->stop(id, grace);
  const auto cgroup = own_cgroup(host, id);
  if (!cgroup) return {};  // without cgroups they are held by their parent-death signal alone
  TRY(kill_cgroup(*cgroup));
  return remove_cgroup(*cgroup);
}

}  // namespace arashi
