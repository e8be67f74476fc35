#!/usr/bin/python3
"""Google's paging rules as Sloth writes them (github.com/slok/sloth, examples/_gen/getting-started.yml), evaluated by Prometheus' own
promtool over 6 h without an error and then a given error ratio: the guard's burn-rate rules must fire at the same evaluation.

promtool.py GUARD_BENCH
"""
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ALLOWED = "0.0009999999999999432"  # 1 - 0.999, as Sloth prints it
WINDOWS = ["5m", "30m", "1h", "6h"]
SCRAPE = 15


def rules():
    text = "groups:\n- name: sloth-slo-sli-recordings\n  rules:\n"
    for window in WINDOWS:
        text += f"""  - record: slo:sli_error:ratio_rate{window}
    expr: |
      (sum(rate(http_request_duration_seconds_count{{job="myservice",code=~"(5..|429)"}}[{window}])))
      /
      (sum(rate(http_request_duration_seconds_count{{job="myservice"}}[{window}])))
    labels: {{sloth_id: myservice, sloth_window: {window}}}
"""

    def exceeds(window, factor):
        return f'max(slo:sli_error:ratio_rate{window}{{sloth_id="myservice"}} > ({factor} * {ALLOWED})) without (sloth_window)'

    text += f"""- name: sloth-slo-alerts
  rules:
  - alert: MyServiceHighErrorRate
    expr: |
      ({exceeds("5m", 14.4)} and {exceeds("1h", 14.4)})
      or
      ({exceeds("30m", 6)} and {exceeds("6h", 6)})
    labels: {{sloth_severity: page}}
"""
    return text


def duration(seconds):
    return f"{seconds}s"


def test(ratio, last):
    before, rate = 6 * 3600 // SCRAPE, 10_000 * SCRAPE
    bad = round(rate * ratio)
    after = last // SCRAPE + 1
    text = f"""rule_files: [rules.yml]
evaluation_interval: {SCRAPE}s
group_eval_order: [sloth-slo-sli-recordings, sloth-slo-alerts]
tests:
- interval: {SCRAPE}s
  input_series:
  - series: 'http_request_duration_seconds_count{{job="myservice",code="200"}}'
    values: '0+{rate}x{before} {rate * before + rate - bad}+{rate - bad}x{after}'
  - series: 'http_request_duration_seconds_count{{job="myservice",code="500"}}'
    values: '0+0x{before} {bad}+{bad}x{after}'
  alert_rule_test:
"""
    for at in range(SCRAPE, last + 1, SCRAPE):
        text += f"  - {{alertname: MyServiceHighErrorRate, eval_time: {duration(6 * 3600 + at)}, exp_alerts: []}}\n"
    return text


def seconds(text):
    units = {"h": 3600, "m": 60, "s": 1}
    return sum(int(number) * units[unit] for number, unit in re.findall(r"(\d+)([hms])", text))


def fires_after(ratio, last, folder):
    (folder / "rules.yml").write_text(rules())
    (folder / "test.yml").write_text(test(ratio, last))
    out = subprocess.run(["promtool", "test", "rules", "test.yml"], cwd=folder, capture_output=True, text=True)
    times = [seconds(found) for found in re.findall(r"time: (\S+),", out.stdout + out.stderr)]
    if not times:
        sys.exit(f"promtool: no alert at a ratio of {ratio} within {last} s:\n{out.stdout}{out.stderr}")
    return min(times) - 6 * 3600


def main():
    agree = True
    with tempfile.TemporaryDirectory() as name:
        for ratio, last in ((1, 90), (0.5, 135), (0.1, 555), (0.05, 1080)):
            ours = int(subprocess.run([sys.argv[1], "--page", str(ratio)], check=True, capture_output=True, text=True).stdout)
            theirs = fires_after(ratio, last, Path(name))
            print(f"error ratio {ratio}: promtool {theirs} s, the guard's rules {ours} s")
            agree = agree and ours == theirs
    return 0 if agree else 1


if __name__ == "__main__":
    sys.exit(main())
