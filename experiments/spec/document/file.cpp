// Reading the spec's file: nothing is opened that is not a regular file, and nothing is read that is too large.
#include "experiments/spec/parse.hpp"
#include "injector/core/fd.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>

namespace arashi::spec {
namespace {

struct What {
  const char* name;
  const char* hint;
  std::size_t most;  // bytes
};

Result<void> check_kind(const std::string& file, const struct stat& about, const What& what) {
  if (S_ISDIR(about.st_mode)) return fail(Blame::input, "'", file, "' is a directory: name the file in it");
  if (!S_ISREG(about.st_mode)) return fail(Blame::input, "'", file, "' is not a regular file: copy it into one first");
  if (static_cast<std::uint64_t>(about.st_size) > what.most)
    return fail(Blame::input, "'", file, "' is ", about.st_size, " bytes long: at most ", to_text(Bytes{what.most}), " is read", what.hint);
  return {};
}

Result<std::string> read_whole(const std::string& file, const What& what) {
  // O_NONBLOCK: opening a FIFO must not wait for its writer.
  Fd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd) return fail(Blame::input, "can't read the ", what.name, " '", file, "': ", std::strerror(errno));
  struct stat about {};
  if (::fstat(fd.get(), &about) != 0) return sys_fail("stat '", file, "'");
  TRY(check_kind(file, about, what));
  std::string text;
  std::array<char, 65536> piece{};
  while (text.size() <= what.most) {
    const ssize_t got = ::read(fd.get(), piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return sys_fail("read '", file, "'");
    if (got == 0) return text;
    text.append(piece.data(), static_cast<std::size_t>(got));
  }
  return fail(Blame::input, "'", file, "' grew over ", to_text(Bytes{what.most}), " while it was read");
}

}  // namespace

Result<std::string> read_spec(const std::string& file) {
  return read_whole(file, {.name = "spec", .hint = "; is it a spec?", .most = largest_spec});
}

Result<std::string> read_load_file(const std::string& file) {
  return read_whole(file, {.name = "file", .hint = "", .most = largest_load_file});
}

}  // namespace arashi::spec
