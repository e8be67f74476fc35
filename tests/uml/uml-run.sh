#!/usr/bin/env bash
# uml-run.sh COMMAND [ARGUMENT…]: runs it as root in a User-Mode Linux guest and exits with its exit code.
#
# The guest sees this machine's files, and what it writes goes into its own memory (overlayfs): nothing of this machine changes but the
# scratch directory, /scratch in the guest. 77: this machine has no linux.uml, or one that cannot run on its processor; 98: the guest took
# longer than UML_PATIENCE seconds; 99: the guest ended without an exit code of the command.
set -u

patience=${UML_PATIENCE:-300}
kernel=$(command -v linux.uml || true)
modules=$(ls -d /usr/lib/uml/modules/*/ 2>/dev/null | head -n 1)
if [ -z "$kernel" ] || [ -z "$modules" ]; then
  echo "SKIP: needs linux.uml (Debian package user-mode-linux)"
  exit 77
fi
if [ "$#" -eq 0 ]; then
  echo "usage: $0 COMMAND [ARGUMENT...]" >&2
  exit 2
fi

# What one that was killed by SIGKILL left; each holds a lock on its own as long as it lives.
for old in "${TMPDIR:-/tmp}"/arashi-uml.*/; do
  [ ! -f "$old/lock" ] || flock --nonblock "$old/lock" rm -rf "$old"
done
scratch=$(mktemp -d "${TMPDIR:-/tmp}/arashi-uml.XXXXXX") || exit 99
exec 9>"$scratch/lock" && flock 9
guest=
finish() {
  [ -z "$guest" ] || kill -KILL -- "-$guest" 2>/dev/null
  rm -rf "$scratch"
}
trap finish EXIT
trap 'exit 130' INT TERM

mkdir "$scratch/overlay" "$scratch/uml"
printf '%q ' "$@" >"$scratch/command"
printf '%q' "$PWD" >"$scratch/directory"
printf '%s' "${modules%/}" >"$scratch/modules"

# First stage, on the read-only view of the host: lay a writable layer in memory over it and go there.
cat >"$scratch/init" <<'INIT'
#!/bin/bash
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8
here=${0%/init}
modules=$(cat "$here/modules")
# modprobe wants lib/modules/VERSION below its directory; until the writable layer is there only insmod can load.
insmod "$modules/kernel/fs/overlayfs/overlay.ko"
mount -t tmpfs -o size=256m tmpfs "$here/overlay"
mkdir "$here/overlay/upper" "$here/overlay/work" "$here/overlay/root"
mount -t overlay -o "lowerdir=/,upperdir=$here/overlay/upper,workdir=$here/overlay/work" overlay "$here/overlay/root"
root=$here/overlay/root
mkdir -p "$root/scratch" "$root/lib/modules"
ln -s "$modules" "$root/lib/modules/${modules##*/}"
mount -t hostfs -o "$here" none "$root/scratch"
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount -t devtmpfs devtmpfs "$root/dev"
mount -t tmpfs tmpfs "$root/run"
mkdir -p "$root/dev/net" "$root/dev/shm" "$root/dev/pts"
mount -t tmpfs tmpfs "$root/dev/shm"
mount -t devpts devpts "$root/dev/pts"
# pivot_root and not chroot: the kernel's own modprobe then sees lib/modules, too.
mkdir "$root/.host"
cd "$root" && pivot_root . .host
chroot . /bin/bash /scratch/second </dev/null >/scratch/output 2>&1
sync
echo o >/proc/sysrq-trigger
sleep 60
INIT

# Second stage, on the writable view: the command itself.
cat >"$scratch/second" <<'SECOND'
modprobe ipv6
# No duplicate address detection, also in the namespaces that tests make: addresses are there at once.
echo 1 >/proc/sys/net/core/devconf_inherit_init_net
echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad
echo 0 >/proc/sys/net/ipv6/conf/all/accept_dad
ip link set lo up
mknod /dev/net/tun c 10 200  # all other modules are loaded by the kernel when they are asked for
eval "cd $(cat /scratch/directory)" && eval "$(cat /scratch/command)"
echo "$?" >/scratch/rc.part
mv /scratch/rc.part /scratch/rc
SECOND
chmod 0755 "$scratch/init"

# A session of its own makes it a process group of its own; the null devices keep it off our terminal. The guest is the first process of a
# PID namespace that dies with us, whatever ends us, so that its stub processes do as well.
setsid setpriv --pdeathsig KILL unshare --pid --fork --kill-child \
  "$kernel" mem=512M root=/dev/root rootfstype=hostfs ro "init=$scratch/init" quiet con=null con0=null,fd:1 \
  umid=arashi "uml_dir=$scratch/uml" </dev/null >"$scratch/console" 2>&1 9>&- &
guest=$!
disown "$guest"

deadline=$((SECONDS + patience))
while kill -0 "$guest" 2>/dev/null && [ "$SECONDS" -lt "$deadline" ]; do
  # Its buffer for a processor's registers is of fixed size; Linux refuses one that is too small, as on processors with AMX.
  if grep -q "ptrace set fp regs failed" "$scratch/console"; then
    echo "SKIP: needs a processor on which User-Mode Linux boots: this one has more registers (AMX) than linux.uml can keep"
    exit 77
  fi
  sleep 0.1
done
[ ! -f "$scratch/output" ] || cat "$scratch/output"
if [ -f "$scratch/rc" ]; then
  exit "$(cat "$scratch/rc")"
fi
echo "the guest's console:"
cat "$scratch/console"
if kill -0 "$guest" 2>/dev/null; then
  echo "the guest took longer than $patience s and was killed"
  exit 98
fi
echo "the guest ended without an exit code of the command"
exit 99
