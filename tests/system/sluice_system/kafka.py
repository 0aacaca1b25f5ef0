"""A cluster of Kafka brokers in a process of its own (tests/system/kafka/kafka_cluster.cpp), and what it got, read by kcat."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

from sluice_system.daemons import BINARY, PATIENCE

PROGRAM = pathlib.Path(os.environ.get("SLUICE_KAFKA_CLUSTER", pathlib.Path(BINARY).parent / "kafka_cluster"))
PRODUCE, METADATA, PRODUCER_ID = 0, 3, 22
DISCONNECT = -195

RULES = """rules:
  - {id: all, sql: "SELECT device, n FROM 'load/+'", to: [{cloud: sample}]}
  - {id: some, sql: "SELECT device, n FROM 'load/+' WHERE n % 100 = 0", to: [{cloud: alert}]}
"""


def not_built() -> str:
    """Why the gateway cannot do it at all; empty: it can."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as config:
        config.write("gateway: {id: x}\nuplink: {url: 'kafka://127.0.0.1'}\n")
        config.flush()
        said = subprocess.run([BINARY, "check", "-c", config.name], capture_output=True, text=True, check=False)
    return "needs a gateway that was built with SLUICE_KAFKA=ON" if "built without" in said.stdout + said.stderr else ""


def missing() -> str:
    """What the tests with a cluster lack here; empty: nothing."""
    if reason := not_built():
        return reason
    if not PROGRAM.exists():
        return f"needs {PROGRAM.name}, which is built with SLUICE_KAFKA=ON where librdkafka-dev has rdkafka_mock.h"
    if not shutil.which("kcat"):
        return "needs kcat"
    return ""


class Cluster:
    def __init__(self, brokers=3, partitions=4, topics=("sluice-alert", "sluice-aggregate", "sluice-sample")):
        self.process = subprocess.Popen([str(PROGRAM), str(brokers)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, text=True)
        self.addresses = self.process.stdout.readline().strip()
        for topic in topics:
            self.tell(f"topic {topic} {partitions}")

    def tell(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().strip()
        if answer != "ok":
            raise AssertionError(f"{command}: {answer or 'the cluster has ended'}")

    def errors(self, api, code, count):
        self.tell(f"errors {api} {code} {count}")

    def pause(self):
        """It is there and says nothing."""
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def end(self):
        self.resume()
        self.process.kill()
        self.process.wait(PATIENCE)
        self.process.stdin.close()
        self.process.stdout.close()

    def messages(self, topic):
        """What a topic holds, as kcat shows it: topic, partition, offset, key, payload, headers; in order within a partition."""
        command = ["kcat", "-C", "-b", self.addresses, "-t", topic, "-o", "beginning", "-e", "-q", "-J", "-X", "check.crcs=true"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
        if done.returncode != 0:
            raise AssertionError(f"kcat: {done.stderr}")
        return [json.loads(line) for line in done.stdout.splitlines() if line.strip()]
