"""Disks that are full, read-only or gone. The gateway says so, goes on with what needs no disk, loses nothing that a limit does not force
it to lose, counts that with its reason, and is well again by itself when the disk is."""

import collections
import json
import os
import pathlib
import time
import unittest

from sluice_system.case import SystemCase, main
from sluice_system.daemons import Cloud, Gateway, wait_until
from sluice_system.link import Link
from sluice_system.load import CLASSES, RULES, Load, verify
from sluice_system.mounts import Image, Tmpfs, own_mounts, run
from sluice_system.mqtt import Client

TMPFS = "24m"
SPOOL = "spool: {max_bytes: 64MiB}\n"  # the disk is the limit
PADDING = "x" * 400
FAT_RULES = RULES.replace("SELECT device, n FROM", f"SELECT device, n, '{PADDING}' AS padding FROM")

CHAIN_RULES = RULES.replace("SELECT device, n FROM 'load/+'\", to: [{cloud: alert}",
                            "SELECT device, n, lag(n) OVER (PARTITION BY device) AS before FROM 'load/+'\", to: [{cloud: alert}")


def setUpModule():
    own_mounts()


class Disk(SystemCase):
    def start(self, *, rules=FAT_RULES, **options):
        self.store = self.cloud()
        self.link = Link(self.store.mqtt_port)
        self.addCleanup(self.link.__exit__)
        self.at = Gateway(self.folder, uplink_port=self.link.port, uplink_more=", retry_max: 1s, ack_timeout: 5s", rules=rules, **options)
        self.addCleanup(self.at.__exit__)

    def begin_load(self, **options):
        self.load = Load(self.at.mqtt_port, **options)

    def progress(self, count, what):
        begin = self.load.acked_count()
        wait_until(lambda: self.load.acked_count() >= begin + count, f"{what}: {count} more acknowledgements\n{self.at.log_tail()}")

    def dropped(self) -> dict:
        return {name: sum(row["dropped"].values()) for name, row in self.at.ledger()["events"].items()}

    def local_messages_flow(self, what):
        """Those of QoS 0 readings: they promise nothing, so they wait for no disk."""
        with Client(self.at.mqtt_port, "probe") as client, Client(self.at.mqtt_port, "listens") as listens:
            listens.subscribe("local/probe")
            begin = time.monotonic()
            for number in range(20):
                client.publish_qos0("load/probe", json.dumps({"device": "probe", "n": number}).encode())
            for number in range(20):
                self.assertEqual(json.loads(listens.next_message()[1])["n"], number, what)
            self.assertLess(time.monotonic() - begin, 30, what)

    def finish(self, **oracle):
        self.link.restore()
        self.load.stop()
        wait_until(self.at.drained, "everything that is left is in the cloud")
        lost = verify(self, self.load, self.store, self.at, **oracle)
        self.assertEqual(self.at.status()["spool"]["degraded"], False)
        self.assertEqual(self.at.stop(), 0, self.at.log_tail())
        return lost


class Full(Disk):
    def setUp(self):
        super().setUp()
        self.start(extra=SPOOL)
        self.disk = Tmpfs(self.at.data, TMPFS)
        self.addCleanup(self.disk.end)
        self.at.start()
        wait_until(lambda: self.at.status()["uplink"]["connected"], "the uplink connects")

    def backlog(self):
        self.link.cut()
        self.begin_load(window=64)
        wait_until(lambda: self.disk.free() < 16 << 20, "a backlog of some MB")
        self.assertEqual(sum(self.dropped().values()), 0)

    def test_a_disk_filled_to_the_brim_costs_the_oldest_of_the_lowest_class_and_heals(self):
        self.backlog()
        pid = self.at.process.pid
        # What comes in while the disk is full is less than what lies there of lower classes: alerts need not go.
        self.load.hold()
        self.disk.fill()
        self.assertEqual(self.disk.free(), 0)
        # First what is allocated already is used up, then samples give way; nothing stands still.
        while self.dropped()["sample"] == 0:
            self.load.allow(150)
            self.progress(100, "on a full disk")
        self.load.allow(1500)
        self.progress(1400, "on a full disk")
        wait_until(lambda: "the disk is full" in self.at.log_tail(), f"the log says so:\n{self.at.log_tail()}")
        self.local_messages_flow("on a full disk")
        dropped = self.dropped()
        self.assertEqual(dropped["alert"], 0, f"lower classes go first: {dropped}")
        self.assertGreater(dropped["sample"], dropped["aggregate"], f"lower classes go first: {dropped}")
        # What room the spool still finds is taken, too, until there is next to none.
        for _ in range(3):
            self.disk.fill()
            self.load.allow(210)
            self.progress(200, "on a disk that is filled again")
        self.load.release()
        self.disk.clear()
        self.progress(500, "after the disk was freed")
        self.assertEqual(self.at.process.pid, pid)
        lost = self.finish(may_lose=["disk_full"])
        self.assertEqual(lost["alert"], 0, "alerts are the last to go")
        self.assertGreater(lost["sample"], 0)

    def test_a_gateway_killed_and_started_on_a_full_disk_works_and_heals(self):
        self.backlog()
        self.disk.fill()
        wait_until(lambda: self.dropped()["sample"] > 0, f"samples give way:\n{self.at.log_tail()}")
        for _ in range(3):
            self.at.kill()
            self.disk.fill()
            self.at.start()
            self.progress(300, "after a start on a full disk")
        self.local_messages_flow("after a start on a full disk")
        self.disk.clear()
        self.progress(1000, "after the disk was freed")
        self.finish(may_lose=["disk_full"], may_count=["corrupt"])

    def test_a_spool_without_anything_to_drop_waits_or_counts_and_heals(self):
        """The disk was full before there was a backlog: nothing gives way but what comes in."""
        self.disk.fill()
        self.begin_load(window=16)
        self.local_messages_flow("on a disk without any room")
        time.sleep(2)
        print("without any room:", self.at.status()["spool"]["degraded"], self.dropped(), flush=True)
        if not self.at.status()["spool"]["degraded"]:
            self.assertGreater(sum(self.dropped().values()), 0, "what is acknowledged has no room and is counted")
            wait_until(lambda: "the disk is full" in self.at.log_tail(), f"the log says so:\n{self.at.log_tail()}")
        self.disk.clear()
        self.progress(500, "after the disk was freed")
        self.finish(may_lose=["disk_full"])


