#!/usr/bin/env python3
"""Measures the gateway with its whole job against the floor (a null sink), mosquitto, nats-server and mosquitto with a Python subscriber.

In rounds, each point with fresh processes, one server after the other under the same load generator: fan-in unbatched and in batches, paced
sensors with timed alerts, fan-out, TLS, many idle connections. What counts is CPU time a message and its ratio to the null sink in the same
round: on a machine that does other things too, throughput means little.

usage: bench/broker.py [--quick] [--rounds N] [--only GROUP…] [--json FILE] [--save] [--check]
"""

import argparse
import contextlib
import dataclasses
import pathlib
import re
import resource
import statistics
import subprocess
import sys

from broker_page import goals, table
from report import conclude, first_version, load, machine, needs, say
from servers import ROOT, Gateway, Mosquitto, MosquittoAndPython, Nats, NullSink, binary_of

PEERS = ("null", "gateway", "mosquitto", "nats")
LATENCIES = ("low", "eco")  # beside the default, balanced
GROUPS = ("fan-in", "batched", "paced", "latency", "fan-out", "tls", "idle")
ALERT_EVERY = 250  # readings for each alert: the null sink passes on every so manieth, spikes in the others' readings are as frequent
IDLE_WANTED = 100_000
OWN_FILES = 1_500  # descriptors that a gateway wants beside its connections, and those of the active group
PORTS_OF_AN_ADDRESS = 25_000  # of the 28,000 that Linux gives out


@dataclasses.dataclass
class Point:
    """One thing that is measured of several servers. `of` has options for some of them only; `once`: in the first round only."""

    group: str
    label: dict
    verb: str
    options: dict
    servers: tuple = PEERS
    of: dict = dataclasses.field(default_factory=dict)
    tls: bool = False
    once: bool = False
    results: dict = dataclasses.field(default_factory=dict)


def make(name, args, **options):
    makers = {"null": NullSink, "gateway": Gateway, "mosquitto": Mosquitto, "nats": Nats, "python": MosquittoAndPython}
    kind, _, latency = name.partition("-")
    if kind == "gateway":
        options |= {"latency": latency or "balanced", "shards": args.shards}
    return makers[kind](*([args.build] if kind in ("null", "gateway") else []), **options)


def points(args):
    qualities = (0, 1)
    full = {"seconds": args.seconds, "warmup": args.warmup}
    for connections in args.connections:
        for qos in qualities:
            yield Point("fan-in", {"connections": connections, "batch": 1, "qos": qos}, "fan-in",
                        {"connections": connections, "batch": 1, "qos": qos, **full})
    for qos in qualities:
        yield Point("batched", {"connections": 10, "batch": 32, "qos": qos}, "fan-in", {"connections": 10, "batch": 32, "qos": qos, **full})
    sensors, rate = args.paced
    paced = {"connections": sensors, "rate": rate, "seconds": args.paced_seconds, "warmup_readings": 10}
    # Before the rules judge, each sensor needs a hundred readings; the others only have to be warm.
    judged = {"alerts": True, "spikes": 1 / ALERT_EVERY, "warmup_readings": 100, "warmup_rate": 80_000}
    for qos in qualities:
        python = ("python",) if qos == 0 else ()
        yield Point("paced", {"sensors": sensors, "rate": rate, "qos": qos}, "fan-in", {**paced, "qos": qos}, PEERS + python,
                    of={"gateway": judged, "null": {"alerts": True}, "python": {"alerts": True, "warmup_rate": rate}})
        yield Point("latency", {"sensors": sensors, "rate": rate, "qos": qos}, "fan-in", {**paced, **judged, "qos": qos},
                    tuple(f"gateway-{latency}" for latency in LATENCIES), once=True)
    brokers = ("gateway", "mosquitto", "nats")
    for qos in qualities:
        for fan_rate in (0, args.fan_out_rate):
            yield Point("fan-out", {"subscribers": args.subscribers, "rate": fan_rate, "qos": qos}, "fan-out",
                        {"subscribers": args.subscribers, "qos": qos, "rate": fan_rate, **full}, brokers)
    for qos in qualities:
        yield Point("tls", {"connections": args.tls_connections, "batch": 1, "qos": qos}, "fan-in",
                    {"connections": args.tls_connections, "batch": 1, "qos": qos, **full}, brokers, tls=True)


