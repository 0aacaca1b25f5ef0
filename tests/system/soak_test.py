"""Real processes for as long as one likes: memory stays flat, files stay within their limits, descriptors come back, and the account of
every reading is right at the end. The link fails now and then, so long that the spool's limit is reached, and clients come and go.

SLUICE_SOAK_SECONDS: how long (24); `./dev soak real HOURS` runs it for hours. SLUICE_SEED repeats the order of what happens."""

import collections
import os
import random
import time

from sluice_system.case import SystemCase, main
from sluice_system.daemons import wait_until
from sluice_system.link import MODES, Link
from sluice_system.load import CLASSES, RULES, Publisher, gaps
from sluice_system.mqtt import Client

SECONDS = float(os.environ.get("SLUICE_SOAK_SECONDS", "24"))
SEED = int(os.environ.get("SLUICE_SEED", "0")) or random.SystemRandom().randrange(1, 2**32)
LONG = SECONDS >= 600
PAUSE = 0.1 if LONG else 0.004  # between two readings of a publisher: days must not fill the cloud's disk
CUTS = (0.2, 0.5, 3, 120 if LONG else 1)
SPOOL_BYTES = 2 << 20
JOURNAL_BYTES = 16 << 20
OTHER_BYTES = 4 << 20  # sessions, ledger, state, keys
FAT_RULES = RULES.replace("SELECT device, n FROM", f"SELECT device, n, '{'x' * 300}' AS padding FROM") + '''  - id: mean
    sql: "SELECT device, n, zscore(n, 100) OVER (PARTITION BY device) AS z FROM 'load/+'"
    to: [{topic: "mean/{device}"}]
'''


class Count:
    """In the place of a set of numbers, for days."""

    def __init__(self):
        self.count = 0

    def add(self, _):
        self.count += 1

    def __len__(self):
        return self.count


class Samples:
    """What a process uses, now and then."""

    def __init__(self, daemon):
        self.daemon, self.memory, self.descriptors, self.disk = daemon, [], [], []

    def take(self):
        process = f"/proc/{self.daemon.process.pid}"
        with open(f"{process}/status", encoding="utf-8") as status:
            self.memory.append(next(int(line.split()[1]) for line in status if line.startswith("VmRSS:")) * 1024)
        self.descriptors.append(len(os.listdir(f"{process}/fd")))
        self.disk.append(self.allocated())

    def allocated(self):
        total = 0
        for folder, _, names in os.walk(self.daemon.data):
            for name in names:
                try:
                    total += os.stat(os.path.join(folder, name)).st_blocks * 512
                except FileNotFoundError:  # a segment that has just gone
                    pass
        return total

    def __str__(self):
        return (f"{self.daemon.command}: memory {self.memory[0] >> 20} to {max(self.memory) >> 20} MiB, now {self.memory[-1] >> 20}; "
                f"disk at most {max(self.disk) >> 10} KiB; descriptors at most {max(self.descriptors)}, now {self.descriptors[-1]}")


class Soak(SystemCase):
    def test_memory_files_and_the_account_hold_for_as_long_as_it_runs(self):
        print(f"SLUICE_SEED={SEED} SLUICE_SOAK_SECONDS={SECONDS:g}", flush=True)
        chance = random.Random(SEED)
        store = self.cloud()
        link = Link(store.mqtt_port, seed=SEED)
        self.addCleanup(link.__exit__)
        at = self.gateway(uplink_port=link.port, uplink_more=", ack_timeout: 1s, keep_alive: 2s, retry_max: 1s", rules=FAT_RULES,
                          extra=f"spool: {{max_bytes: {SPOOL_BYTES >> 20}MiB}}\nstate: {{checkpoint: 5s, journal_bytes: 16MiB}}\n")
        publishers = [Publisher(at.mqtt_port, f"p{number}", window=16, pause=PAUSE) for number in range(3)]
        for each in publishers:
            each.acked = Count()
            each.start()
        samples = [Samples(at), Samples(store)]
        end, modes = time.monotonic() + SECONDS, list(MODES)
        said = time.monotonic() + 600
        while time.monotonic() < end:
            link.become("refuse" if chance.random() < 0.3 else chance.choice(modes))
            time.sleep(min(chance.choice(CUTS), max(0.1, end - time.monotonic())))
            link.restore()
            time.sleep(min(chance.choice((0.5, 2, 4)), max(0.1, end - time.monotonic())))
            for number in range(20):  # clients that come, leave something behind and go
                with Client(at.mqtt_port, f"passing-{number}") as passing:
                    passing.subscribe("local/#")
                    passing.publish("elsewhere", b"x" * 1000)
            for each in samples:
                each.take()
            if time.monotonic() > said:
                said += 600
                print(time.strftime("%H:%M"), *samples, sep="\n  ", flush=True)
        for each in publishers:
            each.stopping = True
        for each in publishers:
            each.join(60)
            self.assertIsNone(each.failure)
            self.assertEqual(len(each.acked), each.sent, "every reading was acknowledged")
        wait_until(at.drained, f"everything is in the cloud\n{at.log_tail()}")
        for each in samples:
            each.take()
        print(*samples, sep="\n", flush=True)
        self.bounded(*samples)
        self.account(at, store, publishers)
        self.assertEqual(at.stop(), 0, at.log_tail())

    def bounded(self, gateway, store):
        self.assertLessEqual(max(gateway.disk), SPOOL_BYTES + JOURNAL_BYTES + OTHER_BYTES, "files keep within their limits")
        for each in (gateway, store):
            third = len(each.memory) // 3
            early, late = max(each.memory[third:2 * third]), max(each.memory[2 * third:])
            # In a short run buffers still grow to the size that they keep.
            self.assertLess(late, early * 1.15 + (12 << 20), f"memory grows: {each}")
            self.assertLess(max(each.descriptors), 100, "descriptors come back")

    def account(self, at, store, publishers):
        """The oracle page by page: the cloud may hold millions."""
        ledger = at.ledger()["events"]
        told = collections.Counter()
        for name, _, first, last, reason in gaps(store, at.id):
            self.assertEqual(reason, "spool_full")
            told[name] += last - first + 1
        for name in CLASSES:
            count, seq, newest, after = 0, 0, collections.defaultdict(lambda: -1), 0
            while after is not None:
                page = store.get("/api/v1/events", after=after, limit=10000, **{"class": name})
                for event in page["events"]:
                    self.assertGreater(event["seq"], seq, f"{name}: twice, or out of order")
                    seq = event["seq"]
                    device, n = event["data"]["device"], event["data"]["n"]
                    self.assertGreater(n, newest[device], f"{name}: {device} out of order")
                    newest[device] = n
                    count += 1
                after = page["next"]
            row = ledger[name]
            self.assertGreater(count, 0, f"{name}: nothing came through")
            self.assertEqual(row["created"], sum(each.sent for each in publishers))
            self.assertEqual(count + told[name], row["created"], f"{name}: neither in the cloud nor told as gone: {row}")
            print(f"{name}: {row['created']} made, {count} in the cloud, {told[name]} told as gone", flush=True)


if __name__ == "__main__":
    main()
