// nginx' access logs: the first line is the format, the rest the log. However it is cut into pieces, it says the same.
#include "experiments/sli/logs/log_counts.hpp"
#include "experiments/sli/program_output.hpp"
#include "tests/fuzz/require.hpp"

#include <chrono>
#include <cmath>

namespace {

using namespace arashi;
using namespace std::chrono_literals;
using fuzz::require;

sli::LogCounts::Counts count(const spec::AccessLogSource& source, const sli::LogFormat& format, std::string_view log, std::size_t piece) {
  sli::LogCounts counts(format, sli::LogJudge(source, 300ms));
  for (; !log.empty(); log.remove_prefix(std::min(piece, log.size()))) counts.add(log.substr(0, piece));
  return counts.take();
}

void access_log(std::string_view input) {
  spec::AccessLogSource source{.format = std::string(fuzz::take_line(input)), .bad = {"5xx", "429"}};
  if (input.starts_with('/')) source.path = fuzz::take_line(input);
  const auto format = sli::LogFormat::make(source, true);
  if (!format) return require(!format.error().message.empty());
  const auto whole = count(source, *format, input, input.size());
  const auto cut = count(source, *format, input, 7);
  require(whole.total == cut.total && whole.bad == cut.bad && whole.lines == cut.lines && whole.foreign == cut.foreign);
  require(whole.bad <= whole.total && whole.total + whole.foreign <= whole.lines);
  require(whole.oldest.has_value() == whole.newest.has_value());
  if (whole.oldest) require(*whole.oldest >= 0 && *whole.newest < 1e11 && *whole.oldest <= *whole.newest);
}

// What a counting program prints.
void program(std::string_view input) {
  for (const bool counters : {false, true}) {
    sli::ProgramOutput output(counters);
    const auto slices = output.read(input, 1000s, 1.7e9);
    if (!slices) {
      require(!slices.error().message.empty());
      continue;
    }
    for (const auto& slice : *slices) require(slice.bad <= slice.total && slice.begin < slice.end && slice.end <= 1000s);
  }
}

}  // namespace

// The first byte chooses.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const auto input = fuzz::text_of(data + 1, size - 1);
  if (data[0] % 2U == 0) access_log(input);
  if (data[0] % 2U == 1) program(input);
  return 0;
}
