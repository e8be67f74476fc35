#!/usr/bin/env bash
# Installs what is missing on Debian 12, as root: the one home of the list of packages.
#   examples/setup.sh run     what the build, the demo and `arashi` need
#   examples/setup.sh test    the same and what the tests need
# Starts no service on this machine, neither now nor at the next boot; when nothing is missing it does nothing at all.
set -euo pipefail

readonly to_build="build-essential cmake ninja-build pkg-config clang-14 llvm-14 bpftool libbpf-dev libelf-dev zlib1g-dev
  libboost-dev libboost-filesystem-dev nlohmann-json3-dev libcli11-dev doctest-dev libyaml-cpp-dev libcurl4-openssl-dev libssl-dev
  libhowardhinnant-date-dev libhiredis-dev libseccomp-dev libcap-dev libnftables-dev libprotobuf-dev
  protobuf-compiler libre2-dev"
readonly to_run="libnftables1 iproute2 iputils-ping curl ca-certificates procps util-linux tzdata nginx-light redis-server
  dnsmasq-base"
readonly to_test="prometheus iperf3 user-mode-linux runc jq strace tcpdump chromium netcat-openbsd nftables iptables clang-tidy-14
  clang-format-14 libclang-rt-14-dev kmod ethtool python3 bind9-dnsutils"
readonly services="nginx redis-server prometheus"  # brought by packages above; the demo runs the programs itself

export PATH=$PATH:/usr/sbin:/sbin

missing() {  # PACKAGE…
  local package
  for package in "$@"; do
    [[ $(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || echo "$package"
  done
}

# Debian's way to say "install, but start nothing"; an administrator's own policy stays.
forbid_services() {
  [[ ! -e /usr/sbin/policy-rc.d ]] || return 0
  trap 'rm -f /usr/sbin/policy-rc.d' EXIT
  trap 'exit 130' INT TERM
  printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
  chmod 755 /usr/sbin/policy-rc.d
}

install_packages() {  # PACKAGE…
  local service unwanted=()
  [[ $EUID == 0 ]] || { echo "setup.sh: installing needs root; missing: $*" >&2; exit 1; }
  command -v apt-get >/dev/null || { echo "setup.sh: no apt-get here; install by hand: $*" >&2; exit 1; }
  for service in $services; do
    [[ -e /lib/systemd/system/$service.service ]] || unwanted+=("$service")
  done
  forbid_services
  export DEBIAN_FRONTEND=noninteractive
  apt-get update --quiet=2
  apt-get install --quiet=2 --option Dpkg::Use-Pty=0 --yes --no-install-recommends "$@"
  for service in "${unwanted[@]}"; do
    [[ -e /lib/systemd/system/$service.service ]] || continue
    update-rc.d "$service" disable  # also its systemd links
  done
}

case ${1:-} in
  run) wanted="$to_build $to_run" ;;
  test) wanted="$to_build $to_run $to_test" ;;
  *)
    sed -n '2,5s/^# \{0,1\}//p' "$0"
    exit 2 ;;
esac
# shellcheck disable=SC2086  # lists of words
mapfile -t packages < <(missing $wanted)
# The charts' library comes from npm; any npm will do.
if ! command -v npm >/dev/null; then packages+=(npm); fi
if ((${#packages[@]})); then
  echo "setup: installing ${packages[*]}"
  install_packages "${packages[@]}"
fi
