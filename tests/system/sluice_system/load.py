"""Numbered readings under which faults are tried, and the oracle: what must be true of the cloud and the ledger afterwards.

Promises 1 to 3 of the design: what was acknowledged is in the cloud once and in order, or counted with its reason and told as a gap."""

import collections
import json
import math
import sqlite3
import threading
import time

from .mqtt import Client

# Every reading causes one event of each class, so that every acknowledgement is a promise about three, and one local message.
CLASSES = ("alert", "aggregate", "sample")
RULES = """rules:
  - {id: one, sql: "SELECT device, n FROM 'load/+'", to: [{cloud: alert}, {topic: "local/{device}"}]}
  - {id: two, sql: "SELECT device, n FROM 'load/+'", to: [{cloud: aggregate}]}
  - {id: three, sql: "SELECT device, n FROM 'load/+'", to: [{cloud: sample}]}
"""


def plain_reading(name: str, n: int) -> dict:
    return {"device": name, "n": n}


def publish(at, numbers, topic="load/a", note=None):
    """Readings of one device with these numbers; returns when all of them are acknowledged. `note`: what beside the number."""
    with Client(at.mqtt_port, "load") as client:
        for number in numbers:
            more = {"note": note(number)} if note else {}
            client.publish(topic, json.dumps({"device": "a", "n": number, **more}).encode())
            if len(client.unacked) >= 200:
                client.next_ack()
        client.finish()


class Publisher(threading.Thread):
    """Publishes numbered readings and remembers which were acknowledged. Sends nothing twice: what was not acknowledged is given up.
    `pause`: seconds after each reading; `allowed`: how many may be sent in all."""

    def __init__(self, port, name, *, reading=plain_reading, window=64, pause=0.0):
        super().__init__(daemon=True)
        self.port, self.name_, self.reading, self.window, self.pause = port, name, reading, window, pause
        self.acked, self.sent, self.stopping, self.failure = set(), 0, False, None
        self.allowed = math.inf

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
                while len(client.unacked) < self.window and self.sent < self.allowed and not self.stopping:
                    reading = json.dumps(self.reading(self.name_, self.sent)).encode()
                    self.sent += 1
                    client.publish(f"load/{self.name_}", reading, self.sent - 1)
                    if self.pause:
                        time.sleep(self.pause)
                    while client.unacked and client.has_more():
                        self.acked.add(client.next_ack())
                if client.unacked:
                    self.acked.add(client.next_ack())
                elif self.sent >= self.allowed:
                    time.sleep(0.01)
            while client.unacked:
                self.acked.add(client.next_ack())


class Watcher(threading.Thread):
    """Subscribes to what rules publish locally and remembers the numbers of each device, and messages of other topics as they are. The
    gateway must stay up."""

    def __init__(self, port, more=()):
        super().__init__(daemon=True)
        self.client = Client(port, "watcher", timeout=None)
        for each in ("local/#", *more):
            self.client.subscribe(each, qos=1)
        self.others = []
        self.seen = collections.defaultdict(list)
        self.start()

    def run(self):
        try:
            while True:
                topic, payload = self.client.next_message()
                data = json.loads(payload)
                if topic.startswith("local/"):
                    self.seen[data["device"]].append(data["n"])
                else:
                    self.others.append((topic, data))
        except (OSError, ConnectionError):
            return

    def count(self) -> int:
        return sum(len(numbers) for numbers in list(self.seen.values()))


class Load:
    """Some publishers that run until stop()."""

    def __init__(self, port, *, publishers=3, name="p", **options):
        self.publishers = [Publisher(port, f"{name}{number}", **options) for number in range(publishers)]
        for each in self.publishers:
            each.start()

    def hold(self):
        """Nothing more is sent, for tests that must know how much comes in, however slow the machine is."""
        for each in self.publishers:
            each.allowed = each.sent

    def allow(self, count):
        """Of what is held, so many more readings may go."""
        for each in self.publishers:
            each.allowed += math.ceil(count / len(self.publishers))

    def release(self):
        for each in self.publishers:
            each.allowed = math.inf

    def stop(self):
        for each in self.publishers:
            each.stopping = True
        for each in self.publishers:
            each.join(60)
            if each.failure:
                raise each.failure
            assert not each.is_alive(), f"{each.name_} still waits for acknowledgements: {len(each.acked)} of {each.sent}"

    def acked(self) -> set:
        return {(each.name_, number) for each in self.publishers for number in list(each.acked)}

    def acked_count(self) -> int:
        return sum(len(each.acked) for each in self.publishers)

    def sent(self) -> int:
        return sum(each.sent for each in self.publishers)


