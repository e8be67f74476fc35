#!/usr/bin/env bash
# On a fresh Debian 12 machine, as root: installs what is missing, builds, starts the demo platform, runs an experiment on it while it
# serves load, shows where the report is, and stops the demo again. A second run neither installs nor builds.
#   examples/quickstart.sh [EXPERIMENT]      default: examples/held.yaml; the exit code is the experiment's
set -euo pipefail
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
experiment=$(realpath --canonicalize-missing "${1:-$top/examples/held.yaml}")
started=$(date +%s)
readonly top experiment started
cd "$top"
readonly preset=${ARASHI_PRESET:-release}

[[ $EUID == 0 ]] || { echo "quickstart.sh: run me as root: the demo and the faults need it" >&2; exit 1; }
[[ -f $experiment ]] || { echo "quickstart.sh: no such file: $experiment" >&2; exit 2; }

examples/setup.sh run
examples/build.sh "$preset" arashi arashi-agent wallet

# A demo that was there before is left as it is. ^C reaches arashi, which reverts and ends by itself; only then the demo stops.
export ARASHI_WALLET=$PWD/build/$preset/bin/wallet
if ! examples/demo/demo.sh status >/dev/null; then
  trap 'examples/demo/demo.sh stop' EXIT
  trap ':' INT TERM
  examples/demo/demo.sh start
fi
code=0
"build/$preset/bin/arashi" run "$experiment" || code=$?
examples/demo/demo.sh sum || true
report=$(find arashi-runs -name report.html -newermt "@$started" -printf '%T@ %p\n' 2>/dev/null | sort -n | tail -n 1 | cut -d' ' -f2-)
if [[ -n $report ]]; then echo "the report: $PWD/$report"; fi
exit "$code"