class CloudFull(Disk):
    def test_a_cloud_on_a_full_disk_acknowledges_nothing_and_heals(self):
        self.store = Cloud(self.folder)
        disk = Tmpfs(self.store.data, TMPFS)
        self.addCleanup(disk.end)
        self.addCleanup(self.store.__exit__)
        self.store.start()
        self.link = Link(self.store.mqtt_port)
        self.addCleanup(self.link.__exit__)
        self.at = self.gateway(uplink_port=self.link.port, uplink_more=", retry_max: 1s, ack_timeout: 2s", rules=RULES)
        self.begin_load(window=16, pause=0.001)
        self.progress(1000, "before")
        disk.fill()
        wait_until(lambda: "sluice_cloud_store_failing 1" in self.store.text("/metrics"), f"it says so:\n{self.store.log_tail()}")
        stored = self.store.count()
        self.progress(500, "the gateway takes readings all the same")
        self.assertEqual(self.store.count(), stored)
        self.assertGreater(sum(row["waiting"] for row in self.at.ledger()["events"].values()), 0)
        disk.clear()
        wait_until(lambda: "sluice_cloud_store_failing 0" in self.store.text("/metrics"), f"it is well again:\n{self.store.log_tail()}")
        self.finish()


class Gone(Disk):
    """The data lie on a disk that is mounted where the gateway looks for them."""

    def setUp(self):
        super().setUp()
        self.start(rules=RULES)
        self.real = pathlib.Path(self.folder) / "disk"
        Tmpfs(self.real, "64m")
        self.addCleanup(run, "umount", "-l", self.real)
        (self.real / "data").mkdir(mode=0o700)
        self.at.data.mkdir(mode=0o700)
        self.mounted(self.real / "data")
        self.at.start()

    def mounted(self, what):
        run("mount", "--bind", what, self.at.data)
        self.addCleanup(self.taken_away)

    def taken_away(self):
        if os.path.ismount(self.at.data):
            run("umount", "-l", self.at.data)

    def test_a_read_only_disk_is_survived_and_said_and_heals(self):
        self.begin_load(window=16, pause=0.001)
        self.progress(500, "before")
        # Files that are open stay writable, everything else is not: what a spool meets that opens a file for each segment.
        run("mount", "--bind", self.real / "data", self.at.data)
        run("mount", "-o", "remount,bind,ro", self.at.data)
        self.link.cut()
        self.fill_segments()
        self.degrades("cannot write")
        run("umount", "-l", self.at.data)
        self.heals()

    def test_a_disk_that_is_taken_away_and_put_back_is_survived_and_said(self):
        self.begin_load(window=16, pause=0.001)
        self.progress(500, "before")
        self.link.cut()
        self.taken_away()
        self.fill_segments()
        self.degrades("cannot write")
        self.mounted(self.real / "data")
        self.heals()

    def fill_segments(self):
        """So much that each class needs a new file."""
        with Client(self.at.mqtt_port, "fat") as fat:
            for _ in range(300):
                fat.publish_qos0("load/fat", json.dumps({"device": "f" * 20000, "n": 1}).encode())
            fat.ping()

    def degrades(self, said):
        wait_until(lambda: self.at.status()["spool"]["degraded"], f"the status says so:\n{self.at.log_tail()}")
        wait_until(lambda: "sluice_spool_degraded 1" in self.at.text("/metrics"), "the metrics say so")
        self.assertIn(said, self.at.log_tail(200))
        self.local_messages_flow("without a disk")
        # The queue in memory is bounded: what it cannot take is counted.
        with Client(self.at.mqtt_port, "flood") as flood:
            for _ in range(600):
                flood.publish_qos0("load/flood", json.dumps({"device": "g" * 20000, "n": 1}).encode())
            flood.ping()
        wait_until(lambda: sum(self.dropped().values()) > 0, f"what the memory cannot take is counted: {self.at.ledger()}")
        for name in CLASSES:
            row = self.at.ledger()["events"][name]
            self.assertEqual(row["created"], row["delivered"] + row["waiting"] + sum(row["dropped"].values()), (name, row))
        begin = self.load.acked_count()
        time.sleep(1)
        self.assertEqual(self.load.acked_count(), begin, "what is not on disk is not acknowledged")

    def heals(self):
        wait_until(lambda: not self.at.status()["spool"]["degraded"], f"it is well again by itself:\n{self.at.log_tail()}")
        self.progress(500, "after")
        # What the memory could not take went before it was acknowledged; its readings are settled by being counted.
        self.finish(may_lose=["disk_full"])


