"""What an acknowledgement waits for: strace makes each sync of the spool's files take seconds, and the sender looks at the clock.

An alert of a rule with state, and an alert beside events of other classes, are safe in the journal of rule state with one sync. An event of
a rule without state waits for the spool, which shows that the syncs are slow at all. Then kill -9, while the spool is still in its sync.
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import time
import unittest

from sluice_system.case import SystemCase, main
from sluice_system.daemons import Gateway, wait_until
from sluice_system.mqtt import Client

SYNC_SECONDS = 4
RULES = """rules:
  - {id: state, sql: "SELECT n, lag(n) OVER (PARTITION BY device) AS before FROM 'state/+'", to: [{cloud: alert}]}
  - {id: both, sql: "SELECT n FROM 'both/+'", to: [{cloud: alert}]}
  - {id: sample, sql: "SELECT n FROM 'both/+'", to: [{cloud: sample}]}
  - {id: plain, sql: "SELECT n FROM 'plain/+'", to: [{cloud: alert}]}
"""


@unittest.skipUnless(shutil.which("strace"), "needs strace")
class OneSync(SystemCase):
    def setUp(self):
        super().setUp()
        self.store = self.cloud()
        self.at = self.gateway(uplink_port=self.store.mqtt_port, rules=RULES)
        self.sent = 0

    def slow_syncs(self):
        """From now on, of the segments that are there: those that are written for a while, since they have room for far more."""
        segments = [str(path.resolve()) for path in (self.at.data / "spool").glob("*.seg")]
        self.assertEqual(len(segments), 2, "a segment for each class that has had an event")
        self.trace = self.folder / "strace.txt"
        command = ["strace", "-f", "-p", str(self.at.process.pid), "-o", str(self.trace), "-e", "trace=fdatasync",
                   "-e", f"inject=fdatasync:delay_enter={SYNC_SECONDS * 1_000_000}"]
        for each in segments:
            command += ["-P", each]
        self.tracer = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        self.addCleanup(self.tracer.stderr.close)
        self.addCleanup(self.tracer.kill)
        said = self.tracer.stderr.readline()
        if "attached" not in said:
            self.skipTest(f"strace cannot attach: {said}")

    def seconds_to_ack(self, topic: str) -> float:
        self.sent += 1
        begin = time.monotonic()
        with Client(self.at.mqtt_port, f"sender-{self.sent}") as client:
            client.publish(topic, json.dumps({"device": "a", "n": self.sent}).encode())
            client.next_ack()
            return time.monotonic() - begin

    def test_is_all_that_an_alert_waits_for(self):
        for topic in ("state/a", "both/a", "plain/a"):
            self.seconds_to_ack(topic)
        wait_until(self.at.drained, "nothing is left to sync")
        self.slow_syncs()
        took = {}
        for topic in ("state/a", "both/a", "plain/a"):
            took[topic] = self.seconds_to_ack(topic)
            wait_until(self.at.drained, "the spool has it, and the cloud", 60)
        print({topic: round(seconds, 3) for topic, seconds in took.items()}, flush=True)
        self.assertGreater(took["plain/a"], SYNC_SECONDS * 0.9, "the syncs are slow")
        self.assertLess(took["state/a"], SYNC_SECONDS * 0.9)
        self.assertLess(took["both/a"], SYNC_SECONDS * 0.9)
        self.seconds_to_ack("state/a")  # the spool is in its sync now
        self.at.kill()
        self.tracer.wait()
        self.at.start()
        wait_until(self.at.drained, "what was acknowledged is delivered")
        # A row for each, and two for those of both/a.
        self.assertEqual(sorted(event["data"]["n"] for event in self.store.events()), [1, 2, 2, 3, 4, 5, 5, 6, 7])


def syncs_of(gateway):
    return int(re.search(r"^sluice_state_journal_syncs_total (\d+)$", gateway.text("/metrics"), re.M).group(1))


@unittest.skipUnless(os.path.isdir("/dev/shm"), "needs a file system in memory")
class FastDisk(unittest.TestCase):
    def test_is_not_synced_for_every_acknowledgement(self):
        """In memory a sync takes no time: as many as turns, thousands a second, would wear out flash and cost more than the rules."""
        with (tempfile.TemporaryDirectory(dir="/dev/shm") as folder,
              Gateway(pathlib.Path(folder), rules=RULES, extra_gateway="latency: low") as at):
            senders = [Client(at.mqtt_port, f"sender-{index}") for index in range(8)]
            before = syncs_of(at)
            begin = time.monotonic()
            acknowledged = 0
            while time.monotonic() - begin < 1:
                for index, sender in enumerate(senders):
                    sender.publish(f"state/{index}", json.dumps({"device": str(index), "n": acknowledged}).encode())
                for sender in senders:
                    sender.next_ack()
                    acknowledged += 1
            milliseconds = (time.monotonic() - begin) * 1000
            syncs = syncs_of(at) - before
            for sender in senders:
                sender.close()
            print(f"{acknowledged} acknowledged in {milliseconds:.0f} ms with {syncs} syncs of the journal", flush=True)
            self.assertLess(syncs, 1.1 * milliseconds + 10)
            self.assertGreater(acknowledged, syncs / 2, "they were waited for together")


if __name__ == "__main__":
    main()
