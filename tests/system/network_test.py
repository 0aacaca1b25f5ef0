"""Gateway and cloud on two machines, as far as the kernel can tell: a cable that is unplugged in the middle of a batch, on either end, and
links so slow that every batch takes its time. Real routes that vanish, real retransmissions, no proxy that ends connections politely.

Needs root, network namespaces, veth and tbf. SLUICE_UNPLUGS: how often (12); SLUICE_SEED repeats the moments."""

import os
import random
import time

from sluice_system.case import SystemCase, main
from sluice_system.daemons import Cloud, wait_until
from sluice_system.load import RULES, Load, Watcher, verify
from sluice_system.network import Cable

UNPLUGS = int(os.environ.get("SLUICE_UNPLUGS", "12"))
PAUSE = float(os.environ.get("SLUICE_PAUSE", "0.002"))
SEED = int(os.environ.get("SLUICE_SEED", "0")) or random.SystemRandom().randrange(1, 2**32)


class Cables(SystemCase):
    def setUp(self):
        super().setUp()
        print(f"SLUICE_SEED={SEED} SLUICE_UNPLUGS={UNPLUGS}", flush=True)
        self.random = random.Random(SEED)
        self.cable = Cable()
        self.addCleanup(self.cable.end)
        self.store = Cloud(self.folder, host=self.cable.far_address, extra="auth: {anonymous: true}\n")
        self.store.prefix = self.cable.prefix()
        self.addCleanup(self.store.__exit__)
        self.store.start()
        self.at = self.gateway(uplink_host=self.cable.far_address, uplink_port=self.store.mqtt_port, rules=RULES,
                               uplink_more=", retry_max: 1s, ack_timeout: 2s, keep_alive: 2s")
        wait_until(lambda: self.at.status()["uplink"]["connected"], f"the uplink connects\n{self.at.log_tail()}")
        self.watcher = Watcher(self.at.mqtt_port)
        self.addCleanup(self.watcher.client.close)

    def finish(self, load):
        load.stop()
        wait_until(lambda: self.watcher.count() >= load.sent(), "local messages are complete")
        wait_until(self.at.drained, f"everything is in the cloud\n{self.at.log_tail()}", patience=120)
        verify(self, load, self.store, self.at)
        uplink = self.at.status()["uplink"]
        print(f"{uplink['connections']} connections, {uplink['stalls']} stalls, {uplink['events_sent']} events sent", flush=True)
        self.assertEqual(self.at.stop(), 0, self.at.log_tail())

    def test_a_cable_unplugged_in_the_middle_of_batches_loses_and_doubles_nothing(self):
        load = Load(self.at.mqtt_port, window=32, pause=PAUSE)
        for number in range(1, UNPLUGS + 1):
            end = self.random.choice(("near", "far"))
            time.sleep(self.random.uniform(0, 0.5))
            self.cable.plug(end, "down")
            heard = self.watcher.count()
            # Short ones TCP hides; long ones the gateway has to notice.
            time.sleep(3 if number % 6 == 0 else self.random.uniform(0, 0.5))
            wait_until(lambda: self.watcher.count() > heard, "local messages go on")
            self.cable.plug(end, "up")
            if number % 4 == 0:
                wait_until(lambda: self.at.status()["uplink"]["connected"], f"it comes back\n{self.at.log_tail()}")
        wait_until(lambda: self.at.status()["uplink"]["connected"], f"it comes back\n{self.at.log_tail()}")
        self.finish(load)

    def test_a_slow_link_that_is_cut_now_and_then_carries_everything_once(self):
        self.cable.rate("256kbit")
        load = Load(self.at.mqtt_port, window=32, pause=0.004)
        for _ in range(3):
            time.sleep(2)
            self.cable.plug("far", "down")
            time.sleep(self.random.uniform(0.1, 1))
            self.cable.plug("far", "up")
        self.assertGreater(load.acked_count(), 300, "a slow cloud is no reason to take fewer readings")
        begin = sum(row["delivered"] for row in self.at.ledger()["events"].values())
        wait_until(lambda: sum(row["delivered"] for row in self.at.ledger()["events"].values()) > begin, "the slow link carries something")
        self.cable.rate(None)
        self.finish(load)


if __name__ == "__main__":
    main()
