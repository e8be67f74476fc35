#include "injector/host/proc.hpp"

#include "injector/host/files.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <set>
#include <sstream>

namespace arashi {

namespace fs = std::filesystem;

namespace {

constexpr unsigned kernel_thread_flag = 0x00200000;  // PF_KTHREAD, field 9 of /proc/PID/stat
constexpr std::size_t table_limit = std::size_t{64} << 20U;

fs::path of(const Host& host, std::int32_t pid, std::string_view file) { return host.proc / std::to_string(pid) / file; }

std::optional<std::int32_t> number_in(const std::string& text) {
  std::int32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && end == text.data() + text.size() ? std::optional(number) : std::nullopt;
}

// A socket in state LISTEN on the port: its inode. Lines are "sl local remote st … uid timeout inode"; addresses are HEX:PORT.
std::optional<std::string> listening_inode(const std::string& line, std::uint16_t port) {
  std::istringstream words(line);
  std::array<std::string, 10> word;
  for (auto& each : word) words >> each;
  constexpr std::size_t local = 1;
  constexpr std::size_t state = 3;
  constexpr std::size_t inode = 9;
  const auto colon = word.at(local).rfind(':');
  if (!words || colon == std::string::npos || word.at(state) != "0A") return std::nullopt;
  unsigned number = 0;
  std::from_chars(word.at(local).data() + colon + 1, word.at(local).data() + word.at(local).size(), number, 16);
  return number == port ? std::optional(word.at(inode)) : std::nullopt;
}

void add_listening(const std::string& table, std::uint16_t port, std::set<std::string>& sockets) {
  std::istringstream lines(table);
  for (std::string line; std::getline(lines, line);)
    if (const auto inode = listening_inode(line, port)) sockets.insert("socket:[" + *inode + "]");
}

// One process per network namespace is enough to read that namespace's tables.
std::set<std::string> listening_sockets(const Host& host, const std::vector<std::int32_t>& pids, std::uint16_t port) {
  std::set<std::uint64_t> seen;
  std::set<std::string> sockets;
  for (const auto pid : pids) {
    const auto netns = netns_of(host, pid);
    if (!netns || !seen.insert(*netns).second) continue;
    for (const char* table : {"net/tcp", "net/tcp6"})  // none if there is no IPv6 here, or the process has just ended
      if (const auto text = read_text(of(host, pid, table), table_limit)) add_listening(*text, port, sockets);
  }
  return sockets;
}

bool holds_any(const Host& host, std::int32_t pid, const std::set<std::string>& sockets) {
  std::error_code error;
  for (fs::directory_iterator entry(of(host, pid, "fd"), error), end; !error && entry != end; entry.increment(error)) {
    std::error_code unreadable;
    if (sockets.contains(fs::read_symlink(entry->path(), unreadable).string())) return true;
  }
  return false;
}

}  // namespace

Result<Process> read_process(const Host& host, std::int32_t pid) {
  const auto text = TRY(read_text(of(host, pid, "stat")));
  const auto open = text.find('(');
  const auto close = text.rfind(')');  // a name may hold brackets and blanks itself
  if (open == std::string::npos || close == std::string::npos)
    return fail(Blame::system, "'", of(host, pid, "stat").string(), "' is strange");
  Process process{.pid = pid, .name = text.substr(open + 1, close - open - 1)};
  std::istringstream rest(text.substr(close + 1));
  std::string skipped;
  unsigned flags = 0;
  rest >> process.state >> process.parent >> skipped >> skipped >> skipped >> skipped >> flags;
  for (int field = 10; field < 22; ++field) rest >> skipped;
  if (!(rest >> process.start_time)) return fail(Blame::system, "'", of(host, pid, "stat").string(), "' is strange");
  process.kernel_thread = (flags & kernel_thread_flag) != 0;
  return process;
}

std::vector<std::int32_t> all_pids(const Host& host) {
  std::vector<std::int32_t> pids;
  std::error_code error;
  for (fs::directory_iterator entry(host.proc, error), end; !error && entry != end; entry.increment(error))
    if (const auto pid = number_in(entry->path().filename().string())) pids.push_back(*pid);
  std::ranges::sort(pids);
  return pids;
}

Result<std::vector<std::string>> command_line(const Host& host, std::int32_t pid) {
  const auto text = TRY(read_text(of(host, pid, "cmdline"), std::size_t{8} << 20U));
  std::vector<std::string> words;
  std::istringstream stream(text);
  for (std::string word; std::getline(stream, word, '\0');) words.push_back(word);
  return words;
}

Result<std::uint32_t> user_of(const Host& host, std::int32_t pid) {
  struct stat info {};
  const auto path = host.proc / std::to_string(pid);
  if (::stat(path.c_str(), &info) != 0) return fail(Blame::missing, "process ", pid, " has ended");
  return static_cast<std::uint32_t>(info.st_uid);
}

Result<std::uint64_t> netns_of(const Host& host, std::int32_t pid) { return inode_of(of(host, pid, "ns/net")); }

bool has_name(const Host& host, const Process& process, const std::string& name) {
  if (process.name == name) return true;
  const auto words = command_line(host, process.pid);
  if (!words || words->empty()) return false;
  const auto& first = words->front();
  const auto title = first.find(": ");
  if (title != std::string::npos) return first.substr(0, title) == name;  // a process title, "nginx: worker process"
  return fs::path(first).filename() == name;
}

Result<std::vector<Membership>> memberships(const Host& host, std::int32_t pid) {
  const auto text = TRY(read_text(of(host, pid, "cgroup")));
  std::vector<Membership> found;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const auto first = line.find(':');
    const auto second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    found.push_back({line.substr(first + 1, second - first - 1), line.substr(second + 1)});
  }
  return found;
}

