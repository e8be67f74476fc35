#!/usr/bin/env bash
# Builds targets of a preset, with as many jobs as this machine's memory bears; does nothing when all is up to date.
#   examples/build.sh release arashi arashi-agent wallet
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
readonly preset=$1
shift

# The largest source files need 1 GB each in the compiler.
memory_gb=$(awk '/^MemAvailable:/ { print int($2 / 1024 / 1024) }' /proc/meminfo)
jobs=$(nproc)
if ((jobs > memory_gb)); then jobs=$((memory_gb > 0 ? memory_gb : 1)); fi

if [[ ! -e build/$preset/build.ninja ]]; then cmake --preset "$preset"; fi
cmake --build --preset "$preset" --parallel "$jobs" --target "$@"
