#include "experiments/sli/logs/access_log.hpp"

#include "experiments/sli/answer.hpp"
#include "experiments/sli/logs/log_counts.hpp"
#include "experiments/sli/poller.hpp"
#include "injector/core/fd.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

namespace arashi::sli {
namespace {

constexpr std::size_t block_size = std::size_t{256} << 10U;
constexpr off_t history_most = off_t{64} << 20U;
constexpr off_t looked_at = off_t{64} << 10U;  // of the end, to see whether the format fits
constexpr double late = 5;                     // seconds; a line that comes later than this was held back by nginx
constexpr Duration silence = std::chrono::seconds(2);

Result<Fd> open_log(const std::string& path) {
  Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd) return sys_fail("open the access log '", path, "'");
  struct stat about {};
  if (::fstat(fd.get(), &about) != 0) return sys_fail("stat '", path, "'");
  if (!S_ISREG(about.st_mode)) return fail(Blame::input, "the access log '", path, "' is not a regular file");
  return fd;
}

// Feeds all from `at` to the end, and says where that is.
Result<off_t> read_on(const Fd& fd, off_t at, LogCounts& into) {
  std::string block(block_size, '\0');
  while (true) {
    const ssize_t got = ::pread(fd.get(), block.data(), block.size(), at);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return sys_fail("read the access log");
    if (got == 0) return at;
    into.add(std::string_view(block).substr(0, static_cast<std::size_t>(got)));
    at += got;
  }
}

off_t size_of(const Fd& fd) {
  struct stat about {};
  return ::fstat(fd.get(), &about) == 0 ? about.st_size : 0;
}

// Follows the file by its name: goes on in the new one after a rotation, and at the beginning after a truncation.
class Tail {
 public:
  Tail(std::string path, Fd fd) : path_(std::move(path)), fd_(std::move(fd)), at_(size_of(fd_)) {}

  Result<void> read(LogCounts& into) {
    if (size_of(fd_) < at_) {
      at_ = 0;
      into.forget_rest();
    }
    at_ = TRY(read_on(fd_, at_, into));
    struct stat named {
    }, ours{};
    if (::stat(path_.c_str(), &named) != 0) return fail(Blame::system, "the access log '", path_, "' is gone: ", std::strerror(errno));
    if (::fstat(fd_.get(), &ours) != 0 || (named.st_ino == ours.st_ino && named.st_dev == ours.st_dev)) return {};
    Fd next = TRY(open_log(path_));
    at_ = TRY(read_on(fd_, at_, into));                                                     // nginx writes to the old one until it is told
    if (::fstat(fd_.get(), &ours) == 0 && size_of(next) == 0 && ++waited_ < 50) return {};  // it may still not have been told
    waited_ = 0;
    into.forget_rest();
    fd_ = std::move(next);
    at_ = TRY(read_on(fd_, 0, into));
    return {};
  }

 private:
  std::string path_;
  Fd fd_;
  off_t at_;
  int waited_ = 0;
};

class Reading {
 public:
  Reading(Tail tail, LogCounts counts, Duration epoch)
      : tail_(std::move(tail)), counts_(std::move(counts)), epoch_(epoch), last_(boot_now() - epoch) {}

  Polled operator()(Duration /*timeout*/, const std::stop_token& /*stop*/) {
    const Duration now = boot_now() - epoch_;  // what was written before is read now
    const auto read = tail_.read(counts_);
    const LogCounts::Counts seen = counts_.take();
    Polled polled;
    if (seen.lines > 0) polled.slices.push_back(slice(seen, now));
    // A log cannot tell a dead server from a quiet one: silence is not "no errors".
    const Duration silent = now - last_;
    if (!read) polled.slices.push_back(notice(guard::Freshness::error, now, last_, read.error().message));
    if (read && silent >= silence)
      polled.slices.push_back(
          notice(guard::Freshness::empty, now, last_, "no line for " + std::to_string(static_cast<long>(seconds(silent))) + " s"));
    return polled;
  }

