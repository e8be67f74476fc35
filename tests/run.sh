#!/usr/bin/env bash
# On a fresh Debian 12 machine, as root: installs what is missing, builds, and runs the tests. The last line is "N passed, N failed".
#   tests/run.sh          formatting and all tests of the dev build
#   tests/run.sh --all    the same, and the unit and contract tests under the address, undefined-behaviour and thread sanitizers
#   tests/run.sh --tidy [REF]   only clang-tidy: the whole tree, or what has changed since REF with the files that include it
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

sources() { find injector agent experiments examples tests -name "$1" | sort; }

# The .cpp files to look at: all; or those changed since $1, not yet committed ones too, and those that include a changed header themselves.
tidy_files() {
  if [[ -z $1 ]]; then
    sources '*.cpp'
    return
  fi
  local changed file
  changed=$({ git diff --name-only --diff-filter=d "$1" && git ls-files --others --exclude-standard; } | grep -E '\.(cpp|hpp)$') || true
  for file in $changed; do
    case $file in
      *.cpp) echo "$file" ;;
      *.hpp) sources '*.cpp' | xargs grep -lF "#include \"$file\"" || true ;;
    esac
  done | sort -u
}

# One clang-tidy for each file, so that a machine's cores are all used; a file with findings is one that failed.
tidy() {
  local files file
  files=$(tidy_files "$1")
  if [[ -z $files ]]; then return; fi
  cmake --preset dev >/dev/null
  cmake --build --preset dev --target bpf_skeletons arashi_page_proto  # what the sources include and a build makes
  local failures
  failures=$(mktemp)
  printf '%s\n' $files | FAILURES=$failures xargs -n 1 -P "$(nproc)" sh -c 'clang-tidy-14 --quiet -p build/dev "$0" || echo "$0" >>"$FAILURES"'
  failed=$(wc -l <"$failures")
  passed=$(($(wc -l <<<"$files") - failed))
  for file in $(<"$failures"); do echo "FAILED: clang-tidy $file"; done
  rm -f "$failures"
}

finish() {
  echo
  echo "$passed passed, $failed failed"
  exit $((failed == 0 ? 0 : 1))
}

case ${1:-} in
  '' | --all | --tidy) ;;
  *)
    echo "tests/run.sh: unknown option '$1': --all, --tidy [REF] or none" >&2
    exit 2
    ;;
esac

say "packages"
examples/setup.sh test
if [[ ${1:-} == --tidy ]]; then
  say "clang-tidy"
  tidy "${2:-}"
  finish
fi
say "formatting"
count_one "clang-format" format_is_clean
say "build"
examples/build.sh dev all
if [[ ${1:-} == --all ]]; then
  for sanitizer in asan tsan; do
    say "$sanitizer"
    examples/build.sh "$sanitizer" unit_tests contract_tests fuzz_targets arashi-agent arashi
    count_tests ctest --preset "$sanitizer"
  done
fi
say "tests"
count_tests ctest --preset dev --parallel 3  # as many as there are locks (tests/CMakeLists.txt): most of the time is waiting
finish