def one(args, point, name):
    options = {"forward": ALERT_EVERY} if point.group == "paced" and name == "null" else {}
    with make(name, args, tls=point.tls, **options) as server:
        return load(args.build, server, point.verb, **{**point.options, **point.of.get(name, {})})


def in_brief(result):
    if "cpu_us_per_delivery" in result:
        return f"{result['cpu_us_per_delivery']:.2f} us CPU a delivery, {result['delivered_per_second']:.0f}/s"
    alerts = f", alerts p99 {result['alert_ms']['p99']} ms" if result.get("alert_ms") else ""
    return f"{result['cpu_us_per_message']:.2f} us CPU, {result['messages_per_second']:.0f} msg/s{alerts}"


def measure_points(args):
    wanted = [p for p in points(args) if p.group in args.only]
    for round_number in range(args.rounds):
        for point in wanted:
            if point.once and round_number != 0:
                continue
            # Who goes first changes, so that nobody always finds the machine warmer.
            for name in point.servers if round_number % 2 == 0 else reversed(point.servers):
                result = one(args, point, name)
                point.results.setdefault(name, []).append(result)
                say(f"round {round_number + 1}: {point.group} {point.label}, {name}: {in_brief(result)}")
    return wanted


# --- idle connections --------------------------------------------------------------------------------------------------------------


def kernel_memory():
    """Bytes in the kernel's slabs and in TCP's queues, of the whole machine: only differences on a quiet one mean something."""
    slab = int(re.search(r"^Slab:\s+(\d+) kB", pathlib.Path("/proc/meminfo").read_text(), re.M).group(1)) * 1024
    pages = int(re.search(r"^TCP:.* mem (\d+)", pathlib.Path("/proc/net/sockstat").read_text(), re.M).group(1))
    return {"slab": slab, "tcp": pages * resource.getpagesize()}


def resident(processes):
    status = (pathlib.Path(f"/proc/{process}/status").read_text() for process in processes)
    return sum(int(re.search(r"^VmRSS:\s+(\d+) kB", text, re.M).group(1)) * 1024 for text in status)


@contextlib.contextmanager
def held(args, server, host, connections, prefix):
    """Connections that do nothing meanwhile."""
    command = [str(args.build / "sluice_loadgen"), "hold", "--to", server.url(host), "--connections", str(connections), "--prefix", prefix]
    holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        if "held" not in holder.stdout.readline():
            raise SystemExit(f"bench: {connections} idle connections to {server.name} could not be made")
        yield
    finally:
        holder.communicate()
    if holder.returncode != 0:
        raise SystemExit(f"bench: {server.name} closed idle connections")


