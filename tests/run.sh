#!/usr/bin/env bash
# On a fresh Debian 12 machine, as root: installs what is missing, builds, and runs the tests. The last line is "N passed, N failed".
#   tests/run.sh          formatting and all tests of the dev build
#   tests/run.sh --all    the same, and the unit and contract tests under the address, undefined-behaviour and thread sanitizers
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export CTEST_OUTPUT_ON_FAILURE=1
passed=0 failed=0

say() { printf '\n== %s (%s)\n' "$1" "$(date +%T)"; }

# Runs a command whose output holds CTest's summary line, and adds its numbers up.
count_tests() {
  local log summary
  log=$(mktemp)
  "$@" 2>&1 | tee "$log" || true
  # "100% tests passed, 0 tests failed out of 42"
  summary=$(grep -E '^[0-9]+% tests passed, [0-9]+ tests? failed out of [0-9]+' "$log" | tail -n 1) || true
  rm -f "$log"
  if [[ $summary =~ ([0-9]+)\ tests?\ failed\ out\ of\ ([0-9]+) ]]; then
    failed=$((failed + BASH_REMATCH[1]))
    passed=$((passed + BASH_REMATCH[2] - BASH_REMATCH[1]))
  else
    failed=$((failed + 1))  # no summary: CTest itself did not get that far
  fi
}

count_one() {  # NAME COMMAND…
  local name=$1
  shift
  if "$@"; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    echo "FAILED: $name"
  fi
}

format_is_clean() {
  find injector agent experiments examples tests \( -name '*.cpp' -o -name '*.hpp' -o -name '*.c' \) -print0 |
    xargs --null clang-format-14 --dry-run --Werror
}

say "packages"
examples/setup.sh test
say "formatting"
count_one "clang-format" format_is_clean
say "build"
examples/build.sh dev all
if [[ ${1:-} == --all ]]; then
  for sanitizer in asan tsan; do
    say "$sanitizer"
    examples/build.sh "$sanitizer" unit_tests contract_tests arashi-agent
    count_tests ctest --preset "$sanitizer"
  done
fi
say "tests"
count_tests ctest --preset dev --parallel 2

echo
echo "$passed passed, $failed failed"
((failed == 0))