def gaps(store, gateway) -> list:
    """What the cloud was told that it will never get of a gateway: rows of class, epoch, first, last, reason."""
    database = sqlite3.connect(f"file:{store.data}/events.db?mode=ro", uri=True)
    try:
        return database.execute("SELECT class, epoch, first, last, reason FROM gaps JOIN streams ON streams.id = gaps.stream"
                                " WHERE gateway = ?", (gateway,)).fetchall()
    finally:
        database.close()


def verify(case, load, store, at, *, may_lose=(), may_count=(), acked_min=100, loud=True):
    """The oracle, once everything is drained. `may_lose`: reasons for which acknowledged readings may be missing (a limit was reached);
    `may_count`: reasons that may stand in the ledger for events that nobody had an acknowledgement of. Readings of others than the load's
    publishers are only counted. Returns the lost numbers by class."""
    acked = load.acked()
    case.assertGreater(len(acked), acked_min, "the load must have got somewhere")
    ledger = at.ledger()["events"]
    told = collections.defaultdict(set)
    for name, epoch, first, last, reason in gaps(store, at.id):
        case.assertIn(reason, (*may_lose, *may_count), f"{name}: a gap {first}…{last} for no good reason")
        told[name, epoch].update(range(first, last + 1))
    lost, ours = {}, {each.name_ for each in load.publishers}
    for name in CLASSES:
        events = store.events(gateway=at.id, **{"class": name})
        seen = [(event["data"]["device"], event["data"]["n"]) for event in events if event["data"]["device"] in ours]
        case.assertEqual(len(seen), len(set(seen)), f"{name}: an event is in the cloud twice")
        case.assertEqual(set(seen) - {(each.name_, n) for each in load.publishers for n in range(each.sent)}, set(),
                         f"{name}: an event of a reading that nobody sent")
        numbers, gone = collections.defaultdict(list), 0
        for event in events:
            numbers[event["epoch"]].append(event["seq"])
        for epoch, found in numbers.items():
            case.assertEqual(found, sorted(set(found)), f"{name}: out of order, or a number used twice")
            holes = set(range(1, found[-1])) - set(found)
            case.assertEqual(holes, {n for n in told[name, epoch] if n < found[-1]}, f"{name}: a hole that was not told, or told wrongly")
            gone += len(told[name, epoch])
        newest = {}
        for device, number in seen:
            case.assertGreater(number, newest.get(device, -1), f"{name}: readings of {device} out of order")
            newest[device] = number
        row = ledger[name]
        dropped = {reason: count for reason, count in row["dropped"].items() if count}
        case.assertEqual(set(dropped) - {*may_lose, *may_count}, set(), f"{name}: dropped for no good reason: {row}")
        case.assertEqual(row["created"], row["delivered"] + row["waiting"] + sum(dropped.values()), f"{name}: {row}")
        case.assertEqual(row["waiting"], 0)
        # What was told as gone may have arrived before (the cloud keeps it), and never the other way round.
        case.assertGreaterEqual(len(events), row["delivered"], f"{name}: counted as delivered and not in the cloud")
        case.assertGreaterEqual(len(events) + sum(dropped.values()), row["created"], f"{name}: neither in the cloud nor counted as lost")
        missing = acked - set(seen)
        if not may_lose:
            case.assertEqual(missing, set(), f"{name}: an event of an acknowledged reading is missing")
        case.assertLessEqual(len(missing), gone, f"{name}: more acknowledged readings are missing than the cloud was told of")
        lost[name] = gone
    if "sluice_cloud_events_unexplained_total 0" not in store.text("/metrics"):
        case.fail("the cloud has found events missing without a notice")
    if loud:
        print(f"{len(acked)} acknowledged readings of {load.sent()} sent, lost {lost}", flush=True)
    return lost
