// Reading the spec's file: nothing is opened that is not a regular file, and nothing is read that is too large.
#include "experiments/spec/parse.hpp"
#include "injector/core/fd.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace arashi::spec {
namespace {

Result<void> check_kind(const std::string& file, const struct stat& about) {
  if (S_ISDIR(about.st_mode)) return fail(Blame::input, "'", file, "' is a directory: name the spec file in it");
  if (!S_ISREG(about.st_mode)) return fail(Blame::input, "'", file, "' is not a regular file: copy it into one first");
  if (static_cast<std::uint64_t>(about.st_size) > largest_spec)
    return fail(Blame::input, "'", file, "' is ", about.st_size, " bytes long: at most ", to_text(Bytes{largest_spec}),
                " is read; is it a spec?");
  return {};
}

}  // namespace

Result<std::string> read_spec(const std::string& file) {
  // O_NONBLOCK: opening a FIFO must not wait for its writer.
  Fd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd) return fail(Blame::input, "can't read the spec '", file, "': ", std::strerror(errno));
  struct stat about {};
  if (::fstat(fd.get(), &about) != 0) return sys_fail("stat '", file, "'");
  TRY(check_kind(file, about));
  std::string text(largest_spec + 1, '\0');
  std::size_t have = 0;
  while (have < text.size()) {
    const ssize_t got = ::read(fd.get(), text.data() + have, text.size() - have);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return sys_fail("read '", file, "'");
    if (got == 0) break;
    have += static_cast<std::size_t>(got);
  }
  if (have > largest_spec) return fail(Blame::input, "'", file, "' grew over ", to_text(Bytes{largest_spec}), " while it was read");
  text.resize(have);
  return text;
}

}  // namespace arashi::spec
