#include "injector/host/netns.hpp"

#include "injector/host/files.hpp"

#include <fcntl.h>
#include <linux/magic.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <charconv>
#include <exception>
#include <filesystem>
#include <system_error>
#include <thread>

namespace arashi {

namespace {

Fd open_if_same(const std::filesystem::path& path, std::uint64_t inode) {
  auto fd = open_netns_file(path);
  struct stat found {};
  if (!fd || fstat(fd->get(), &found) != 0 || found.st_ino != inode) return {};
  return std::move(fd).value();
}

bool is_number(const std::string& text) { return !text.empty() && text.find_first_not_of("0123456789") == std::string::npos; }

// Its finder died, but the namespace may live on in another process or by a name.
Fd search(const Host& host, std::uint64_t inode) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(host.netns, error))
    if (auto fd = open_if_same(entry.path(), inode)) return fd;
  for (const auto& entry : std::filesystem::directory_iterator(host.proc, error)) {
    if (!is_number(entry.path().filename().string())) continue;
    if (auto fd = open_if_same(entry.path() / "ns/net", inode)) return fd;
  }
  return {};
}

}  // namespace

Result<Fd> open_netns_file(const std::filesystem::path& path) {
  // A FIFO would wait for a writer, and a device may do things when it is opened: what it is, is looked at first, and again afterwards.
  struct statfs where {};
  auto fd = open_file(path, O_PATH);
  if (!fd) return fd;
  if (fstatfs(fd->get(), &where) != 0) return sys_fail("look at '", path.string(), "'");
  if (where.f_type != NSFS_MAGIC) return fail(Blame::input, "'", path.string(), "' is not a network namespace");
  fd = open_file("/proc/self/fd/" + std::to_string(fd->get()), O_RDONLY | O_NONBLOCK);
  if (!fd) return fd;
  if (ioctl(fd->get(), NS_GET_NSTYPE) != CLONE_NEWNET)
    return fail(Blame::input, "'", path.string(), "' is a namespace, but not one of the network");
  return fd;
}

Result<std::uint64_t> netns_inode(const std::filesystem::path& path) {
  const auto fd = TRY(open_netns_file(path));
  struct stat found {};
  if (fstat(fd.get(), &found) != 0) return sys_fail("look at '", path.string(), "'");
  return static_cast<std::uint64_t>(found.st_ino);
}

Result<Netns> own_netns(const Host& host) {
  const auto path = host.proc / "self/ns/net";
  struct stat found {};
  if (stat(path.c_str(), &found) != 0) return sys_fail("read '", path.string(), "'");
  return Netns{path.string(), found.st_ino};
}

Result<Fd> open_netns(const Host& host, const Netns& netns) {
  if (auto fd = open_if_same(netns.path, netns.inode)) return fd;
  if (auto fd = search(host, netns.inode)) return fd;
  return fail(Blame::missing, "network namespace ", netns.inode, " ('", netns.path, "') is gone");
}

namespace {

// On a thread of its own, so that the others never move.
Result<void> apart(const std::function<Result<void>()>& act) {
  Result<void> outcome;
  try {
    std::thread([&] { outcome = act(); }).join();
  } catch (const std::system_error& error) {
    return fail(Blame::system, "start a thread: ", error.what());
  }
  return outcome;
}

// There and back on this thread: a thread of its own would be waited for at its start and at its end.
class Visit {
 public:
  static Result<Visit> to(const Fd& netns) {
    Fd home(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
    if (!home) return sys_fail("remember the network namespace to come back to");
    if (setns(netns.get(), CLONE_NEWNET) != 0) return sys_fail("enter the network namespace");
    return Visit(std::move(home));
  }
  Visit(Visit&&) = default;
  Visit& operator=(Visit&&) = delete;
  // A thread in a wrong namespace would hit what it must not: rather none of us, and what is journalled is taken back by the next.
  ~Visit() {
    if (home_ && setns(home_.get(), CLONE_NEWNET) != 0) std::terminate();
  }

 private:
  explicit Visit(Fd home) : home_(std::move(home)) {}
  Fd home_;
};

}  // namespace

Result<void> inside(const Fd& netns, const std::function<Result<void>()>& act) {
  const bool is_first_thread = gettid() == getpid();  // whose namespace is the process's own, to others and to own_netns()
  if (!is_first_thread) {
    const auto visit = TRY(Visit::to(netns));
    return act();
  }
  return apart([&]() -> Result<void> {
    if (setns(netns.get(), CLONE_NEWNET) != 0) return sys_fail("enter the network namespace");
    return act();
  });
}

Result<void> in_new_netns(const std::function<Result<void>()>& act) {
  return apart([&]() -> Result<void> {
    if (unshare(CLONE_NEWNET) != 0) return sys_fail("make a scratch network namespace");
    return act();
  });
}

}  // namespace arashi