Result<std::vector<std::int32_t>> listeners(const Host& host, std::uint16_t port) {
  const auto pids = all_pids(host);
  const auto sockets = listening_sockets(host, pids, port);
  std::vector<std::int32_t> found;
  if (sockets.empty()) return found;
  for (const auto pid : pids)
    if (holds_any(host, pid, sockets)) found.push_back(pid);
  return found;
}

Result<ProcessHandle> ProcessHandle::open(const Host& host, std::int32_t pid, std::uint64_t start_time) {
  Fd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!pidfd && errno == ESRCH) return fail(Blame::missing, "process ", pid, " has ended");
  if (!pidfd) return sys_fail("open a pidfd of process ", pid);
  // Read after the pidfd is open: if the number has a new owner by now, the start time shows it.
  const auto now = read_process(host, pid);
  if (!now && now.error().blame == Blame::missing) return fail(Blame::missing, "process ", pid, " has ended");
  if (!now) return pass(now.error());
  if (now->start_time != start_time) return fail(Blame::missing, "process ", pid, " has ended; its number belongs to another process now");
  if (now->state == 'Z' || now->state == 'X') return fail(Blame::missing, "process ", pid, " has ended");
  return ProcessHandle(std::move(pidfd));
}

Result<void> ProcessHandle::signal(int number) const {
  if (::syscall(SYS_pidfd_send_signal, pidfd_.get(), number, nullptr, 0) == 0) return {};
  if (errno == ESRCH) return fail(Blame::missing, "the process has ended");
  return sys_fail("send signal ", number);
}

bool ProcessHandle::ended(std::optional<Duration> deadline) const {
  while (true) {
    const auto left = deadline ? std::chrono::ceil<std::chrono::milliseconds>(*deadline - boot_now()).count() : 0;
    pollfd ready{pidfd_.get(), POLLIN, 0};
    const int count = ::poll(&ready, 1, static_cast<int>(std::clamp<long>(left, 0, 1'000'000)));
    if (count > 0) return true;
    if (count == 0 || errno != EINTR) return false;
  }
}

}  // namespace arashi
