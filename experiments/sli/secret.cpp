#include "experiments/sli/secret.hpp"

#include "experiments/fleet/child.hpp"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace arashi::sli {
namespace {

constexpr std::size_t largest_secret = std::size_t{64} << 10U;

Result<std::string> from_file(const std::string& file, const std::string& what, const std::string& directory) {
  const auto path = std::filesystem::path(directory) / file;
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error))  // a FIFO would keep us waiting
    return fail(Blame::input, what, ": there is no file '", path.string(), "'");
  std::ifstream in(path, std::ios::binary);
  std::string text(largest_secret, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (in.bad() || (in.fail() && !in.eof())) return fail(Blame::input, what, ": can't read '", path.string(), "'");
  text.resize(static_cast<std::size_t>(in.gcount()));
  return text;
}

Result<std::string> from_command(const std::vector<std::string>& command, const std::string& what, const std::string& directory) {
  auto ended = fleet::run_program({.command = command, .directory = directory, .largest_output = largest_secret});
  if (!ended) return because(ended.error(), what);
  if (ended->timed_out) return fail(Blame::system, what, ": '", command[0], "' did not end in time");
  if (ended->exit != 0) return fail(Blame::system, what, ": '", command[0], "' failed with exit code ", ended->exit);
  return std::move(ended->output);
}

}  // namespace

Result<std::string> read_secret(const spec::Secret& secret, const std::string& what, const std::string& directory) {
  std::string value;
  if (!secret.env.empty()) {
    const char* found = std::getenv(secret.env.c_str());
    if (found == nullptr) return fail(Blame::input, what, ": the environment variable ", secret.env, " is not set");
    value = found;
  } else if (!secret.file.empty()) {
    value = TRY(from_file(secret.file, what, directory));
  } else if (!secret.command.empty()) {
    value = TRY(from_command(secret.command, what, directory));
  }
  while (!value.empty() && std::isspace(static_cast<unsigned char>(value.back())) != 0) value.pop_back();
  if (value.empty()) return fail(Blame::input, what, " is empty");
  const bool one_line = std::ranges::none_of(value, [](unsigned char c) { return c < 0x20 || c == 0x7f; });
  if (!one_line) return fail(Blame::input, what, ": more than one line, or a control character, is no secret that a header can hold");
  return value;
}

Result<std::string> KeptSecret::get() {
  if (!value_) value_ = TRY(read_secret(secret_, what_, directory_));
  return *value_;
}

}  // namespace arashi::sli
