#!/usr/bin/env python3
"""Measures the gateway, its three rules evaluated on every reading, against Debian's mosquitto that only takes the same messages.

Both run in turn, in one run, under the same load generator (build/release/sluice_loadgen): at full speed with 10, 1,000 and 10,000
connections at QoS 0 and 1, then at a fixed 10,000 readings/s over 10,000 connections, where the gateway's alerts are timed from the moment
their reading was due and compared one by one with those that must come. Each point starts fresh processes; the median of the rounds counts.

usage: bench/ingest.py [--quick] [--rounds N] [--uplink] [--json FILE] [--save] [--check]
"""

import argparse
import contextlib
import datetime
import json
import os
import pathlib
import platform
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "benchmarks.md"
BASELINE = ROOT / "bench" / "baselines" / "ingest.json"
BEGIN, END = "<!-- ingest:begin -->", "<!-- ingest:end -->"

# DESIGN §6, word for word.
RULES = """
rules:
  - id: vibration-anomaly
    sql: |
      SELECT device, ts, seq, vibration, zscore(vibration, 100) OVER (PARTITION BY device) AS z
      FROM 'sensors/+/vibration'
      WHERE abs(z) > 3
    to:
      - topic: alerts/{device}
      - cloud: alert
  - id: vibration-average
    sql: |
      SELECT device, avg(vibration) AS average_vibration, count(*) AS samples
      FROM 'sensors/+/vibration' GROUP BY device, COUNTWINDOW(10)
    to: [{cloud: aggregate}]
  - id: raw-sample
    sql: SELECT * FROM 'sensors/+/vibration' WHERE every(1000) OVER (PARTITION BY device)
    to: [{cloud: sample}]
"""

# mosquitto at its best: nothing stored, nothing logged, no window of its own, no delay by Nagle.
MOSQUITTO = """listener {port} 127.0.0.1
allow_anonymous true
persistence false
log_dest none
max_inflight_messages 0
set_tcp_nodelay true
sys_interval 0
"""

START_SECONDS = 15


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_until(ready, process, what):
    """Waits for a started process to be of use."""
    give_up = time.monotonic() + START_SECONDS
    while time.monotonic() < give_up:
        if process.poll() is not None:
            raise SystemExit(f"bench: {what} ended at once with code {process.returncode}")
        if ready():
            return
        time.sleep(0.02)
    raise SystemExit(f"bench: {what} did not start within {START_SECONDS} s")


def http_ok(port):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=1) as answer:
            return answer.status == 200
    except OSError:
        return False


def tcp_open(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


class Server:
    """A process under test, in a folder of its own that is gone afterwards."""

    def __init__(self, name):
        self.name = name
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="sluice-bench-"))
        self.port = free_port()
        self.processes = []

    def start(self, command, ready, what):
        log = open(self.folder / f"{what}.log", "wb")
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder)
        self.processes.append(process)
        try:
            wait_until(ready, process, what)
        except SystemExit:
            sys.stderr.write((self.folder / f"{what}.log").read_text(errors="replace"))
            raise
        return process

    def __enter__(self):
        try:
            self.open()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for process in reversed(self.processes):
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


class Mosquitto(Server):
    def __init__(self):
        super().__init__("mosquitto")

    def open(self):
        (self.folder / "mosquitto.conf").write_text(MOSQUITTO.format(port=self.port))
        binary = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
        self.watched = self.start([binary, "-c", "mosquitto.conf"], lambda: tcp_open(self.port), "mosquitto").pid


class Gateway(Server):
    def __init__(self, binary, uplink):
        super().__init__("gateway")
        self.binary, self.uplink = str(binary), uplink

    def open(self):
        http = free_port()
        config = f"gateway: {{id: bench, data: ./gateway}}\nlisten: {{mqtt: [tcp://127.0.0.1:{self.port}], http: 127.0.0.1:{http}}}\n"
        if self.uplink:
            cloud_port, cloud_http = free_port(), free_port()
            (self.folder / "cloud.yaml").write_text(
                f"cloud: {{id: bench, data: ./cloud}}\n"
                f"listen: {{mqtt: [tcp://127.0.0.1:{cloud_port}], http: 127.0.0.1:{cloud_http}}}\n"
            )
            self.start([self.binary, "cloud", "-c", "cloud.yaml"], lambda: http_ok(cloud_http), "cloud")
            config += f"uplink: {{url: sluice://127.0.0.1:{cloud_port}}}\n"
        (self.folder / "gateway.yaml").write_text(config + RULES)
        self.watched = self.start([self.binary, "gateway", "-c", "gateway.yaml"], lambda: http_ok(http), "gateway").pid


