#!/usr/bin/python3
"""The guard's e-process written a second time, from its description and not from its code, run over recorded experiments.

second.py GUARD_BENCH: both must agree on the log e-value at every look to 1e-9.
"""
import json
import math
import subprocess
import sys

SECOND = 1_000_000_000
INFINITY = float("inf")


def log_sum(logs):
    high = max(logs)
    return high if high == -INFINITY else high + math.log(sum(math.exp(x - high) for x in logs))


class Slices:
    """Weighted Shiryaev-Roberts: at each slice a gambler of weight length/planned starts; 16 stakes from 0.98/m down by 1.5 each."""

    def __init__(self, m, planned):
        self.m, self.planned, self.left = m, planned, 1.0
        self.stakes = [0.98 / m / 1.5**i for i in range(16)]
        self.wealth = [0.0] * 16

    def add(self, total, bad, length):
        if total == 0:
            return
        weight = min(self.left, length / self.planned)
        ratio = bad / total
        self.wealth = [(w + weight) * (1 + s * (ratio - self.m)) for w, s in zip(self.wealth, self.stakes)]
        self.left -= weight

    def value(self):
        return sum(self.wealth) / 16 + max(self.left, 0.0)


class Requests:
    """Mixture over 24 error ratios, evenly spaced in log-odds from 1.25 m to 1 - (1 - m)/1000, uniform weights; a slice counts as 20 requests
    at most."""

    def __init__(self, m):
        odds = lambda p: math.log(p / (1 - p))
        low, high = odds(min(1.25 * m, 1 - (1 - m) / 2)), odds(1 - (1 - m) / 1000)
        self.m = m
        self.ratios = [1 / (1 + math.exp(-(low + (high - low) * i / 23))) for i in range(24)]
        self.logs = [0.0] * 24

    def add(self, total, bad):
        weight = min(1.0, 20 / total) if total else 0.0
        self.logs = [
            w + weight * (bad * math.log(p / self.m) + (total - bad) * math.log((1 - p) / (1 - self.m)))
            for w, p in zip(self.logs, self.ratios)
        ]

    def log_value(self):
        return log_sum(self.logs) - math.log(24)


def check(lines):
    config = json.loads(lines[0])["config"]
    slo = config["slos"][0]
    burn = min(config["burn"], config["budget"] * slo["window"] / config["length"])
    m = burn * (1 - slo["objective"])
    slices, injected, known, looks, worst = Slices(m, config["length"] / SECOND), None, 0, 0, 0.0
    quick = Requests(m)
    for line in map(json.loads, lines[1:]):
        if "injected" in line:
            injected = line["now"]
        elif "slice" in line:
            one = line["slice"]
            if injected is None or one["end"] <= injected or one["end"] <= known:
                known = max(known, min(one["newest"], one["end"]))
                continue
            known = max(known, min(one["newest"], one["end"]))
            slices.add(one["total"], one["bad"], (one["end"] - one["begin"]) / SECOND)
            if one["end"] <= injected + 11 * SECOND:
                quick.add(one["total"], one["bad"])
        elif "logE" in line and injected is not None:
            # Of the quick tests' weight a half belongs to the first injection, the rest to those that may come.
            quickly = log_sum([quick.log_value(), 0.0]) - math.log(2)
            mine = log_sum([math.log(slices.value()), quickly]) - math.log(2)
            worst = max(worst, abs(mine - line["logE"]) / max(1.0, abs(mine)))
            looks += 1
    return looks, worst


def main():
    looks, worst = 0, 0.0
    for seed in range(12):
        out = subprocess.run([sys.argv[1], "--record", str(seed)], check=True, capture_output=True, text=True).stdout
        seen, difference = check(out.splitlines())
        looks, worst = looks + seen, max(worst, difference)
    print(f"{looks} looks at 12 recorded experiments, largest difference of log e {worst:.2e}")
    return 0 if looks > 1000 and worst <= 1e-9 else 1


if __name__ == "__main__":
    sys.exit(main())
