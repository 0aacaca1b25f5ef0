"""Power cuts under load. The data lie on an ext4 file system in a file, over a loop device. The processes are stopped at a random moment,
the file is copied (what nobody synced is not in it), they are killed, and the copy is what the machine finds when it comes back.

What this cannot show: a medium that has taken a write and forgets it although it was told to flush (the loop device's file is the medium).

Needs root. SLUICE_CUTS: how often the power goes (6); SLUICE_SEED repeats the moments as far as an operating system lets one."""

import os
import random
import signal
import time

from sluice_system.case import SystemCase, main
from sluice_system.daemons import Cloud, Gateway, wait_until
from sluice_system.link import Link
from sluice_system.load import RULES, Load, verify
from sluice_system.mounts import Image, own_mounts

CUTS = int(os.environ.get("SLUICE_CUTS", "6"))
PAUSE = float(os.environ.get("SLUICE_PAUSE", "0.001"))
SEED = int(os.environ.get("SLUICE_SEED", "0")) or random.SystemRandom().randrange(1, 2**32)
STATEFUL = RULES + '''  - id: chain
    sql: "SELECT device, n, lag(n) OVER (PARTITION BY device) AS before FROM 'load/+'"
    to: [{topic: "chain/{device}"}]
'''


def setUpModule():
    own_mounts()


class Power(SystemCase):
    def setUp(self):
        super().setUp()
        print(f"SLUICE_SEED={SEED} SLUICE_CUTS={CUTS}", flush=True)
        self.random = random.Random(SEED)
        self.witnesses = self.forgotten = 0

    def disk_of(self, daemon):
        disk = Image(self.folder / f"{daemon.command}-0.img", daemon.data).mount()
        self.disks[daemon] = disk
        self.addCleanup(lambda: self.disks[daemon].end())
        (daemon.data / "lost+found").rmdir()

    def cut(self, daemon, number):
        """The power goes and comes back."""
        disk = self.disks[daemon]
        witness = daemon.data / f"witness-{number}"
        witness.write_text("here")  # not synced: proves that the copy forgets what was not
        daemon.process.send_signal(signal.SIGSTOP)
        copy = disk.clone(f"{daemon.command}-{number}.img")
        daemon.kill()
        disk.end()
        disk.file.unlink()
        self.disks[daemon] = copy.mount()
        self.witnesses += 1
        self.forgotten += not (witness.exists() and witness.read_text() == "here")
        daemon.start()

    def under_load(self, of_gateway, of_cloud, rules=RULES):
        store = Cloud(self.folder)
        link = Link(store.mqtt_port)
        at = Gateway(self.folder, uplink_port=link.port, uplink_more=", retry_max: 1s, ack_timeout: 2s", rules=rules,
                     extra="state: {checkpoint: 1s}\n")
        self.disks = {}
        for daemon, wanted in ((store, of_cloud), (at, of_gateway)):
            if wanted:
                self.disk_of(daemon)
        self.addCleanup(store.__exit__)
        self.addCleanup(at.__exit__)
        self.addCleanup(link.__exit__)
        store.start()
        at.start()
        load = Load(at.mqtt_port, pause=PAUSE, window=32)
        for number in range(1, CUTS + 1):
            # Some backlog, some of the time.
            if number % 3 == 0:
                link.cut()
            else:
                link.restore()
            time.sleep(self.random.uniform(0.05, 0.6))
            self.cut(self.random.choice(list(self.disks)), number)
        link.restore()
        load.stop()
        wait_until(at.drained, f"everything acknowledged is in the cloud\n{at.log_tail()}")
        # A torn write had no acknowledgement, and is counted.
        verify(self, load, store, at, may_count=["corrupt"])
        self.assertEqual(at.stop(), 0, at.log_tail())
        self.assertGreater(self.forgotten, self.witnesses // 2, "the copies must forget what was not synced, or this test shows nothing")
        print(f"{CUTS} cuts, {self.forgotten} of {self.witnesses} unsynced files were gone", flush=True)

    def test_power_cuts_of_the_gateway_lose_nothing_that_was_acknowledged(self):
        self.under_load(True, False)

    def test_power_cuts_of_a_gateway_with_rule_state_lose_nothing_that_was_acknowledged(self):
        self.under_load(True, False, STATEFUL)

    def test_power_cuts_of_gateway_and_cloud_lose_nothing_that_was_acknowledged(self):
        self.under_load(True, True)


if __name__ == "__main__":
    main()
