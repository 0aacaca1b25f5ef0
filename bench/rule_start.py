"""How long a gateway with ten thousand rules takes to start, and what they take of memory.

    python3 bench/rule_start.py [--sluice build/release/sluice] [--rules 10000] [--runs 3] [--feed]

Each configuration is started several times in a folder of its own. The time is from fork to the first 200 of /healthz (on a busy machine
look at its CPU time); memory is the process's resident set two seconds later, less that of a gateway without rules. --feed publishes one
reading on each topic before memory is looked at.
"""

import argparse
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "system"))

from sluice_system.daemons import free_port  # noqa: E402
from sluice_system.mqtt import Client  # noqa: E402

# What a rule says: its number is {i}, its topic {topic}.
KINDS = {
    "filters": ["SELECT device, ts, v FROM '{topic}' WHERE v > {i}"],
    "mixed": [
        "SELECT device, ts, v FROM '{topic}' WHERE v > {i}",
        "SELECT device, ts, v, zscore(v, 100) OVER (PARTITION BY device) AS z FROM '{topic}' WHERE abs(z) > 3 + {i} / 10000",
        "SELECT device, avg(v) AS mean, max(v) AS most, count(*) AS n FROM '{topic}' WHERE v < {i} GROUP BY device, TUMBLINGWINDOW(ss, 10)",
        "SELECT device, v - lag(v) OVER (PARTITION BY device) AS step FROM '{topic}' WHERE step > {i}",
    ],
}


def rules(count, kind, one_topic):
    lines = ["rules:"] if count else ["rules: []"]
    for i in range(count):
        sql = KINDS[kind][i % len(KINDS[kind])].format(i=i, topic="plant/all/v" if one_topic else f"plant/machine-{i}/v")
        to = f"      - topic: alerts/rule-{i}/{{device}}\n      - cloud: alert"
        lines.append(f"  - id: rule-{i}\n    sql: |\n      {sql}\n    to:\n{to}")
    return "\n".join(lines) + "\n"


def resident_kib(process):
    for line in pathlib.Path(f"/proc/{process.pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise RuntimeError("no VmRSS")


def cpu_seconds(process):
    fields = pathlib.Path(f"/proc/{process.pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def run(sluice, text, topics):
    """Seconds until /healthz answers, CPU seconds of these, KiB resident, and the same once there was a reading on each topic."""
    with tempfile.TemporaryDirectory(prefix="sluice-start-") as folder:
        mqtt, http = free_port(), free_port()
        config = pathlib.Path(folder) / "gateway.yaml"
        config.write_text(f"gateway: {{id: bench, data: {folder}/data}}\n"
                          f"listen: {{mqtt: ['tcp://127.0.0.1:{mqtt}'], http: '127.0.0.1:{http}'}}\n{text}", encoding="utf-8")
        begin = time.monotonic()
        process = subprocess.Popen([sluice, "gateway", "-c", config], stderr=subprocess.DEVNULL)
        try:
            while True:
                try:
                    with urllib.request.urlopen(f"http://127.0.0.1:{http}/healthz", timeout=5) as answer:
                        if answer.status == 200:
                            break
                except (OSError, urllib.error.URLError):
                    if process.poll() is not None:
                        raise RuntimeError(f"the gateway ended with {process.returncode}") from None
                    time.sleep(0.005)
            seconds, cpu = time.monotonic() - begin, cpu_seconds(process)
            time.sleep(2)
            idle = resident_kib(process)
            if topics:
                with Client(mqtt, "feeder") as client:
                    for number, topic in enumerate(topics):
                        client.publish(topic, b'{"device":"d","ts":1700000000000,"v":0.5}')
                        if number % 500 == 499:
                            client.finish()
                    client.finish()
                time.sleep(1)
            return seconds, cpu, idle, resident_kib(process)
        finally:
            process.terminate()
            process.wait(60)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--sluice", default=str(ROOT / "build" / "release" / "sluice"))
    parser.add_argument("--rules", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--feed", action="store_true", help="one reading on each topic")
    options = parser.parse_args()
    empty = [run(options.sluice, rules(0, "filters", True), []) for _ in range(options.runs)]
    base = statistics.median(each[2] for each in empty)
    print(f"no rules: {statistics.median(each[0] for each in empty):.2f} s, {base / 1024:.1f} MiB", flush=True)
    for kind in KINDS:
        for one_topic in (False, True):
            topics = ["plant/all/v"] if one_topic else [f"plant/machine-{i}/v" for i in range(options.rules)]
            text = rules(options.rules, kind, one_topic)
            found = [run(options.sluice, text, topics if options.feed else []) for _ in range(options.runs)]
            each_kib = [(statistics.median(row[column] for row in found) - base) / options.rules for column in (2, 3)]
            fed = f", {each_kib[1]:.1f} KiB after a reading of each topic" if options.feed else ""
            seconds, cpu = (statistics.median(row[column] for row in found) for column in (0, 1))
            print(f"{options.rules} {kind}, {'one topic' if one_topic else 'a topic each'}: {seconds:.2f} s ({cpu:.2f} s of CPU), "
                  f"{each_kib[0]:.1f} KiB a rule{fed}", flush=True)


if __name__ == "__main__":
    main()
