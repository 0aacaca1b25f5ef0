#!/usr/bin/env python3
"""Measures what it costs to make events durable: the spool (encrypted, group commit) against a plain sequential write of the same events
with fdatasync, in the same portions, and against SQLite (WAL, synchronous=FULL), on the same disk, in turn; then NATS JetStream's file
store, which syncs always where its version can (2.10 and later), and mosquitto's persistence, with what each of them promises by an
acknowledgement.

usage: bench/spool.py [--quick] [--rounds N] [--folder DIR] [--json FILE] [--save] [--check]
"""

import argparse
import json
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile

from report import conclude, first_version, grid, load, machine, needs, say
from servers import ROOT, Mosquitto, Server, binary_of, free_port, tcp_open

# Name: how a group is closed.
GROUPS = {"5 ms": ["--group-us", 5000], "1,000 events": ["--events", 1000], "1 event": ["--events", 1],
          "5 ms, `compression: zstd`": ["--group-us", 5000, "--compress"],
          "1,000 events, `compression: zstd`": ["--events", 1000, "--compress"]}
WRITERS = ("spool", "plain", "sqlite")
PLAIN_GOAL, SQLITE_GOAL = 0.5, 3.0

NATS = """server_name: bench
listen: 127.0.0.1:{port}
jetstream {{ store_dir: "./jetstream", {sync} max_file_store: 8GB }}
"""


def nats_version():
    return first_version([binary_of("nats-server"), "--version"])


def nats_syncs():
    """`sync_interval` came with 2.10; before, nothing makes it sync more often than every two minutes."""
    return tuple(int(part) for part in nats_version().split(".")[:2]) >= (2, 10)


class JetStream(Server):
    def __init__(self):
        super().__init__("nats")

    def open(self):
        (self.folder / "nats.conf").write_text(NATS.format(port=self.port, sync="sync_interval: always," if nats_syncs() else ""))
        self.start([binary_of("nats-server"), "-c", "nats.conf"], lambda: tcp_open(self.port), "nats")


class KeepingMosquitto(Mosquitto):
    """Writes its whole database every second: the most that it can do."""

    def __init__(self):
        super().__init__()
        self.port = free_port()

    def open(self):
        (self.folder / "mosquitto.conf").write_text(
            f"listener {self.port} 127.0.0.1\nuser root\nallow_anonymous true\npersistence true\npersistence_location {self.folder}/\n"
            "autosave_interval 1\nmax_queued_messages 0\nmax_inflight_messages 0\nlog_dest none\nsys_interval 0\n")
        self.start([binary_of("mosquitto"), "-c", "mosquitto.conf"], lambda: tcp_open(self.port), "mosquitto")


def bench(args, *words):
    command = [args.build / "sluice_spool_bench", "--event-bytes", args.event_bytes, "--seconds", args.seconds, *words]
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(done.stderr.strip())
    return json.loads(done.stdout)


def peers(args):
    out = {}
    with JetStream() as server:
        out["nats"] = bench(args, "nats", f"nats://127.0.0.1:{server.port}", "--window", 1000)["events_per_second"]
    with KeepingMosquitto() as server:
        # Somebody who is away and for whom all of it must be kept.
        subprocess.run(["mosquitto_sub", "-p", str(server.port), "-i", "away", "-c", "-q", "1", "-t", "#", "-E"], check=True, timeout=60)
        result = load(args.build, server, "fan-in", connections=10, qos=1, batch=32, seconds=args.seconds, warmup=0.5)
        out["mosquitto"] = result["messages_per_second"]
    return out


def measure(args):
    folder = pathlib.Path(tempfile.mkdtemp(prefix="sluice-spool-bench-", dir=args.folder))
    try:
        rounds = {name: [] for name in GROUPS}
        for number in range(args.rounds):
            for name, words in GROUPS.items():
                found = bench(args, "compare", folder, *words)
                rounds[name].append(found)
                say(f"round {number + 1}, {name}: " + ", ".join(f"{w} {found[w]['events_per_second']:,}/s" for w in WRITERS))
        others = [peers(args) for _ in range(args.rounds)]
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    points = {}
    for name, found in rounds.items():
        keys = ("events_per_second", "disk_bytes_per_second")
        point = {writer: {key: statistics.median(each[writer][key] for each in found) for key in keys} for writer in WRITERS}
        for writer in WRITERS:
            point[writer]["commit_us"] = statistics.median(each[writer]["commit_us"]["p50"] for each in found)
        for writer in WRITERS[1:]:
            # Of each round: the disk is not the same a minute later.
            ratios = (each["spool"]["events_per_second"] / each[writer]["events_per_second"] for each in found)
            point["of_" + writer] = statistics.median(ratios)
        point["events_per_commit"] = statistics.median(each["spool"]["events"] / each["spool"]["commits"] for each in found)
        point["syncs_per_commit"] = statistics.median(each["spool"]["syncs"] / each["spool"]["commits"] for each in found)
        point["amplification"] = statistics.median(each["spool"]["written"] / each["spool"]["bytes"] for each in found)
        points[name] = point
    return {**machine(), "nats_version": nats_version(), "nats_syncs": nats_syncs(), "rounds": args.rounds,
            "event_bytes": args.event_bytes, "points": points,
            "peers": {name: statistics.median(each[name] for each in others) for name in others[0]}}


