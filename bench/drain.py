#!/usr/bin/env python3
"""Measures how fast a backlog drains: a gateway gathers events while its cloud is away; then the cloud comes back, and meanwhile alerts are
timed from the publication of their reading until the cloud has them in its store.

usage: bench/drain.py [--quick] [--events N] [--json FILE] [--save] [--check]
"""

import argparse
import contextlib
import json
import pathlib
import statistics
import sys
import threading
import time
import urllib.error
import urllib.request

from report import conclude, grid, load, machine, mib, needs, say
from servers import ROOT, Server, http_ok

from sluice_system.daemons import free_port
from sluice_system.mqtt import Client

RATE_GOAL, ALERT_GOAL_MS = 100_000, 50
ALERTS_A_SECOND = 20

GATEWAY = """gateway: {{id: bench, data: ./gateway}}
listen: {{mqtt: ['tcp://127.0.0.1:{mqtt}'], http: '127.0.0.1:{http}'}}
uplink: {{url: 'sluice://127.0.0.1:{cloud}', retry_max: 1s, drain_rate: {rate}}}
spool: {{max_bytes: 16GiB}}
rules:
  - {{id: everything, sql: "SELECT * FROM 'sensors/+/vibration'", to: [{{cloud: sample}}]}}
  - {{id: alarm, sql: "SELECT n FROM 'alarm'", to: [{{cloud: alert}}]}}
"""
CLOUD = """cloud: {{id: bench, data: ./cloud}}
listen: {{mqtt: ['tcp://127.0.0.1:{mqtt}'], http: '127.0.0.1:{http}'}}
"""


class Pair(Server):
    """A gateway, and a cloud that is started later."""

    def __init__(self, build, rate):
        super().__init__("gateway")
        self.binary, self.rate = build / "sluice", rate
        self.http, self.cloud_port, self.cloud_http = free_port(), free_port(), free_port()

    def open(self):
        (self.folder / "gateway.yaml").write_text(GATEWAY.format(mqtt=self.port, http=self.http, cloud=self.cloud_port, rate=self.rate))
        (self.folder / "cloud.yaml").write_text(CLOUD.format(mqtt=self.cloud_port, http=self.cloud_http))
        self.start([self.binary, "gateway", "-c", "gateway.yaml"], lambda: http_ok(self.http), "gateway")

    def open_cloud(self):
        self.start([self.binary, "cloud", "-c", "cloud.yaml"], lambda: http_ok(self.cloud_http), "cloud", watch=False)

    def get(self, port, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=30) as answer:
            return json.load(answer)

    def row(self):
        return self.get(self.http, "/api/v1/status")["ledger"]["events"]["sample"]


class Alerts:
    """Publishes alerts at a steady pace and looks for them in the cloud's store."""

    def __init__(self, pair):
        self.pair, self.sent, self.seen, self.stopping = pair, {}, {}, False
        self.publisher, self.watcher = (threading.Thread(target=each, daemon=True) for each in (self.publish, self.watch))
        self.publisher.start()
        self.watcher.start()

    def publish(self):
        with Client(self.pair.port, "alarm") as client:
            begin = time.monotonic()
            while not self.stopping:
                n = len(self.sent)
                time.sleep(max(0.0, begin + n / ALERTS_A_SECOND - time.monotonic()))
                self.sent[n] = time.monotonic()
                client.publish("alarm", json.dumps({"n": n}).encode())
                client.next_ack()

    def watch(self):
        after = 0
        while self.publisher.is_alive() or (len(self.seen) < len(self.sent) and time.monotonic() < self.give_up):
            page = self.pair.get(self.pair.cloud_http, f"/api/v1/events?class=alert&after={after}&limit=10000")
            now = time.monotonic()
            for event in page["events"]:
                after = max(after, event["id"])
                self.seen.setdefault(event["data"]["n"], now)
            time.sleep(0.002)

    def stop(self):
        self.give_up = time.monotonic() + 30
        self.stopping = True
        self.publisher.join()
        self.watcher.join()
        if len(self.seen) != len(self.sent):
            raise SystemExit(f"bench: {len(self.sent) - len(self.seen)} alerts did not arrive")

    def latencies_ms(self, begin, end):
        return sorted((self.seen[n] - at) * 1000 for n, at in self.sent.items() if begin <= at < end)


