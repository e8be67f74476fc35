#include "experiments/engine/recorded.hpp"

#include "experiments/sli/prometheus/prometheus_range.hpp"
#include "injector/core/fd.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

namespace arashi::engine {
namespace {

Duration wall_now() { return std::chrono::system_clock::now().time_since_epoch(); }

std::vector<std::string> names_of(const spec::Experiment& experiment) {
  std::vector<std::string> names;
  for (const auto& slo : experiment.slos) names.push_back(slo.name);
  return names;
}

// ---- JSON Lines

// Hands out whole lines; a piece of the file at a time.
class Lines {
 public:
  Lines(int fd, std::string name) : fd_(fd), name_(std::move(name)) {}

  // False at the end of the file.
  Result<bool> next(std::string_view& line) {
    while (true) {
      const auto end = text_.find('\n', at_);
      if (end != std::string::npos || (ended_ && at_ < text_.size())) {
        line = std::string_view(text_).substr(at_, end == std::string::npos ? end : end - at_);
        at_ = end == std::string::npos ? text_.size() : end + 1;
        return true;
      }
      if (ended_) return false;
      if (text_.size() - at_ > backtest::longest_line)
        return fail(Blame::input, "a line is longer than ", backtest::longest_line, " bytes");
      TRY(fill());
    }
  }

 private:
  Result<void> fill() {
    constexpr std::size_t piece = std::size_t{256} << 10U;
    text_.erase(0, at_);
    at_ = 0;
    const std::size_t have = text_.size();
    text_.resize(have + piece);
    ssize_t got = -1;
    do got = ::read(fd_, text_.data() + have, piece);
    while (got < 0 && errno == EINTR);
    if (got < 0) return sys_fail("read ", name_);
    text_.resize(have + static_cast<std::size_t>(got));
    ended_ = got == 0;
    return {};
  }

  int fd_;
  std::string name_, text_;
  std::size_t at_ = 0;
  bool ended_ = false;
};

Result<Fd> open_lines(const std::string& file) {
  Fd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
  if (!fd) return fail(Blame::input, "can't read '", file, "': ", std::strerror(errno));
  struct stat about {};
  if (::fstat(fd.get(), &about) != 0) return sys_fail("stat '", file, "'");
  if (S_ISDIR(about.st_mode)) return fail(Blame::input, "'", file, "' is a directory: name a file of JSON Lines");
  return fd;
}

Result<backtest::Record> read_lines(const spec::Experiment& experiment, const RecordOptions& options, int fd, const std::string& name,
                                    const Progress& progress) {
  Lines lines(fd, name);
  backtest::LineReader reader(names_of(experiment), {.step = options.step, .last = options.last});
  std::string_view line;
  while (true) {
    const auto more = lines.next(line);
    if (!more) return because(more.error(), name, ": after line ", reader.lines());
    if (!*more) break;
    if (const auto read = reader.line(line); !read) return because(read.error(), name);
    if (reader.lines() % 10'000 == 0) progress(std::to_string(reader.lines()) + " lines read");
  }
  auto record = reader.finish();
  if (!record) return because(record.error(), name);
  return record;
}

Result<backtest::Record> read_file(const spec::Experiment& experiment, const RecordOptions& options, const Progress& progress) {
  if (options.from == "-") return read_lines(experiment, options, STDIN_FILENO, "standard input", progress);
  const Fd fd = TRY(open_lines(options.from));
  return read_lines(experiment, options, fd.get(), options.from, progress);
}

// ---- Prometheus

Result<backtest::Series> read_slo(const spec::Slo& slo, const std::string& directory, const RecordOptions& options,
                                  const Progress& progress) {
  const auto measure = std::ranges::find_if(slo.measures, &by_prometheus);
  const auto* source = measure == slo.measures.end() ? nullptr : std::get_if<spec::PrometheusSource>(&measure->source);
  if (source == nullptr)
    return fail(Blame::input, "SLO '", slo.name,
                "' is not measured by Prometheus, so nobody has its past: give a record with --from FILE or --from -");
  backtest::Series series{.slo = slo.name, .step = options.step > Duration::zero() ? options.step : source->scrape};
  const Duration to = options.until > Duration::zero() ? options.until : wall_now();
  const Duration last = options.last > Duration::zero() ? options.last : slo.window;
  const sli::Range range{.from = to - last, .to = to, .step = series.step};
  const auto take = [&](const std::vector<guard::Slice>& slices, Duration until) {
    for (const auto& slice : slices)
      series.samples.push_back({slice.begin, slice.end, slice.total, slice.bad, slice.state == guard::Freshness::partial, slice.unknown});
    progress(slo.name + ": " + std::to_string((until - range.from) * 100 / last) + "% of " + to_text(last) + " read");
    return true;
  };
  if (const auto read = sli::prometheus_range(*source, directory, range, take); !read) return because(read.error(), "SLO '", slo.name, "'");
  if (series.samples.empty())
    return fail(Blame::missing, "SLO '", slo.name, "': ", source->url, " has no two samples of '", source->total, "' in the ",
                to_text(last), " before ", backtest::utc(to));
  return series;
}

}  // namespace

bool by_prometheus(const spec::Measure& measure) { return std::holds_alternative<spec::PrometheusSource>(measure.source); }

Result<backtest::Record> read_record(const spec::Experiment& experiment, const RecordOptions& options, const Progress& progress) {
  if (!options.from.empty()) return read_file(experiment, options, progress);
  backtest::Record record;
  for (const auto& slo : experiment.slos) record.series.push_back(TRY(read_slo(slo, experiment.directory, options, progress)));
  return record;
}

}  // namespace arashi::engine
