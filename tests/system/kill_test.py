"""kill -9 at random moments under QoS 1 load: every event of an acknowledged reading reaches the cloud exactly once, in order.

SLUICE_KILLS sets how often each daemon is killed (50); SLUICE_PAUSE the seconds between two readings of a publisher (0); SLUICE_SEED
repeats a run's moments as far as an operating system lets one.
"""

import os
import random
import time

from sluice_system.case import SystemCase, main
from sluice_system.daemons import Cloud, Gateway, wait_until
from sluice_system.load import RULES, Load, verify

KILLS = int(os.environ.get("SLUICE_KILLS", "50"))
SEED = int(os.environ.get("SLUICE_SEED", "0")) or random.SystemRandom().randrange(1, 2**32)

# Long runs publish less, so that the end of the test needs no hour.
PAUSE = float(os.environ.get("SLUICE_PAUSE", "0"))


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
        load = Load(at.mqtt_port, pause=PAUSE)
        kills = [at] * gateway_kills + [store] * cloud_kills
        self.random.shuffle(kills)
        for daemon in kills:
            time.sleep(self.random.uniform(0.0, 0.4))  # the random moment; nothing is waited for here
            daemon.kill()
            daemon.start()
        load.stop()
        wait_until(at.drained, "everything acknowledged is in the cloud")
        verify(self, load, store, at)
        self.assertEqual(at.stop(), 0, at.log_tail())

    def test_killing_the_gateway_loses_and_doubles_nothing(self):
        self.under_load(gateway_kills=KILLS, cloud_kills=0)

    def test_killing_the_cloud_loses_and_doubles_nothing(self):
        self.under_load(gateway_kills=0, cloud_kills=KILLS)

    def test_killing_both_in_any_order_loses_and_doubles_nothing(self):
        self.under_load(gateway_kills=KILLS // 5, cloud_kills=KILLS // 5)


if __name__ == "__main__":
    main()