def measure_idle(args):
    """Memory of a connection that does nothing, and what a few active ones notice of the many."""
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    count = min(args.idle, files - OWN_FILES)
    # Each holder has its own descriptors and, towards an address of its own, its own ports.
    of_a_holder = min(files - 100, PORTS_OF_AN_ADDRESS)
    holders = -(-count // of_a_holder)
    active = {"connections": 100, "rate": 1000, "qos": 1, "seconds": args.paced_seconds}
    out = {"wanted": args.idle, "connections": count, "files": files, "servers": {}}
    for name in PEERS:
        hosts = tuple(f"127.0.0.{k + 1}" for k in range(holders if name in ("gateway", "mosquitto") else 1))
        options = {"hosts": hosts}
        if name == "gateway":
            options["connections"] = count + 200
        with make(name, args, **options) as server, contextlib.ExitStack() as stack:
            before, kernel_before = resident(server.watched), kernel_memory()
            left = count
            for k in range(holders):
                stack.enter_context(held(args, server, hosts[k % len(hosts)], min(left, of_a_holder), f"idle-{k}-"))
                left -= of_a_holder
            after, kernel = resident(server.watched), kernel_memory()
            options = {"alerts": True, "spikes": 1 / ALERT_EVERY} if name == "gateway" else {}
            result = load(args.build, server, "fan-in", **active, **options)
        out["servers"][name] = {
            "bytes_per_connection": (after - before) / count,
            # Both ends of each connection are on this machine.
            "kernel_bytes_per_end": (kernel["slab"] - kernel_before["slab"]) / count / 2,
            "tcp_queue_bytes_per_end": (kernel["tcp"] - kernel_before["tcp"]) / count / 2,
            "ack_ms": result["ack_ms"],
            "alert_ms": result["alert_ms"],
        }
        say(f"{count} idle connections, {name}: {out['servers'][name]}")
    return out


# --- report ------------------------------------------------------------------------------------------------------------------------


def median(values):
    values = [v for v in values if v is not None]
    return statistics.median(values) if values else None


def summary(results):
    """Medians of the rounds; latencies of the round with the median p99; memory of the worst."""
    out = {}
    for key in ("cpu_us_per_message", "cpu_us_per_delivery", "messages_per_second", "delivered_per_second"):
        if key in results[0]:
            out[key] = median(r[key] for r in results)
    out["memory_peak_bytes"] = max(r["memory_peak_bytes"] for r in results)
    for key in ("ack_ms", "alert_ms", "send_delay_ms", "latency_ms"):
        with_value = sorted((r[key] for r in results if r.get(key)), key=lambda h: h["p99"])
        if with_value:
            out[key] = with_value[len(with_value) // 2]
    if "alerts" in results[0]:
        out["alerts"] = min((r["alerts"] for r in results), key=lambda a: a["perfect"])
    return out


def ratios(point):
    """The gateway's cost by each other's, round by round: the median."""
    key = "cpu_us_per_delivery" if point.group == "fan-out" else "cpu_us_per_message"
    ours = point.results.get("gateway", [])
    return {name: median(a[key] / b[key] if b[key] else None for a, b in zip(ours, theirs))
            for name, theirs in point.results.items() if name != "gateway" and ours}


def main():
    parser = argparse.ArgumentParser(prog="bench/broker.py", description=__doc__.split("\n\n")[0])
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build" / "release", help="where the programs are")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=2, help="of each point at full speed")
    parser.add_argument("--warmup", type=float, default=0.7)
    parser.add_argument("--paced-seconds", type=float, default=8)
    parser.add_argument("--connections", type=int, nargs="+", default=[10, 1000, 10000])
    parser.add_argument("--shards", type=int, default=1, help="of the gateway: one beside a generator of one thread, like the others; 0: "
                        "one for each core")
    parser.add_argument("--idle", type=int, default=IDLE_WANTED, help="idle connections wanted; as many as the system allows are made")
    parser.add_argument("--only", nargs="+", choices=GROUPS, default=list(GROUPS), help="these groups of points")
    parser.add_argument("--quick", action="store_true", help="one short round with few connections: does it work at all?")
    parser.add_argument("--json", metavar="FILE", help="write everything measured ('-': to stdout instead of the table)")
    parser.add_argument("--save", action="store_true", help="put the result into docs/benchmarks.md and bench/baselines")
    parser.add_argument("--check", action="store_true", help="exit 1 when a goal of docs/benchmarks.md is missed")
    args = parser.parse_args()
    args.paced, args.subscribers, args.fan_out_rate, args.tls_connections = (10_000, 10_000), 1000, 50, 1000
    if args.quick:
        args.rounds, args.seconds, args.warmup, args.paced_seconds = 1, 0.5, 0.2, 1
        args.connections, args.paced, args.idle = [10, 200], (200, 2_000), 500
        args.subscribers, args.tls_connections = 50, 50
    if args.save and set(args.only) != set(GROUPS):
        parser.error("--save needs all groups: a page of half a run says nothing")
    needs(args.build, ["sluice", "sluice_loadgen", "sluice_null_sink"], ["mosquitto", "nats-server"])

    measured = measure_points(args)
    report = {
        **machine(),
        "nats": first_version([binary_of("nats-server"), "-v"]),
        "rounds": args.rounds,
        "shards": args.shards,
        "points": [{"group": p.group, "label": p.label, "servers": {n: summary(r) for n, r in p.results.items()}, "gateway_by": ratios(p)}
                   for p in measured],
        "idle": measure_idle(args) if "idle" in args.only else None,
    }
    missed = [f"{goal.what}: {goal.measured}, wanted {goal.wanted}" for goal in goals(report) if not goal.met]
    return conclude("broker", args, report, table(report), missed)


if __name__ == "__main__":
    sys.exit(main())
