#!/usr/bin/env python3
"""Measures what rules cost: CPU and instructions of one reading by kind and number of rules, start and memory of ten thousand.

CPU time is that of the process (build/release/sluice_rules_bench), the least of several rounds: what others on the machine take is not
in it, but what they do to the caches is. Instructions are counted by callgrind where valgrind is installed; they are the same on every
machine of a kind, and the baseline of which a change of the code must not fall short.

usage: bench/rules.py [--quick] [--json FILE] [--save] [--check]
"""

import argparse
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import report as reports

ROOT = pathlib.Path(__file__).resolve().parent.parent

READINGS = [  # name, arguments, what it is
    ("scan", ["scan", "0"], "the JSON scan alone: two fields of four"),
    ("filter", ["filter", "1"], "one rule `WHERE vibration > …`"),
    ("filter_100", ["filter", "100"], "100 such rules, each with its own limit"),
    ("join", ["join", "1"], "one rule that finds its limit in a table of 1,000 machines"),
    ("join_100", ["join", "100"], "100 such rules: the row is found once"),
    ("zscore", ["zscore", "1"], "one z-score rule, a window of 100 readings for each of 1,000 devices"),
    ("zscore_100", ["zscore", "100"], "100 such rules, each with its own limit"),
    ("average", ["average", "1"], "one rule `GROUP BY device, COUNTWINDOW(…)`, two aggregates"),
    ("average_100", ["average", "100"], "100 such rules, each with its own length"),
    ("alike", ["alike", "1"], "one rule `GROUP BY device, COUNTWINDOW(20) HAVING avg(vibration) > …`"),
    ("alike_100", ["alike", "100"], "100 such rules, each with its own limit: they share the window"),
    ("tumbling", ["tumbling", "1"], "one rule `GROUP BY device, TUMBLINGWINDOW(…)`"),
    ("forgetful", ["forgetful", "1"], "the z-score rule with `when_full: forget_oldest`, and room for all devices"),
    ("forgetting", ["forgetting", "1"], "the same with room for half of them: each reading is of a new key, and another is forgotten"),
]
LOADS = [
    ("load_filter", ["load-filter", "10000"], "10,000 filter rules over one topic filter"),
    ("load_topics", ["load-topics", "10000"], "10,000 z-score rules, each with a topic of its own"),
]
GOALS_NS = {"filter": 300, "zscore": 400}  # after the JSON scan
RATIO_MAX = 4.0  # 100 rules against one
RATIOS = ["filter", "zscore", "alike"]
LOAD_SECONDS, LOAD_BYTES = 2.0, 10_000
INSTRUCTIONS_MORE = 1.05  # against the baseline


def run(build, arguments, readings=None):
    command = [str(build / "sluice_rules_bench"), *arguments] + ([str(readings)] if readings else [])
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def instructions(build, arguments, readings):
    """A reading's, from the difference of two runs: what a run costs beside its readings is in both."""
    totals = []
    with tempfile.TemporaryDirectory() as folder:
        for count in (readings, 2 * readings):
            done = subprocess.run(
                ["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/out", str(build / "sluice_rules_bench"), *arguments,
                 str(count)], capture_output=True, text=True, check=True)
            totals.append(int(re.search(r"Collected : (\d+)", done.stderr).group(1)))
    return (totals[1] - totals[0]) / readings


def measure(build, rounds, count):
    rows = {}
    for name, arguments, what in READINGS:
        rows[name] = {"what": what, "ns": min(run(build, arguments)["ns"] for _ in range(rounds))}
        if shutil.which("valgrind"):
            rows[name]["instructions"] = round(instructions(build, arguments, count), 1)
        reports.say(f"{name}: {rows[name]['ns']:.0f} ns, {rows[name].get('instructions', '?')} instructions")
    for name, arguments, what in LOADS:
        best = min((run(build, arguments) for _ in range(rounds)), key=lambda result: result["seconds"])
        rows[name] = {"what": what, **best}
        reports.say(f"{name}: {best['seconds']:.2f} s, {best['bytes_a_rule']:.0f} bytes a rule")
    return rows


def findings(report):
    rows, missed = report["rows"], []
    scan = rows["scan"]["ns"]
    for name, goal in GOALS_NS.items():
        if rows[name]["ns"] - scan > goal:
            missed.append(f"{name}: {rows[name]['ns'] - scan:.0f} ns after the scan, goal {goal}")
    for name in RATIOS:
        ratio = rows[f"{name}_100"]["ns"] / rows[name]["ns"]
        if ratio > RATIO_MAX:
            missed.append(f"{name}: 100 rules cost {ratio:.1f} times one, goal {RATIO_MAX:.0f}")
    for name, _, _ in LOADS:
        if rows[name]["seconds"] > LOAD_SECONDS or rows[name]["bytes_a_rule"] > LOAD_BYTES:
            missed.append(f"{name}: {rows[name]['seconds']:.2f} s, {rows[name]['bytes_a_rule']:.0f} bytes a rule")
    baseline = reports.BASELINES / "rules.json"
    known = json.loads(baseline.read_text())["rows"] if baseline.exists() else {}
    for name, row in rows.items():
        before = known.get(name, {}).get("instructions")
        if before and "instructions" in row and row["instructions"] > before * INSTRUCTIONS_MORE:
            missed.append(f"{name}: {row['instructions']:.0f} instructions a reading, baseline {before:.0f}")
    return missed


def table(report):
    rows = report["rows"]
    scan = rows["scan"]
    cells = []
    for name, _, what in READINGS:
        row = rows[name]
        cells.append([what, f"{row['ns']:.0f}", "" if name == "scan" else f"{row['ns'] - scan['ns']:.0f}",
                      f"{row['instructions']:.0f}" if "instructions" in row else "not counted"])
    loads = [[what, f"{rows[name]['seconds']:.2f}", f"{rows[name]['bytes_a_rule']:.0f}"] for name, _, what in LOADS]
    return "\n".join([
        f"{report['date']}, {report['machine']}, commit {report['commit']}", "",
        *reports.grid(["one reading through", "CPU ns", "after the scan", "instructions"], cells),
        *reports.grid(["start with", "CPU s", "bytes a rule"], loads)]) + "\n"


def main():
    parser = argparse.ArgumentParser(prog="bench/rules.py", description=__doc__.split("\n\n")[0])
    parser.add_argument("--build", default=str(ROOT / "build" / "release"), help="where sluice_rules_bench is")
    parser.add_argument("--quick", action="store_true", help="one round, few instructions counted")
    parser.add_argument("--json", metavar="FILE", help="write everything measured")
    parser.add_argument("--save", action="store_true", help="put the result into docs/benchmarks.md and bench/baselines")
    parser.add_argument("--check", action="store_true", help="exit 1 when a goal or the baseline is missed")
    args = parser.parse_args()
    build = pathlib.Path(args.build)
    reports.needs(build, ["sluice_rules_bench"], [])
    report = {**reports.machine(), "rows": measure(build, 1 if args.quick else 5, 5_000 if args.quick else 20_000)}
    return reports.conclude("rules", args, report, table(report), findings(report))


if __name__ == "__main__":
    sys.exit(main())