def load(build, server, **options):
    command = [str(build / "sluice_loadgen"), "--to", f"mqtt://127.0.0.1:{server.port}", "--watch", str(server.watched)]
    for key, value in options.items():
        command += [f"--{key.replace('_', '-')}"] + ([] if value is True else [str(value)])
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"bench: the load generator failed against {server.name}: {done.stderr.strip()}")
    result = json.loads(done.stdout)
    if result["reconnects"]:
        raise SystemExit(f"bench: {server.name} closed {result['reconnects']} connections under load: what was sent on them may be lost")
    return result


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


def machine():
    model = platform.machine()
    with contextlib.suppress(OSError):
        for line in open("/proc/cpuinfo"):
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    binary = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
    words = subprocess.run([binary, "-h"], capture_output=True, text=True).stdout.split()
    commit = subprocess.run(["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
    return {
        "date": datetime.date.today().isoformat(),
        "machine": f"{os.cpu_count()} x {model}, {memory:.0f} GiB, Linux {platform.release()}",
        "mosquitto": words[2] if len(words) > 2 else "unknown",
        "commit": commit or "unknown",
    }


def measure_all(args, build):
    servers = {"gateway": lambda: Gateway(args.binary, args.uplink), "mosquitto": Mosquitto}
    points = [(c, q) for c in args.connections for q in (0, 1)]
    full_speed = {}
    for round_number in range(args.rounds):
        # Who goes first changes, so that neither always finds the machine warmer.
        order = list(servers) if round_number % 2 == 0 else list(reversed(servers))
        for connections, qos in points:
            for name in order:
                with servers[name]() as server:
                    result = load(build, server, connections=connections, qos=qos, seconds=args.seconds, warmup=args.warmup)
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
                    result = load(build, server, connections=args.steady[0], qos=qos, rate=args.steady[1], seconds=args.steady_seconds,
                                  **options)
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


def say(text):
    print(text, file=sys.stderr, flush=True)


def row(cells):
    return "| " + " | ".join(str(c) for c in cells) + " |"


def mib(size):
    return f"{size / 2**20:.1f}"


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


def save(report):
    BASELINE.parent.mkdir(exist_ok=True)
    BASELINE.write_text(json.dumps(report, indent=2) + "\n")
    page = PAGE.read_text()
    if BEGIN not in page or END not in page:
        raise SystemExit(f"bench: {PAGE} has lost its marks {BEGIN} … {END}")
    head, rest = page.split(BEGIN, 1)
    PAGE.write_text(head + BEGIN + "\n" + table(report) + END + rest.split(END, 1)[1])
    say(f"saved to {PAGE.relative_to(ROOT)} and {BASELINE.relative_to(ROOT)}")


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
    args.binary = build / "sluice"
    for needed in (args.binary, build / "sluice_loadgen"):
        if not needed.exists():
            raise SystemExit(f"bench: {needed} is not built: run ./dev bench ingest, or ./dev build release")
    if shutil.which("mosquitto") is None and not os.path.exists("/usr/sbin/mosquitto"):
        raise SystemExit("bench: mosquitto is not installed: apt install mosquitto")

    report = measure_all(args, build)
    if args.json == "-":
        print(json.dumps(report, indent=2))
    else:
        print(table(report))
        if args.json:
            pathlib.Path(args.json).write_text(json.dumps(report, indent=2) + "\n")
    missed = findings(report)
    for text in missed:
        say(f"goal missed: {text}")
    if args.save:
        save(report)
    return 1 if args.check and missed else 0


if __name__ == "__main__":
    sys.exit(main())
