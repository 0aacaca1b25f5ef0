"""A link between gateway and cloud that fails in every way a network can, again and again, under load: each event is in the cloud once
and in order, local messages do not notice, and the gateway comes back each time.

SLUICE_FLAPS sets how often the link fails (100); SLUICE_PAUSE the seconds between two readings of a publisher (0.004); SLUICE_SEED repeats
a run's failures and moments as far as an operating system lets one.
"""

import os
import random
import time

from sluice_system.case import SystemCase, main
from sluice_system.daemons import wait_until
from sluice_system.link import MODES, Link
from sluice_system.load import RULES, Load, Watcher, verify

FLAPS = int(os.environ.get("SLUICE_FLAPS", "100"))
PAUSE = float(os.environ.get("SLUICE_PAUSE", "0.004"))
SEED = int(os.environ.get("SLUICE_SEED", "0")) or random.SystemRandom().randrange(1, 2**32)

# Short, so that silence is noticed within the test's time.
UPLINK = ", ack_timeout: 1s, keep_alive: 2s, retry_max: 1s"
HOSTILE = [mode for mode in MODES if mode != "pass"]


class Flaps(SystemCase):
    def setUp(self):
        super().setUp()
        print(f"SLUICE_SEED={SEED} SLUICE_FLAPS={FLAPS}", flush=True)
        self.random = random.Random(SEED)
        self.store = self.cloud()
        self.link = Link(self.store.mqtt_port, seed=SEED)
        self.addCleanup(self.link.__exit__)
        self.at = self.gateway(uplink_port=self.link.port, uplink_more=UPLINK, rules=RULES)
        wait_until(lambda: self.at.status()["uplink"]["connected"], "the uplink connects")

    def watch(self):
        watcher = Watcher(self.at.mqtt_port)
        self.addCleanup(watcher.client.close)
        return watcher

    def finish(self, load, watcher):
        self.link.restore()
        wait_until(lambda: self.at.status()["uplink"]["connected"], f"the uplink comes back by itself:\n{self.at.log_tail()}")
        load.stop()
        wait_until(self.at.drained, "everything is in the cloud")
        try:
            verify(self, load, self.store, self.at)
        except AssertionError:
            print(f"gateway:\n{self.at.log_tail(200)}\ncloud:\n{self.store.log_tail(200)}", flush=True)
            raise
        wait_until(lambda: watcher.count() >= load.sent(), f"{load.sent()} local messages, {watcher.count()} came")
        for each in load.publishers:
            self.assertEqual(watcher.seen[each.name_], list(range(each.sent)), "local messages are complete and in order")
        self.assertEqual(self.at.stop(), 0, self.at.log_tail())

    def test_a_link_that_fails_in_every_way_loses_and_doubles_nothing(self):
        watcher = self.watch()
        load = Load(self.at.mqtt_port, window=16, pause=PAUSE)
        heard, progress = 0, 0
        modes = [HOSTILE[number % len(HOSTILE)] for number in range(FLAPS)]
        self.random.shuffle(modes)
        for number, mode in enumerate(modes, start=1):
            self.link.become(mode)
            time.sleep(self.random.choice((0.02, 0.1, 0.3)) * self.random.random() + (1.2 if self.random.random() < 0.05 else 0))
            if self.random.random() < 0.7:  # else the next failure follows at once
                self.link.restore()
                time.sleep(self.random.uniform(0, 0.4))
            if number % 25 == 0:
                self.link.restore()
                delivered = self.delivered()
                wait_until(lambda: self.delivered() > delivered, f"events flow again after flap {number}, {mode}:\n{self.at.log_tail()}")
                self.assertGreater(self.delivered(), progress)
                self.assertGreater(watcher.count(), heard, "local messages go on")
                heard, progress = watcher.count(), self.delivered()
        uplink = self.at.status()["uplink"]
        print(f"{FLAPS} flaps, {self.link.connections} connections, {uplink['failures']} failures, {uplink['stalls']} stalls, "
              f"{uplink['events_sent']} events sent, {uplink['events_acked']} acknowledged", flush=True)
        self.finish(load, watcher)

    def delivered(self) -> int:
        return sum(row["delivered"] for row in self.at.ledger()["events"].values())

    def test_every_kind_of_silence_is_noticed_and_said(self):
        """A link that fails for longer than the gateway waits: it says so and makes a new connection as soon as one can be made."""
        watcher = self.watch()
        load = Load(self.at.mqtt_port, publishers=1, window=16, pause=0.01)
        for mode in ("black_hole", "swallow", "lose_acks", "half_open", "refuse"):
            with self.subTest(mode=mode):
                heard = watcher.count()
                self.link.become(mode)
                wait_until(lambda: self.at.status()["uplink"]["trouble"] != "none", f"{mode}: the status says that something is wrong")
                print(mode, self.at.status()["uplink"]["trouble"], flush=True)
                self.link.restore()
                wait_until(lambda: self.at.status()["uplink"]["connected"], f"{mode}: it comes back")
                wait_until(lambda: watcher.count() > heard, f"{mode}: local messages go on")
        self.finish(load, watcher)


if __name__ == "__main__":
    main()