 private:
  guard::Slice slice(const LogCounts::Counts& seen, Duration now) {
    guard::Slice slice{.begin = std::exchange(last_, now), .end = now, .total = seen.total, .bad = seen.bad, .newest = now};
    const double age = seen.oldest ? wall_now() - *seen.oldest : 0;
    if (seen.foreign > 0) {
      slice.state = guard::Freshness::partial;
      slice.problem =
          std::to_string(seen.foreign) + " of " + std::to_string(seen.lines) + " lines are not of accessLog.format: " + seen.example;
    } else if (age > late + seconds(slice.end - slice.begin)) {
      slice.state = guard::Freshness::partial;
      slice.problem = "lines are " + std::to_string(static_cast<long>(age)) +
                      " s old when they are written: nginx buffers this log; take buffer= away from access_log, or add flush=1s";
    }
    return slice;
  }

  Tail tail_;
  LogCounts counts_;
  Duration epoch_, last_;
};

struct Opened {
  std::string path;
  Fd fd;
  LogCounts counts;
};

Result<Opened> open_all(const spec::AccessLogSource& source, Duration latency, const std::string& directory) {
  auto format = TRY(LogFormat::make(source, latency > Duration{}));
  const std::string path = (std::filesystem::path(directory) / source.file).string();
  auto fd = TRY(open_log(path));
  return Opened{path, std::move(fd), LogCounts(std::move(format), LogJudge(source, latency))};
}

// From a place on; the line that begins before it is left out.
Result<LogCounts::Counts> count_from(Opened& log, off_t back) {
  const off_t size = size_of(log.fd);
  off_t at = std::max<off_t>(size - back, 0);
  char byte = at > 0 ? 'x' : '\n';
  while (byte != '\n' && ::pread(log.fd.get(), &byte, 1, at) == 1) ++at;
  TRY(read_on(log.fd, at, log.counts));
  log.counts.forget_rest();
  return log.counts.take();
}

}  // namespace

Result<std::unique_ptr<Source>> access_log(const spec::AccessLogSource& source, Duration latency, const std::string& directory,
                                           Duration epoch) {
  Opened log = TRY(open_all(source, latency, directory));
  const auto seen = TRY(count_from(log, looked_at));
  if (seen.lines > 0 && seen.foreign == seen.lines)
    return fail(Blame::input, "the access log '", log.path, "': its lines are not of accessLog.format, such as: ", seen.example);
  const auto reading = std::make_shared<Reading>(Tail(log.path, std::move(log.fd)), std::move(log.counts), epoch);
  return std::unique_ptr<Source>(std::make_unique<Poller>(
      Rhythm{.every = source.every}, [reading](Duration timeout, const std::stop_token& stop) { return (*reading)(timeout, stop); }));
}

Result<History> access_log_history(const spec::AccessLogSource& source, Duration latency, const std::string& directory, Duration window) {
  Opened log = TRY(open_all(source, latency, directory));
  const double now = wall_now();
  log.counts.leave_out_before(now - seconds(window));
  const auto seen = TRY(count_from(log, history_most));
  if (seen.total == 0 || !seen.oldest || *seen.oldest >= now)
    return fail(Blame::missing, "the access log '", log.path, "' holds no request of the last ", to_text(window));
  const Duration covered(static_cast<std::int64_t>((now - *seen.oldest) * 1e9));
  return History{static_cast<double>(seen.total), static_cast<double>(seen.bad), std::min(covered, window)};
}

Result<std::vector<guard::Slice>> access_log_past(const spec::AccessLogSource& source, Duration latency, const std::string& directory,
                                                  Duration window, Duration stretch) {
  constexpr std::int64_t most = 10'000'000;
  Opened log = TRY(open_all(source, latency, directory));
  log.counts.leave_out_before(wall_now() - seconds(window));
  log.counts.keep_stretches(stretch);
  TRY(count_from(log, history_most));
  const auto& counts = log.counts.stretches();
  std::vector<guard::Slice> slices;
  if (counts.empty()) return slices;
  const std::int64_t first = counts.begin()->first, last = counts.rbegin()->first;
  if (last - first > most)
    return fail(Blame::input, "the access log '", log.path, "' has lines that are ", to_text(stretch * (last - first)),
                " apart, more than ", most, " time slices");
  for (std::int64_t at = first; at <= last; ++at) {
    const auto found = counts.find(at);
    const guard::Counts in = found == counts.end() ? guard::Counts{} : found->second;
    slices.push_back({.begin = stretch * at, .end = stretch * (at + 1), .total = in.total, .bad = in.bad, .newest = stretch * (at + 1)});
  }
  return slices;
}

}  // namespace arashi::sli
