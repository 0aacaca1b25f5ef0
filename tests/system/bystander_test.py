"""What hostile and broken clients do (sluice_system/attacks.py), one after the other against one gateway: whoever behaves is served all the
while, nothing of it is lost, and memory stays within what the limits allow. How long it takes is measured by `./dev bench hostile`."""

import json
import os
import pathlib
import struct
import subprocess
import threading
import time

from sluice_system import attacks
from sluice_system.case import SystemCase, main
from sluice_system.daemons import BINARY, PATIENCE, wait_until
from sluice_system.mqtt import Client

SECONDS = float(os.environ.get("SLUICE_ATTACK_SECONDS", "1"))  # of each attack
SENSORS = 4
WATCHERS = 3
# Set so low that an attack reaches each of them, and that what they allow together is little. `memory`: so many may sign in at once that
# what they bring waits to be read.
LIMITS = """limits:
  memory: 160MiB
  connect_timeout: 2s
  retained_messages: 20000
  retained_bytes: 16MiB
  subscriptions: 50000
  output_bytes: 256KiB
  queue_bytes: 256KiB
"""
MEMORY_KIB = 256 * 1024


class Sensor(threading.Thread):
    """Publishes numbers at QoS 1, each when the one before is acknowledged."""

    def __init__(self, port: int, name: str):
        super().__init__(daemon=True)
        self.name = name
        self.client = Client(port, name)
        self.stopped = threading.Event()
        self.sent = 0
        self.failure = None

    def run(self):
        try:
            while not self.stopped.is_set():
                self.client.publish(f"good/{self.name}", struct.pack(">I", self.sent))
                self.sent += 1
                self.client.finish()
                time.sleep(0.005)
        except Exception as error:  # noqa: BLE001 (shown by the test)
            self.failure = error


class Watcher(threading.Thread):
    """Hears all of them; each sensor's numbers come in order and none is missing."""

    def __init__(self, port: int, name: str):
        super().__init__(daemon=True)
        self.client = Client(port, name)
        self.client.subscribe("good/#", qos=1)
        self.heard = {}
        self.failure = None

    def run(self):
        try:
            while True:
                topic, payload = self.client.next_message()
                number, expected = struct.unpack(">I", payload)[0], self.heard.get(topic, 0)
                if number != expected:
                    raise AssertionError(f"{topic}: expected {expected}, got {number}")
                self.heard[topic] = expected + 1
        except Exception as error:  # noqa: BLE001 (shown by the test)
            self.failure = error


class Program(SystemCase):
    def test_the_program_of_the_benchmark_tells_what_came_and_what_is_missing(self):
        program = pathlib.Path(BINARY).parent / "sluice_bystanders"
        if not program.exists():
            self.skipTest("needs sluice_bystanders, which is built with SLUICE_BENCH")
        at = self.gateway(rules="rules: []\n")
        command = [str(program), "--to", at.url, "--sensors", "10", "--watchers", "2", "--rate", "200", "--phases", "0.5,0.5"]
        result = subprocess.run([*command, "--watch", str(at.process.pid)], capture_output=True, text=True, timeout=PATIENCE, check=True)
        first, line = result.stdout.splitlines()
        self.assertEqual(first, "began")
        said = json.loads(line)
        self.assertEqual([(phase["expected"], phase["missing"], phase["repeated"]) for phase in said["phases"]], [(200, 0, 0)] * 2)
        self.assertGreater(said["phases"][1]["delivery_ms"]["p50"], 0)
        self.assertGreater(said["memory_peak_bytes"], 0)
        # Another client with a watcher's name takes it over: that is no run in which nothing was lost.
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as disturbed:
            disturbed.stdout.readline()
            Client(at.mqtt_port, "bystander-0").close()
            _, words = disturbed.communicate(timeout=PATIENCE)
        self.assertEqual((disturbed.returncode, words.split(":")[0]), (1, "bystanders"))


class Bystanders(SystemCase):
    def memory(self) -> int:
        with open(f"/proc/{self.at.process.pid}/status", encoding="utf-8") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:"))

    def test_nothing_of_those_who_behave_is_lost_whatever_others_do(self):
        self.at = self.gateway(rules="rules: []\n", extra=LIMITS)
        watchers = [Watcher(self.at.mqtt_port, f"watcher-{n}") for n in range(WATCHERS)]
        sensors = [Sensor(self.at.mqtt_port, f"sensor-{n}") for n in range(SENSORS)]
        for each in (*watchers, *sensors):
            self.addCleanup(each.client.close)
            each.start()
        for attack in attacks.ALL:
            with self.subTest(attack.__name__):
                before = [each.sent for each in sensors]
                with attacks.under(attack, self.at.mqtt_port):
                    time.sleep(SECONDS)
                wait_until(lambda was=before: all(each.sent > sent for each, sent in zip(sensors, was, strict=True)),
                           f"all sensors are served beside {attack.__name__}")
                self.assertEqual([each.failure for each in (*sensors, *watchers) if each.failure], [])
                self.assertIsNone(self.at.process.poll(), self.at.log_tail())
                self.assertLess(self.memory(), MEMORY_KIB, f"KiB after {attack.__name__}")
        for each in sensors:
            each.stopped.set()
            each.join()
        expected = {f"good/{each.name}": each.sent for each in sensors}
        for each in watchers:
            wait_until(lambda watcher=each: watcher.heard == expected or watcher.failure, "every number has come")
            self.assertIsNone(each.failure)
        self.assertEqual(self.at.stop(), 0, self.at.log_tail())


if __name__ == "__main__":
    main()
