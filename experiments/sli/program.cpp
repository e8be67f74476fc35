#include "experiments/sli/program.hpp"

#include "experiments/fleet/child.hpp"
#include "experiments/sli/answer.hpp"
#include "experiments/sli/poller.hpp"
#include "experiments/sli/program_output.hpp"

#include <algorithm>

namespace arashi::sli {
namespace {

constexpr std::size_t largest_output = std::size_t{1} << 20U;
constexpr Duration longest_run = std::chrono::seconds(10);  // an experiment that ends waits for it

std::string first_line(std::string text) {
  text = text.substr(0, std::min<std::size_t>(text.find('\n'), 200));
  std::ranges::replace_if(
      text, [](unsigned char c) { return c < 0x20 || c == 0x7f; }, ' ');
  return text;
}

class Asking {
 public:
  Asking(spec::CommandSource source, std::string directory, Duration epoch)
      : source_(std::move(source)), directory_(std::move(directory)), epoch_(epoch), output_(source_.values == "counters") {}

  Polled operator()(Duration timeout, const std::stop_token& /*stop*/) {
    auto slices = ask(timeout);
    const Duration now = boot_now() - epoch_;
    if (!slices)
      return {{notice(guard::Freshness::error, now, output_.known_until(), "'" + source_.run[0] + "' " + slices.error().message)}, {}};
    if (slices->empty() && now - output_.known_until() > 3 * source_.every)
      return {{notice(guard::Freshness::stale, now, output_.known_until(), "'" + source_.run[0] + "' prints nothing new")}, {}};
    return {std::move(*slices), {}};
  }

 private:
  Result<std::vector<guard::Slice>> ask(Duration timeout) {
    auto ended =
        TRY(fleet::run_program({.command = source_.run, .directory = directory_, .timeout = timeout, .largest_output = largest_output}));
    if (ended.timed_out) return fail(Blame::system, "did not end within ", to_text(timeout));
    if (ended.exit != 0) return fail(Blame::system, "failed with exit code ", ended.exit, ": ", first_line(ended.errors));
    if (ended.output.size() >= largest_output) return fail(Blame::input, "printed more than ", to_text(Bytes{largest_output}));
    return output_.read(ended.output, boot_now() - epoch_, wall_now() - seconds(boot_now() - epoch_));
  }

  spec::CommandSource source_;
  std::string directory_;
  Duration epoch_;
  ProgramOutput output_;
};

}  // namespace

Result<std::unique_ptr<Source>> program(const spec::CommandSource& source, const std::string& directory, Duration epoch) {
  if (source.run.empty()) return fail(Blame::input, "command.run is empty");
  const auto asking = std::make_shared<Asking>(source, directory, epoch);
  return std::unique_ptr<Source>(
      std::make_unique<Poller>(Rhythm{.every = source.every, .longest_answer = longest_run},
                               [asking](Duration timeout, const std::stop_token& stop) { return (*asking)(timeout, stop); }));
}

}  // namespace arashi::sli