def table(report):
    lines = [f"{report['date']}, commit {report['commit']}, {report['machine']}; events of {report['event_bytes']} bytes; median of "
             f"{report['rounds']} rounds, ratios within each round.", ""]
    rows = []
    for name, point in report["points"].items():
        rows.append([name, f"{point['events_per_commit']:,.0f}", *(f"{point[w]['events_per_second']:,.0f}" for w in WRITERS),
                     f"{point['of_plain']:.2f}", f"{point['of_sqlite']:.1f}", f"{point['spool']['commit_us']:,.0f}",
                     f"{point['plain']['commit_us']:,.0f}", f"{point['sqlite']['commit_us']:,.0f}", f"{point['syncs_per_commit']:.2f}",
                     f"{point['amplification']:.2f}"])
    lines += grid(["a commit", "events in it", "spool events/s", "plain write + fdatasync", "SQLite", "of plain", "of SQLite",
                   "commit µs, spool", "plain", "SQLite", "syncs a commit", "bytes written a byte"], rows)
    thousand = report["points"]["1,000 events"]["spool"]["events_per_second"]
    lines += grid(["who", "events/s", "an acknowledgement means"], [
        ["spool, 1,000 events a commit", f"{thousand:,.0f}", "encrypted on the disk, synced"],
        [f"NATS JetStream {report['nats_version']}, file store, 1,000 under way", f"{report['peers']['nats']:,.0f}",
         "on the disk, synced" if report["nats_syncs"] else "written, synced within two minutes (this version cannot do it earlier)"],
        [f"mosquitto {report['mosquitto']}, persistence, saved every second, QoS 1", f"{report['peers']['mosquitto']:,.0f}",
         "in memory; on disk up to a second later, not synced before it is renamed"]])
    return "\n".join(lines)


def findings(report):
    out = []
    grouped = report["points"]["5 ms"]
    if grouped["of_plain"] < PLAIN_GOAL:
        out.append(f"with a group commit of 5 ms {grouped['of_plain']:.2f} of the plain write's throughput, goal {PLAIN_GOAL}")
    rows = report["points"]["1,000 events"]
    if rows["of_sqlite"] < SQLITE_GOAL:
        out.append(f"{rows['of_sqlite']:.1f} times SQLite's throughput at 1,000 events a commit, goal {SQLITE_GOAL}")
    if report["points"]["1 event"]["syncs_per_commit"] > 1.05:
        out.append("an event alone waits for more than one sync")
    return out


def main():
    parser = argparse.ArgumentParser(prog="bench/spool.py", description=__doc__.split("\n\n")[0])
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build" / "release", help="where the programs are")
    parser.add_argument("--folder", help="on the disk to measure; the one for temporary files by default")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3, help="of each writer, in each round")
    parser.add_argument("--event-bytes", type=int, default=100)
    parser.add_argument("--quick", action="store_true", help="one short round: does it work at all?")
    parser.add_argument("--json", metavar="FILE", help="write everything measured ('-': to stdout instead of the table)")
    parser.add_argument("--save", action="store_true", help="put the result into docs/benchmarks.md and bench/baselines")
    parser.add_argument("--check", action="store_true", help="exit 1 when a goal is missed")
    args = parser.parse_args()
    if args.quick:
        args.rounds, args.seconds = 1, 0.3
    args.build = args.build.resolve()
    needs(args.build, ["sluice_spool_bench", "sluice_loadgen"], ["mosquitto", "nats-server"])
    report = measure(args)
    return conclude("spool", args, report, table(report), findings(report))


if __name__ == "__main__":
    sys.exit(main())
