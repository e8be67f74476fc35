#include "tests/support/remains.hpp"

#include "injector/core/fd.hpp"
#include "injector/host/cgroup.hpp"
#include "injector/host/files.hpp"
#include "tests/support/namespaces.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <iostream>
#include <mutex>
#include <sstream>

namespace arashi::testing {

namespace fs = std::filesystem;

namespace {

const fs::path folder = "/run/arashi-tests";
constexpr std::array<const char*, 5> words{"netns", "cgroup", "directory", "injection", "demo"};

// What is written there is deleted by root: nobody else may write there.
bool folder_is_ours() {
  struct stat found {};
  (void)::mkdir(folder.c_str(), 0700);
  return ::lstat(folder.c_str(), &found) == 0 && S_ISDIR(found.st_mode) && found.st_uid == ::geteuid() && (found.st_mode & 0077U) == 0;
}

// This process' notes. The lock goes with the last process that has the file open: children that were forked without a program of their
// own.
class Notes {
 public:
  void add(const std::string& line) {
    const std::lock_guard hold(mutex_);
    if (!file_) open();
    const auto written = file_ ? write_all(file_.get(), line + "\n") : Result<void>{};
    if (!written) std::cerr << "not noted, so that it stays should this be killed: " << line << ": " << written.error().message << '\n';
  }

 private:
  void open() {
    if (!folder_is_ours()) return;
    static std::string path;
    path = folder / std::to_string(::getpid());
    struct stat found {};
    while (found.st_nlink == 0) {  // else somebody took it for a dead one's before it was locked
      file_ = Fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600));
      if (!file_ || ::flock(file_.get(), LOCK_EX) != 0 || ::fstat(file_.get(), &found) != 0) return;
    }
    std::atexit([] { ::unlink(path.c_str()); });  // its guards have cleared all away
  }

  std::mutex mutex_;
  Fd file_;
};

Notes& notes() {
  static Notes ours;
  return ours;
}

void clear_netns(const std::string& name) {
  if (!fs::exists(fs::path("/run/netns") / name)) return;
  end_processes_in(fs::path("/run/netns") / name);
  run({"ip", "netns", "delete", name});
}

Result<void> clear_cgroup(const fs::path& directory) {
  TRY(kill_cgroup(directory));
  return remove_cgroup(directory);
}

void clear_injection(const std::string& id) {
  for (const auto& hierarchy : hierarchies(Host{}))
    for (const auto& name : {id, id + ".undo"}) (void)clear_cgroup(hierarchy.root / "arashi" / name);
}

void clear(const std::string& line) {
  const auto space = line.find(' ');
  if (space == std::string::npos || space + 1 == line.size()) return;  // torn
  const auto name = line.substr(space + 1);
  const auto word = line.substr(0, space);
  std::error_code ignored;
  if (word == "netns") {
    clear_netns(name);
    fs::remove_all(fs::path("/etc/netns") / name, ignored);
  }
  if (word == "cgroup") (void)clear_cgroup(name);
  if (word == "directory") fs::remove_all(name, ignored);
  if (word == "injection") clear_injection(name);
  if (word == "demo") run({name, "stop"}, std::chrono::seconds(30));
}

// Held while it is cleared away; nothing when a test has it now.
Fd turn_with_the_demo() {
  Fd turn(::open(demo_lock, O_CREAT | O_RDWR | O_CLOEXEC, 0600));
  if (turn && ::flock(turn.get(), LOCK_EX | LOCK_NB) != 0) turn.reset();
  return turn;
}

void clear_what_is_in(const fs::path& file) {
  const Fd held(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!held || ::flock(held.get(), LOCK_EX | LOCK_NB) != 0) return;  // alive, or cleared by another just now
  struct stat found {};
  if (::fstat(held.get(), &found) != 0 || found.st_nlink == 0) return;
  const auto text = read_text(file);
  if (!text) return;
  const bool has_demo = ("\n" + *text).find("\ndemo ") != std::string::npos;
  const Fd turn = has_demo ? turn_with_the_demo() : Fd();
  if (has_demo && !turn) return;
  std::cerr << "clearing away what a killed test process (" << file.filename().string() << ") has left\n";
  std::istringstream lines(*text);
  for (std::string line; std::getline(lines, line);) clear(line);
  ::unlink(file.c_str());
}

}  // namespace

void note(Made what, const std::string& name) { notes().add(std::string(words.at(static_cast<std::size_t>(what))) + " " + name); }

void clear_remains() {
  if (!folder_is_ours()) return;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) clear_what_is_in(entry->path());
}

}  // namespace arashi::testing
