#include "injector/host/own_files.hpp"

#include "injector/host/files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sstream>

namespace arashi {

namespace fs = std::filesystem;

namespace {

constexpr mode_t by_others = S_IWGRP | S_IWOTH;

// Why its content could be somebody else's; "" when it could not.
std::string stranger_in(const struct stat& info) {
  std::ostringstream why;
  if (info.st_uid != 0 && info.st_uid != ::geteuid()) why << "belongs to user " << info.st_uid;
  const bool is_open = (info.st_mode & by_others) != 0;
  if (is_open) why << (why.str().empty() ? "" : " and ") << "is writable by others (mode 0" << std::oct << (info.st_mode & 07777U) << ")";
  return why.str();
}

Result<void> check_above(const fs::path& directory) {
  std::error_code error;
  for (auto at = fs::canonical(directory, error).parent_path(); !error; at = at.parent_path()) {
    struct stat info {};
    if (::stat(at.c_str(), &info) != 0) return sys_fail("look at '", at.string(), "'");
    const bool is_sticky = (info.st_mode & S_ISVTX) != 0;
    if (is_sticky) info.st_mode &= ~by_others;
    if (const auto why = stranger_in(info); !why.empty())
      return fail(Blame::unsupported, "'", directory.string(), "' is not trusted: '", at.string(), "' above it ", why,
                  "; choose a directory that only root can change");
    if (at == at.root_path()) return {};
  }
  return fail(Blame::system, "look at '", directory.string(), "': ", error.message());
}

}  // namespace

Result<Fd> open_own_directory(const fs::path& path) {
  TRY(make_directory(path, 0700));
  const auto plain = path.has_filename() ? path : path.parent_path();  // "dir/" would follow a link
  auto directory = TRY(open_file(plain, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  struct stat info {};
  if (::fstat(directory.get(), &info) != 0) return sys_fail("look at '", path.string(), "'");
  if (const auto why = stranger_in(info); !why.empty())
    return fail(Blame::unsupported, "'", path.string(), "' is not trusted: it ", why, "; make it root's own (chown root, chmod 0700)");
  TRY(check_above(plain));
  return directory;
}

Result<Fd> open_own_file(const Fd& directory, const std::string& name, int flags) {
  Fd file(::openat(directory.get(), name.c_str(), flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600));
  if (!file && (errno == ELOOP || errno == EISDIR || errno == ENXIO)) return fail(Blame::refused, "'", name, "' is not a regular file");
  if (!file && errno == ENOENT) return fail(Blame::missing, "'", name, "' is not there");
  if (!file) return sys_fail("open '", name, "'");
  struct stat info {};
  if (::fstat(file.get(), &info) != 0) return sys_fail("look at '", name, "'");
  if (!S_ISREG(info.st_mode)) return fail(Blame::refused, "'", name, "' is not a regular file");
  if (const auto why = stranger_in(info); !why.empty()) return fail(Blame::refused, "'", name, "' ", why);
  return file;
}

}  // namespace arashi