class Dying(Disk):
    """The file system fails and becomes read-only; another disk with what could be read from it is put in its place."""

    kept = False  # with a session that waits for its client

    def through_failure_and_exchange(self, rules=RULES):
        self.start(rules=rules, extra="limits: {queue_messages: 1000000, queue_bytes: 64MiB}\n")
        disk = Image(self.folder / "disk-0.img", self.at.data).mount()
        self.addCleanup(disk.end)
        (self.at.data / "lost+found").rmdir()
        self.at.start()
        if self.kept:
            with Client(self.at.mqtt_port, "keeps", clean=False) as keeps:
                keeps.subscribe("load/#", qos=1)
        self.begin_load(window=16, pause=0.001)
        self.progress(500, "before")
        self.link.cut()
        self.progress(200, "a backlog")
        disk.fail()
        wait_until(lambda: self.at.status()["spool"]["degraded"], f"the status says so:\n{self.at.log_tail()}")
        self.local_messages_flow("on a dead disk")
        begin = self.load.acked_count()
        time.sleep(1)
        self.assertEqual(self.load.acked_count(), begin, "what is not on disk is not acknowledged")
        other = disk.clone("disk-1.img").repair()
        disk.end()  # it is really gone when its last file is closed
        other.mount()
        self.addCleanup(other.end)
        wait_until(lambda: not self.at.status()["spool"]["degraded"], f"it is well again by itself:\n{self.at.log_tail()}")

    def test_sessions_are_kept_again_after_the_exchange(self):
        self.kept = True
        self.through_failure_and_exchange()
        wait_until(lambda: "sluice_sessions_degraded 0" in self.at.text("/metrics"), f"sessions are kept again:\n{self.at.log_tail()}")
        self.progress(500, "after")
        self.finish()
        self.at.start()
        with Client(self.at.mqtt_port, "keeps", clean=False) as keeps:
            self.assertTrue(keeps.session_present)
            numbers = collections.defaultdict(set)
            count = len(self.load.acked())
            try:
                while sum(map(len, numbers.values())) < count:
                    data = json.loads(keeps.next_message()[1])
                    numbers[data["device"]].add(data["n"])
            except TimeoutError:
                pass  # then the next lines say what is missing
            for each in self.load.publishers:
                missing = each.acked - numbers[each.name_]
                self.assertEqual(missing, set(), f"{each.name_}: acknowledged, and did not wait for the subscriber")

    def test_rule_state_is_kept_again_after_the_exchange(self):
        """Each row has the number of the reading before it: also after an exchange and a kill the chain has no break."""
        self.through_failure_and_exchange(CHAIN_RULES)
        self.progress(300, "after")
        self.link.restore()
        self.at.kill()
        self.at.start()
        self.progress(300, "after a kill")
        self.finish(may_count=["corrupt"])
        last = {}
        for event in self.store.events(rule="one"):
            data = event["data"]
            self.assertEqual(data["before"], last.get(data["device"]), f"a reading that was never counted, or twice: {data}")
            last[data["device"]] = data["n"]

    def test_a_dead_disk_of_the_cloud_is_survived_and_its_exchange_needs_a_restart_at_most(self):
        self.store = Cloud(self.folder)
        disk = Image(self.folder / "cloud-0.img", self.store.data).mount()
        self.addCleanup(disk.end)
        self.addCleanup(self.store.__exit__)
        (self.store.data / "lost+found").rmdir()
        self.store.start()
        self.link = Link(self.store.mqtt_port)
        self.addCleanup(self.link.__exit__)
        self.at = self.gateway(uplink_port=self.link.port, uplink_more=", retry_max: 1s, ack_timeout: 2s", rules=RULES)
        self.begin_load(window=16, pause=0.002)
        self.progress(300, "before")
        disk.fail()
        wait_until(lambda: "sluice_cloud_store_failing 1" in self.store.text("/metrics"), f"it says so:\n{self.store.log_tail()}")
        self.progress(300, "the gateway takes readings all the same")
        other = disk.clone("cloud-1.img").repair()
        disk.end()
        other.mount()
        self.addCleanup(other.end)
        self.store.kill()
        self.store.start()
        self.progress(300, "after")
        self.finish()

    def test_a_disk_that_dies_and_is_exchanged_is_survived(self):
        self.through_failure_and_exchange()
        self.progress(500, "after")
        self.finish()


if __name__ == "__main__":
    main()
