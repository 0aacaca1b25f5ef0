#!/usr/bin/env python3
"""Measures the gateway, its three rules evaluated on every reading, against Debian's mosquitto that only takes the same messages.

Both run in turn, in one run, under the same load generator (build/release/sluice_loadgen): at full speed with 10, 1,000 and 10,000
connections at QoS 0 and 1, then at a fixed 10,000 readings/s over 10,000 connections, where the gateway's alerts are timed from the moment
their reading was due and compared one by one with those that must come. Each point starts fresh processes; the median of the rounds counts.

usage: bench/ingest.py [--quick] [--rounds N] [--uplink] [--json FILE] [--save] [--check]
"""

import argparse
import pathlib
import statistics
import sys

from report import conclude, load, machine, mib, needs, row, say
from servers import ROOT, Gateway, Mosquitto


def median_of(results, key):
    return statistics.median(r[key] for r in results)


def summary(results):
    """The medians of several runs of one point; latencies of the run with the median p99; memory of the worst."""
    out = {k: median_of(results, k) for k in ("messages_per_second", "cpu_us_per_message")}
    out["memory_peak_bytes"] = max(r["memory_peak_bytes"] for r in results)
    for key in ("ack_ms", "alert_ms", "send_delay_ms"):
        with_value = sorted((r[key] for r in results if r.get(key)), key=lambda h: h["p99"])
        out[key] = with_value[len(with_value) // 2] if with_value else None
    if "alerts" in results[0]:
        out["alerts"] = min((r["alerts"] for r in results), key=lambda a: a["perfect"])
    return out


def measure_all(args, build):
    servers = {"gateway": lambda: Gateway(build, uplink=args.uplink), "mosquitto": Mosquitto}
    points = [(c, q) for c in args.connections for q in (0, 1)]
    full_speed = {}
    for round_number in range(args.rounds):
        # Who goes first changes, so that neither always finds the machine warmer.
        order = list(servers) if round_number % 2 == 0 else list(reversed(servers))
        for connections, qos in points:
            for name in order:
                with servers[name]() as server:
                    result = load(build, server, "fan-in", connections=connections, qos=qos, seconds=args.seconds, warmup=args.warmup)
                full_speed.setdefault((connections, qos, name), []).append(result)
                say(f"round {round_number + 1}: {connections} connections, QoS {qos}, {name}: {result['messages_per_second']:.0f} msg/s, "
                    f"{result['cpu_us_per_message']:.2f} us CPU")
    steady = {}
    for round_number in range(args.rounds):
        for qos in (0, 1):
            for name in servers:
                with servers[name]() as server:
                    # Only rules need a hundred readings before they judge; a few warm the rest.
                    options = {"alerts": True, "spikes": 0.001} if name == "gateway" else {"warmup_readings": 10}
                    result = load(build, server, "fan-in", connections=args.steady[0], qos=qos, rate=args.steady[1],
                                  seconds=args.steady_seconds, **options)
                steady.setdefault((qos, name), []).append(result)
                say(f"round {round_number + 1}: {args.steady[1]} msg/s over {args.steady[0]} connections, QoS {qos}, {name}: "
                    f"{result['cpu_us_per_message']:.2f} us CPU, alerts {result['alert_ms']}")
    return {
        **machine(),
        "rounds": args.rounds,
        "uplink": args.uplink,
        "steady_connections": args.steady[0],
        "steady_rate": args.steady[1],
        "full_speed": [
            {"connections": c, "qos": q, **{name: summary(full_speed[(c, q, name)]) for name in servers}} for c, q in points
        ],
        "steady": [{"qos": q, **{name: summary(steady[(q, name)]) for name in servers}} for q in (0, 1)],
    }


def table(report):
    lines = [
        f"{report['date']}, commit {report['commit']}, {report['machine']}, mosquitto {report['mosquitto']}, "
        f"{'uplink to a cloud on the same machine' if report['uplink'] else 'no uplink (events wait in the spool)'}, "
        f"median of {report['rounds']} rounds.",
        "",
        "Full speed:",
        "",
        row(["connections", "QoS", "gateway msg/s", "mosquitto msg/s", "ratio", "gateway CPU µs/msg", "mosquitto CPU µs/msg", "ratio",
             "gateway MiB", "mosquitto MiB"]),
        row(["---:"] * 10),
    ]
    for point in report["full_speed"]:
        ours, theirs = point["gateway"], point["mosquitto"]
        lines.append(row([
            f"{point['connections']:,}", point["qos"], f"{ours['messages_per_second']:,.0f}", f"{theirs['messages_per_second']:,.0f}",
            f"{ours['messages_per_second'] / theirs['messages_per_second']:.2f}", f"{ours['cpu_us_per_message']:.2f}",
            f"{theirs['cpu_us_per_message']:.2f}", f"{ours['cpu_us_per_message'] / max(theirs['cpu_us_per_message'], 1e-9):.2f}",
            mib(ours["memory_peak_bytes"]), mib(theirs["memory_peak_bytes"]),
        ]))
    lines += [
        "",
        f"{report['steady_rate']:,} readings/s over {report['steady_connections']:,} connections:",
        "",
        row(["QoS", "gateway CPU µs/msg", "mosquitto CPU µs/msg", "ratio", "gateway MiB", "mosquitto MiB", "alert p50 ms", "p99", "p99.9",
             "max", "alerts", "exact", "generator late p99 ms"]),
        row(["---:"] * 13),
    ]
    for point in report["steady"]:
        ours, theirs = point["gateway"], point["mosquitto"]
        alert = ours["alert_ms"] or {"p50": float("nan"), "p99": float("nan"), "p99_9": float("nan"), "max": float("nan")}
        lines.append(row([
            point["qos"], f"{ours['cpu_us_per_message']:.2f}", f"{theirs['cpu_us_per_message']:.2f}",
            f"{ours['cpu_us_per_message'] / max(theirs['cpu_us_per_message'], 1e-9):.2f}", mib(ours["memory_peak_bytes"]),
            mib(theirs["memory_peak_bytes"]), f"{alert['p50']:.2f}", f"{alert['p99']:.2f}", f"{alert['p99_9']:.2f}", f"{alert['max']:.2f}",
            ours["alerts"]["expected"], "all" if ours["alerts"]["perfect"] else "NO", f"{ours['send_delay_ms']['p99']:.2f}",
        ]))
    return "\n".join(lines) + "\n"


def findings(report):
    """What misses the goals of docs/benchmarks.md."""
    out = []
    for point in report["full_speed"]:
        if point["gateway"]["cpu_us_per_message"] > point["mosquitto"]["cpu_us_per_message"]:
            out.append(f"more CPU a message than mosquitto at {point['connections']} connections, QoS {point['qos']}")
    for point in report["steady"]:
        ours = point["gateway"]
        if ours["cpu_us_per_message"] > point["mosquitto"]["cpu_us_per_message"]:
            out.append(f"more CPU a message than mosquitto at the fixed rate, QoS {point['qos']}")
        if not ours["alerts"]["perfect"]:
            out.append(f"alerts are not exact at QoS {point['qos']}: {ours['alerts']}")
        if ours["alert_ms"] is None or ours["alert_ms"]["p99"] >= 10:
            out.append(f"p99 of the alert latency is not under 10 ms at QoS {point['qos']}")
        if ours["memory_peak_bytes"] >= 60 * 2**20:
            out.append(f"the gateway needs 60 MiB or more at QoS {point['qos']}")
    return out


def main():
    parser = argparse.ArgumentParser(prog="bench/ingest.py", description=__doc__.split("\n\n")[0])
    parser.add_argument("--build", default=str(ROOT / "build" / "release"), help="where sluice and sluice_loadgen are")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4, help="of publishing at full speed, each point")
    parser.add_argument("--warmup", type=float, default=2)
    parser.add_argument("--steady-seconds", type=float, default=20, help="of the fixed rate")
    parser.add_argument("--connections", type=int, nargs="+", default=[10, 1000, 10000])
    parser.add_argument("--uplink", action="store_true", help="the gateway sends its events to a cloud on this machine meanwhile")
    parser.add_argument("--quick", action="store_true", help="one short round with few connections: does it work at all?")
    parser.add_argument("--json", metavar="FILE", help="write everything measured ('-': to stdout instead of the table)")
    parser.add_argument("--save", action="store_true", help="put the result into docs/benchmarks.md and bench/baselines")
    parser.add_argument("--check", action="store_true", help="exit 1 when a goal of docs/benchmarks.md is missed")
    args = parser.parse_args()
    args.steady = (10_000, 10_000)
    if args.quick:
        args.rounds, args.seconds, args.warmup, args.steady_seconds = 1, 1, 0.5, 3
        args.connections, args.steady = [10, 200], (200, 2_000)
    build = pathlib.Path(args.build)
    needs(build, ["sluice", "sluice_loadgen"], ["mosquitto"])

    report = measure_all(args, build)
    return conclude("ingest", args, report, table(report), findings(report))


if __name__ == "__main__":
    sys.exit(main())
