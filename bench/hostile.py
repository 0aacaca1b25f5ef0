#!/usr/bin/env python3
"""Measures what hostile and broken clients cost the others: 50 sensors publish 1,000 readings a second at QoS 1 and four watchers hear each
of them, first undisturbed, then beside one attack of tests/system/sluice_system/attacks.py, then after it.

Each attack has a fresh gateway. Latencies count from the moment at which a reading was due (no coordinated omission). The attacker is a
process of its own that stands for another machine: what it needs of this one's CPU is not the gateway's fault. So the gateway and the
bystanders have a higher priority (as root; else the attacker has the lowest).

usage: bench/hostile.py [--quick] [--only NAME…] [--json FILE] [--save] [--check]
"""

import argparse
import contextlib
import json
import os
import pathlib
import select
import subprocess
import sys
import tempfile

import report as reports

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "system"))
from sluice_system import attacks  # noqa: E402
from sluice_system.daemons import Gateway  # noqa: E402

RATIO_MAX = 2.0
FLOOR_MS = 5.0  # what the scheduler of a busy machine adds: a p99 under it is not looked at
MEMORY_MAX = 256 * 2**20  # well above the sum of the default limits that one attack can use up
PHASES = ("before", "during", "after")
PRIORITY = -10  # of gateway and bystanders


def prefer(pid):
    """True when the process has the higher priority now, with all its threads."""
    with contextlib.suppress(PermissionError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            os.setpriority(os.PRIO_PROCESS, int(thread), PRIORITY)
        return True
    return False


def measure(build, attack, seconds):
    with tempfile.TemporaryDirectory(prefix="sluice-bench-") as folder, Gateway(pathlib.Path(folder)) as gateway:
        command = [str(build / "sluice_bystanders"), "--to", gateway.url, "--watch", str(gateway.process.pid),
                   "--phases", ",".join(map(str, seconds))]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as bystanders:
            preferred = prefer(gateway.process.pid) and prefer(bystanders.pid)
            if bystanders.stdout.readline() != "began\n":
                raise SystemExit(f"bench: {bystanders.stderr.read().strip()}")
            if select.select([bystanders.stdout], [], [], seconds[0])[0]:
                raise SystemExit(f"bench: the bystanders ended early: {bystanders.stderr.read().strip()}")
            with attacks.under(attack, gateway.mqtt_port, nice=0 if preferred else attacks.NICE):
                early = select.select([bystanders.stdout], [], [], seconds[1])[0]
            line = bystanders.stdout.readline()
            if early or not line:
                words = bystanders.stderr.read().strip()
                raise SystemExit(f"bench: {attack.__name__}: the bystanders gave up: {words}\n{gateway.log_tail()}")
        if gateway.process.poll() is not None:
            raise SystemExit(f"bench: {attack.__name__}: the gateway ended\n{gateway.log_tail()}")
        return json.loads(line)


def summary(name, text, result):
    row = {"attack": name, "what": text.split("\n")[0], "memory_peak_bytes": result["memory_peak_bytes"],
           "missing": sum(p["missing"] for p in result["phases"]), "repeated": sum(p["repeated"] for p in result["phases"]),
           "reconnects": result["reconnects"], "late_p99": result["send_delay_ms"]["p99"]}
    for phase, measured in zip(PHASES, result["phases"], strict=True):
        row[phase] = {"p50": measured["delivery_ms"]["p50"], "p99": measured["delivery_ms"]["p99"], "max": measured["delivery_ms"]["max"],
                      "ack_p99": measured["ack_ms"]["p99"], "cpu_seconds": measured["cpu_seconds"]}
    return row


def limit_of(row):
    return max(FLOOR_MS, RATIO_MAX * row["before"]["p99"])


def findings(report):
    out = []
    for row in report["attacks"]:
        if row["missing"] or row["repeated"] or row["reconnects"]:
            out.append(f"{row['attack']}: {row['missing']} missing, {row['repeated']} repeated, {row['reconnects']} connections lost")
        for phase in ("during", "after"):
            if row[phase]["p99"] > limit_of(row):
                out.append(f"{row['attack']}: p99 {phase} it is {row[phase]['p99']:.2f} ms, {row['before']['p99']:.2f} ms before")
        if row["memory_peak_bytes"] > MEMORY_MAX:
            out.append(f"{row['attack']}: {row['memory_peak_bytes'] / 2**20:.0f} MiB")
    return out


def table(report):
    lines = [
        f"{report['date']}, commit {report['commit']}, {report['machine']}, {report['seconds'][1]:g} s of each attack.",
        "",
        reports.row(["attack", "p99 before ms", "during", "after", "max during", "PUBACK p99 before", "during", "missing", "CPU during",
                    "peak MiB", "generator late p99 ms"]),
        reports.row(["---"] + ["---:"] * 10),
    ]
    for row in report["attacks"]:
        before, during, after = (row[phase] for phase in PHASES)
        lines.append(reports.row([
            row["what"], f"{before['p99']:.2f}", f"{during['p99']:.2f}", f"{after['p99']:.2f}", f"{during['max']:.1f}",
            f"{before['ack_p99']:.2f}", f"{during['ack_p99']:.2f}", row["missing"],
            f"{100 * during['cpu_seconds'] / report['seconds'][1]:.0f} %", reports.mib(row["memory_peak_bytes"]),
            f"{row['late_p99']:.2f}"]))
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(prog="bench/hostile.py", description=__doc__.split("\n\n")[0])
    parser.add_argument("--build", default=str(ROOT / "build" / "release"), help="where sluice and sluice_bystanders are")
    parser.add_argument("--only", nargs="+", metavar="NAME", help=", ".join(each.__name__ for each in attacks.ALL))
    parser.add_argument("--seconds", type=float, nargs=3, default=[5, 10, 5], metavar="N", help="before, during, after")
    parser.add_argument("--quick", action="store_true", help="two seconds each: does it work at all?")
    parser.add_argument("--json", metavar="FILE", help="write everything measured")
    parser.add_argument("--save", action="store_true", help="put the result into docs/benchmarks.md and bench/baselines")
    parser.add_argument("--check", action="store_true", help="exit 1 when a goal of docs/benchmarks.md is missed")
    args = parser.parse_args()
    if args.quick:
        args.seconds = [2, 2, 2]
    build = pathlib.Path(args.build)
    rows = []
    for attack in attacks.ALL:
        if args.only and attack.__name__ not in args.only:
            continue
        rows.append(summary(attack.__name__, attack.__doc__, measure(build, attack, args.seconds)))
        row = rows[-1]
        reports.say(
            f"{row['attack']}: p99 {row['before']['p99']:.2f} / {row['during']['p99']:.2f} / {row['after']['p99']:.2f} ms, max "
            f"{row['during']['max']:.1f} ms, missing {row['missing']}, {reports.mib(row['memory_peak_bytes'])} MiB, "
            f"CPU {100 * row['during']['cpu_seconds'] / args.seconds[1]:.0f} %, late p99 {row['late_p99']:.2f}")
    report = {**reports.machine(), "seconds": args.seconds, "attacks": rows}
    return reports.conclude("hostile", args, report, table(report), findings(report))


if __name__ == "__main__":
    sys.exit(main())
