#include "injector/host/files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>

namespace arashi {

namespace {

Unexpected<Error> path_fail(std::string_view what, const std::filesystem::path& path) {
  const bool gone = errno == ENOENT || errno == ESRCH || errno == ENODEV;
  auto error = sys_fail(what, " '", path.string(), "'");
  if (gone) error.error.blame = Blame::missing;
  return error;
}

}  // namespace

Result<Fd> open_file(const std::filesystem::path& path, int flags, unsigned mode) {
  Fd fd(::open(path.c_str(), flags | O_CLOEXEC, mode));
  if (!fd) return path_fail("open", path);
  return fd;
}

Result<std::string> read_text(const std::filesystem::path& path, std::size_t limit) {
  const auto file = TRY(open_file(path, O_RDONLY));
  std::string text;
  std::array<char, 8192> buffer{};
  while (true) {
    const auto count = ::read(file.get(), buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return path_fail("read", path);
    if (count == 0) return text;
    text.append(buffer.data(), static_cast<std::size_t>(count));
    if (text.size() > limit) return fail(Blame::input, "read '", path.string(), "': longer than ", limit, " bytes");
  }
}

Result<void> write_text(const std::filesystem::path& path, std::string_view text) {
  const auto file = TRY(open_file(path, O_WRONLY));
  const auto count = ::write(file.get(), text.data(), text.size());
  if (count < 0) return path_fail("write", path);
  if (static_cast<std::size_t>(count) != text.size()) return fail(Blame::system, "write '", path.string(), "': written only in part");
  return {};
}

Result<void> write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const auto count = ::write(fd, text.data(), text.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return sys_fail("write");
    text.remove_prefix(static_cast<std::size_t>(count));
  }
  return {};
}

Result<void> make_directory(const std::filesystem::path& path, unsigned mode) {
  if (path.empty()) return {};
  if (::mkdir(path.c_str(), mode) == 0) return {};
  if (errno == ENOENT && path.has_parent_path() && path.parent_path() != path) {
    TRY(make_directory(path.parent_path()));
    if (::mkdir(path.c_str(), mode) == 0) return {};
  }
  if (errno == EEXIST && std::filesystem::is_directory(path)) return {};
  return path_fail("make directory", path);
}

Result<std::uint64_t> inode_of(const std::filesystem::path& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return path_fail("look at", path);
  return static_cast<std::uint64_t>(info.st_ino);
}

Result<Pipe> make_pipe() {
  std::array<int, 2> ends{-1, -1};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return sys_fail("make a pipe");
  Pipe pipe{Fd(ends[0]), Fd(ends[1])};
  for (Fd* end : {&pipe.read, &pipe.write}) {
    if (end->get() > STDERR_FILENO) continue;
    end->reset(::fcntl(end->get(), F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
    if (!*end) return sys_fail("make a pipe");
  }
  return pipe;
}

}  // namespace arashi
