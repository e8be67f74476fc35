#include "agent/confine.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <fstream>
#include <iterator>
#include <string>

using namespace arashi;

namespace {

// Runs `attempt` in a confined child; what it returns is the child's exit code (255: it could not be confined).
template <class Attempt>
int confined(Attempt attempt) {
  const auto pid = fork();
  REQUIRE(pid >= 0);
  // Not _exit, before which the address sanitizer makes a call of its own that is refused.
  if (pid == 0) ::syscall(SYS_exit_group, confine({}) ? attempt() : 255);
  int status = 0;
  REQUIRE(waitpid(pid, &status, 0) == pid);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

TEST_CASE("a confined process can neither open a file nor start a process nor reach out") {
  CHECK(confined([] { return open("/etc/passwd", O_RDONLY) < 0 ? errno : 0; }) == EPERM);
  CHECK(confined([] { return open("/dev/null", O_RDWR | O_CREAT, 0600) < 0 ? errno : 0; }) == EPERM);
  CHECK(confined([] { return fork() < 0 ? errno : 0; }) == EPERM);
  CHECK(confined([] { return execl("/bin/true", "true", nullptr) < 0 ? errno : 0; }) == EPERM);
  CHECK(confined([] { return socket(AF_INET, SOCK_STREAM, 0) < 0 ? errno : 0; }) == EPERM);
  CHECK(confined([] { return kill(getppid(), 0) < 0 ? errno : 0; }) == EPERM);
  const auto code_memory = [] { return mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); };
  CHECK(confined([&] { return reinterpret_cast<std::intptr_t>(code_memory()) == -1 ? errno : 0; }) == EPERM);
}

TEST_CASE("a confined process still reads, writes, allocates and ends") {
  std::array<int, 2> ends{};
  REQUIRE(pipe(ends.data()) == 0);
  CHECK(confined([&] {
          const std::string text(std::size_t{1} << 20U, 'x');
          return write(ends[1], text.data(), 5) == 5 ? 0 : 1;
        }) == 0);
  std::array<char, 8> got{};
  CHECK(read(ends[0], got.data(), got.size()) == 5);
  close(ends[0]);
  close(ends[1]);
}

TEST_CASE("a process confined by root is nobody, without groups or capabilities") {
  if (geteuid() != 0) {
    MESSAGE("SKIP: needs root");
    return;
  }
  std::array<int, 2> ready{};
  std::array<int, 2> finish{};
  REQUIRE(pipe(ready.data()) == 0);
  REQUIRE(pipe(finish.data()) == 0);
  const auto pid = fork();
  if (pid == 0) {
    char byte = confine({}) ? 'y' : 'n';
    (void)!write(ready[1], &byte, 1);
    (void)!read(finish[0], &byte, 1);
    _exit(0);
  }
  char fine = 0;
  REQUIRE(read(ready[0], &fine, 1) == 1);
  CHECK(fine == 'y');
  std::ifstream file("/proc/" + std::to_string(pid) + "/status");
  const std::string status{std::istreambuf_iterator<char>(file), {}};
  for (const char* line :
       {"Uid:\t65534\t65534\t65534\t65534", "Gid:\t65534\t65534\t65534\t65534", "CapPrm:\t0000000000000000", "CapEff:\t0000000000000000",
        "CapBnd:\t0000000000000000", "CapAmb:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2"})
    CHECK_MESSAGE(status.find(line) != std::string::npos, line);
  CHECK(write(finish[1], "x", 1) == 1);
  CHECK(waitpid(pid, nullptr, 0) == pid);
  for (const int fd : {ready[0], ready[1], finish[0], finish[1]}) close(fd);
}
