"""kill -9 at random moments under QoS 1 load: every event of an acknowledged reading reaches the cloud exactly once, in order.

SLUICE_KILLS sets how often each daemon is killed (50); SLUICE_SEED repeats a run's moments as far as an operating system lets one.
"""

import json
import os
import random
import threading
import time

from sluice_system.case import SystemCase, main
from sluice_system.daemons import Cloud, Gateway, wait_until
from sluice_system.mqtt import Client

KILLS = int(os.environ.get("SLUICE_KILLS", "50"))
SEED = int(os.environ.get("SLUICE_SEED", "0")) or random.SystemRandom().randrange(1, 2**32)

# Every reading causes one event of each class, so that every acknowledgement is a promise about three.
RULES = """rules:
  - {id: one, sql: "SELECT device, n FROM 'load/+'", to: [{cloud: alert}]}
  - {id: two, sql: "SELECT device, n FROM 'load/+'", to: [{cloud: aggregate}]}
  - {id: three, sql: "SELECT device, n FROM 'load/+'", to: [{cloud: sample}]}
"""
CLASSES = ("alert", "aggregate", "sample")
WINDOW = 64


class Publisher(threading.Thread):
    """Publishes numbered readings and remembers which were acknowledged. Sends nothing twice: what was not acknowledged is given up."""

    def __init__(self, port, name):
        super().__init__(daemon=True)
        self.port, self.name_, self.acked, self.sent, self.stopping, self.failure = port, name, set(), 0, False, None

    def run(self):
        try:
            while not self.stopping:
                try:
                    self.session()
                except (OSError, ConnectionError):
                    time.sleep(0.02)
        except Exception as error:  # a defect of the test itself must not look like a quiet publisher
            self.failure = error

    def session(self):
        with Client(self.port, self.name_, timeout=20) as client:
            while not self.stopping:
                while len(client.unacked) < WINDOW:
                    reading = json.dumps({"device": self.name_, "n": self.sent}).encode()
                    self.sent += 1
                    client.publish(f"load/{self.name_}", reading, self.sent - 1)
                self.acked.add(client.next_ack())
            while client.unacked:
                self.acked.add(client.next_ack())


class Kill(SystemCase):
    def setUp(self):
        super().setUp()
        print(f"SLUICE_SEED={SEED} SLUICE_KILLS={KILLS}", flush=True)
        self.random = random.Random(SEED)

    def under_load(self, *, gateway_kills, cloud_kills):
        store = Cloud(self.folder)
        at = Gateway(self.folder, uplink_port=store.mqtt_port, rules=RULES)
        self.addCleanup(store.__exit__)
        self.addCleanup(at.__exit__)
        store.start()
        at.start()
        publishers = [Publisher(at.mqtt_port, f"p{number}") for number in range(3)]
        for each in publishers:
            each.start()
        kills = [at] * gateway_kills + [store] * cloud_kills
        self.random.shuffle(kills)
        for daemon in kills:
            time.sleep(self.random.uniform(0.0, 0.4))  # the random moment; nothing is waited for here
            daemon.kill()
            daemon.start()
        for each in publishers:
            each.stopping = True
        for each in publishers:
            each.join(60)
            self.assertIsNone(each.failure)
        wait_until(at.drained, "everything acknowledged is in the cloud")
        self.assertEqual(at.stop(), 0, at.log_tail())
        self.verify(publishers, store)

    def verify(self, publishers, store):
        acked = {(each.name_, number) for each in publishers for number in each.acked}
        self.assertGreater(len(acked), 100, "the load must have got somewhere")
        for name in CLASSES:
            events = store.events(**{"class": name})
            seen = [(event["data"]["device"], event["data"]["n"]) for event in events]
            self.assertEqual(len(seen), len(set(seen)), f"{name}: an event is in the cloud twice")
            self.assertEqual(acked - set(seen), set(), f"{name}: an event of an acknowledged reading is missing")
            positions = [(event["epoch"], event["seq"]) for event in events]
            self.assertEqual(len(positions), len(set(positions)), f"{name}: a sequence number was used twice")
            last = {}
            for event in events:
                key = event["epoch"]
                self.assertEqual(event["seq"], last.get(key, 0) + 1, f"{name}: order or a hole after {last}")
                last[key] = event["seq"]
            newest = {}
            for device, number in seen:
                self.assertGreater(number, newest.get(device, -1), f"{name}: readings of {device} out of order")
                newest[device] = number
        print(f"{len(acked)} acknowledged readings, {sum(each.sent for each in publishers)} sent", flush=True)

    def test_killing_the_gateway_loses_and_doubles_nothing(self):
        self.under_load(gateway_kills=KILLS, cloud_kills=0)

    def test_killing_the_cloud_loses_and_doubles_nothing(self):
        self.under_load(gateway_kills=0, cloud_kills=KILLS)

    def test_killing_both_in_any_order_loses_and_doubles_nothing(self):
        self.under_load(gateway_kills=KILLS // 5, cloud_kills=KILLS // 5)


if __name__ == "__main__":
    main()
