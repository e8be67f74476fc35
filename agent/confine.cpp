#include "agent/confine.hpp"

#include <fcntl.h>
#include <grp.h>
#include <seccomp.h>
#include <sys/capability.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <memory>

namespace arashi {

namespace {

// What Asio, OpenSSL and glibc call while connections are served; socket() and connect() are not among them.
constexpr std::array allowed{SCMP_SYS(read),
                             SCMP_SYS(write),
                             SCMP_SYS(readv),
                             SCMP_SYS(writev),
                             SCMP_SYS(recvfrom),
                             SCMP_SYS(sendto),
                             SCMP_SYS(recvmsg),
                             SCMP_SYS(sendmsg),
                             SCMP_SYS(accept),
                             SCMP_SYS(accept4),
                             SCMP_SYS(shutdown),
                             SCMP_SYS(close),
                             SCMP_SYS(getsockopt),
                             SCMP_SYS(setsockopt),
                             SCMP_SYS(getsockname),
                             SCMP_SYS(getpeername),
                             SCMP_SYS(epoll_wait),
                             SCMP_SYS(epoll_pwait),
                             SCMP_SYS(epoll_ctl),
                             SCMP_SYS(poll),
                             SCMP_SYS(ppoll),
                             SCMP_SYS(timerfd_settime),
                             SCMP_SYS(timerfd_gettime),
                             SCMP_SYS(futex),
                             SCMP_SYS(munmap),
                             SCMP_SYS(mremap),
                             SCMP_SYS(madvise),
                             SCMP_SYS(brk),
                             SCMP_SYS(clock_gettime),
                             SCMP_SYS(gettimeofday),
                             SCMP_SYS(getrandom),
                             SCMP_SYS(getpid),
                             SCMP_SYS(getppid),
                             SCMP_SYS(gettid),
                             SCMP_SYS(rt_sigreturn),
                             SCMP_SYS(rt_sigprocmask),
                             SCMP_SYS(sched_yield),
                             SCMP_SYS(restart_syscall),
                             SCMP_SYS(exit),
                             SCMP_SYS(exit_group)};

Result<void> checked(int result, const char* what) {
  if (result < 0) return fail(Blame::system, "system call filter, ", what, ": ", std::strerror(-result));
  return {};
}

Result<void> add_rules(scmp_filter_ctx filter) {
  for (const int call : allowed) TRY(checked(seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 0), "allow a call"));
  // Memory may be had, but none that can be executed.
  const scmp_arg_cmp not_executable = SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0);
  for (const int call : {SCMP_SYS(mmap), SCMP_SYS(mprotect)})
    TRY(checked(seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 1, not_executable), "allow memory"));
  for (const auto request : {FIONBIO, FIONREAD})
    TRY(checked(seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1, SCMP_A1(SCMP_CMP_EQ, static_cast<scmp_datum_t>(request))),
                "allow ioctl"));
  for (const int command : {F_GETFL, F_SETFL, F_GETFD, F_SETFD})
    TRY(checked(seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1, SCMP_A1(SCMP_CMP_EQ, static_cast<scmp_datum_t>(command))),
                "allow fcntl"));
  // abort() of a failed assertion must be able to end this process, and no other.
  return checked(seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1, SCMP_A0(SCMP_CMP_EQ, static_cast<scmp_datum_t>(getpid()))),
                 "allow abort");
}

Result<void> filter_calls() {
  // EPERM rather than a signal: a library that asks for something optional goes on without it.
  const std::unique_ptr<void, decltype(&seccomp_release)> filter(seccomp_init(SCMP_ACT_ERRNO(EPERM)), seccomp_release);
  if (!filter) return fail(Blame::system, "system call filter: not available");
  TRY(add_rules(filter.get()));
  return checked(seccomp_load(filter.get()), "load");
}

Result<void> become(Identity identity) {
  for (int capability = 0; cap_get_bound(capability) >= 0; ++capability) (void)cap_drop_bound(capability);  // without CAP_SETPCAP: stays
  if (setgroups(0, nullptr) != 0) return sys_fail("give up supplementary groups");
  if (setresgid(identity.group, identity.group, identity.group) != 0) return sys_fail("become group ", identity.group);
  if (setresuid(identity.user, identity.user, identity.user) != 0) return sys_fail("become user ", identity.user);
  return {};
}

Result<void> give_up_capabilities() {
  (void)cap_reset_ambient();  // fails on kernels without them
  const std::unique_ptr<_cap_struct, decltype(&cap_free)> none(cap_init(), cap_free);
  if (!none || cap_set_proc(none.get()) != 0) return sys_fail("give up capabilities");
  return {};
}

}  // namespace

Result<void> confine(Identity identity) {
  if (geteuid() == 0) TRY(become(identity));
  TRY(give_up_capabilities());
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return sys_fail("set no_new_privs");
  if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return sys_fail("forbid core dumps");
  // Changing users has cleared the parent-death signal (prctl(2)).
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) return sys_fail("ask for the parent-death signal");
  const rlimit none{0, 0};
  if (setrlimit(RLIMIT_CORE, &none) != 0) return sys_fail("forbid core dumps");
  return filter_calls();
}

}  // namespace arashi