def measure(args):
    with Pair(args.build, args.rate) as pair:
        begin = time.monotonic()
        while (waiting := pair.row()["waiting"]) < args.events:
            load(args.build, pair, "fan-in", connections=10, qos=1, batch=32, seconds=args.fill_seconds, warmup=0.1)
            say(f"{waiting:,} events wait")
        filled = time.monotonic() - begin
        backlog = pair.row()["waiting"]
        stored = sum(each.stat().st_size for each in (pair.folder / "gateway" / "spool").iterdir())
        say(f"{backlog:,} events wait, {mib(stored)} MiB, after {filled:.0f} s")
        pair.open_cloud()
        while pair.row()["delivered"] == 0:
            time.sleep(0.01)
        begin, first = time.monotonic(), pair.row()["delivered"]
        alerts = Alerts(pair)
        while (row := pair.row())["waiting"] > 0:
            time.sleep(0.1)
        end = time.monotonic()
        alerts.stop()
        dropped = sum(row["dropped"].values())
        with contextlib.suppress(urllib.error.URLError):
            count = pair.get(pair.cloud_http, "/api/v1/events/count?class=sample")["count"]
        if dropped or count != row["created"]:
            raise SystemExit(f"bench: {row['created']} created, {count} in the cloud, {dropped} dropped")
        delays = alerts.latencies_ms(begin, end)
        return {**machine(), "events": backlog, "spool_bytes": stored, "seconds": end - begin, "drain_rate": args.rate,
                "events_per_second": (row["delivered"] - first) / (end - begin),
                "alert_ms": {"count": len(delays), "p50": statistics.median(delays), "p99": delays[int(len(delays) * 0.99)],
                             "max": delays[-1]}}


def table(report):
    alert = report["alert_ms"]
    head = (f"{report['date']}, commit {report['commit']}, {report['machine']}; gateway, cloud and load on the same machine; "
            f"`uplink.drain_rate: {report['drain_rate']}`.")
    return "\n".join([head, "", *grid(
        ["backlog, events", "spool MiB", "drained in s", "events/s", "alerts meanwhile", "p50 ms", "p99", "max"],
        [[f"{report['events']:,}", mib(report["spool_bytes"]), f"{report['seconds']:.1f}", f"{report['events_per_second']:,.0f}",
          alert["count"], f"{alert['p50']:.1f}", f"{alert['p99']:.1f}", f"{alert['max']:.1f}"]])])


def findings(report):
    out = []
    if report["events_per_second"] < RATE_GOAL:
        out.append(f"{report['events_per_second']:,.0f} events/s, goal {RATE_GOAL:,}")
    if report["alert_ms"]["p99"] >= ALERT_GOAL_MS:
        out.append(f"p99 of alerts meanwhile {report['alert_ms']['p99']:.1f} ms, goal under {ALERT_GOAL_MS}")
    return out


def main():
    parser = argparse.ArgumentParser(prog="bench/drain.py", description=__doc__.split("\n\n")[0])
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build" / "release", help="where the programs are")
    parser.add_argument("--events", type=int, default=10_000_000, help="that wait before the cloud comes back")
    parser.add_argument("--rate", type=int, default=0, help="uplink.drain_rate; 0: no limit")
    parser.add_argument("--fill-seconds", type=float, default=5, help="of each burst that fills the spool")
    parser.add_argument("--quick", action="store_true", help="a small backlog: does it work at all?")
    parser.add_argument("--json", metavar="FILE", help="write everything measured ('-': to stdout instead of the table)")
    parser.add_argument("--save", action="store_true", help="put the result into docs/benchmarks.md and bench/baselines")
    parser.add_argument("--check", action="store_true", help="exit 1 when a goal is missed")
    args = parser.parse_args()
    if args.quick:
        args.events, args.fill_seconds = 100_000, 0.5
    args.build = args.build.resolve()
    needs(args.build, ["sluice", "sluice_loadgen"], [])
    report = measure(args)
    return conclude("drain", args, report, table(report), findings(report))


if __name__ == "__main__":
    sys.exit(main())
