"""The wall clock lies: it begins in 1970, jumps years either way and steps while the gateway runs. Nothing is lost, doubled or expired, and
a window of arrival time takes each reading once.

Needs libfaketime (Debian: faketime), which tells the processes what time it is; intervals stay the machine's own."""

import collections
import glob
import time
import unittest

from sluice_system.case import SystemCase, main
from sluice_system.daemons import Gateway, wait_until
from sluice_system.link import Link
from sluice_system.load import RULES, Load, Watcher, verify

LIBRARY = next(iter(glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")), None)
WINDOWS = RULES + '''  - id: window
    sql: "SELECT device, window_start() AS w, collect(n) AS ns FROM 'load/+' GROUP BY device, TUMBLINGWINDOW(ms, 200)"
    to: [{topic: "windows/{device}"}]
'''
STEPS = ["1970-01-01 00:00:01", "2026-06-01 12:00:00", "2076-06-01 12:00:00", "2026-06-01 12:00:10", "2026-06-01 11:59:55",
         "1970-01-01 00:00:01", "2037-12-31 23:59:59", "2038-01-19 03:14:06", "2026-06-01 12:01:00"]


@unittest.skipUnless(LIBRARY, "needs libfaketime")
class Clock(SystemCase):
    def setUp(self):
        super().setUp()
        self.store = self.cloud()
        self.link = Link(self.store.mqtt_port)
        self.addCleanup(self.link.__exit__)
        self.time = self.folder / "time"
        self.at = Gateway(self.folder, uplink_port=self.link.port, uplink_more=", retry_max: 1s", rules=WINDOWS)
        self.addCleanup(self.at.__exit__)
        self.at.environment = {"LD_PRELOAD": LIBRARY, "FAKETIME_TIMESTAMP_FILE": str(self.time), "FAKETIME_NO_CACHE": "1",
                               "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1", "TZ": "UTC", "NO_FAKE_STAT": "1"}

    def set(self, moment):
        """The clock goes on from there."""
        draft = self.time.with_suffix(".new")
        draft.write_text(f"@{moment}\n")
        draft.rename(self.time)

    def year_of(self, event):
        return time.gmtime(event["ts"] / 1000).tm_year

    def test_jumps_while_it_runs_lose_double_and_expire_nothing(self):
        self.set(STEPS[0])
        self.at.start()
        self.assertIn("1970-01-01", self.at.log_tail(), "the gateway believes it")
        watcher = Watcher(self.at.mqtt_port, more=["windows/#"])
        self.addCleanup(watcher.client.close)
        load = Load(self.at.mqtt_port, window=16, pause=0.002)
        for number, moment in enumerate(STEPS):
            if number % 3 == 2:
                self.link.cut()  # a backlog that meets the jump: nothing may expire
            heard, acked = watcher.count(), load.acked_count()
            self.set(moment)
            wait_until(lambda: load.acked_count() > acked + 200, f"readings are acknowledged at {moment}:\n{self.at.log_tail()}")
            wait_until(lambda: watcher.count() > heard + 200, f"local messages flow at {moment}")
            self.link.restore()
        load.stop()
        wait_until(self.at.drained, f"everything is in the cloud\n{self.at.log_tail()}")
        verify(self, load, self.store, self.at)
        years = {self.year_of(event) for event in self.store.events(**{"class": "alert"})}
        self.assertLessEqual({1970, 2026, 2076}, years)
        self.windows_are_complete(watcher, load)
        self.assertEqual(self.at.stop(), 0, self.at.log_tail())

    def windows_are_complete(self, watcher, load):
        def collected():
            found = collections.defaultdict(list)
            for topic, row in list(watcher.others):
                found[row["device"]].extend(row["ns"])
            return found

        wait_until(lambda: all(len(collected()[each.name_]) >= each.sent for each in load.publishers), "the last windows close")
        for each in load.publishers:
            self.assertEqual(collected()[each.name_], list(range(each.sent)), "each reading is in one window, in order")

    def test_restarts_in_other_years_keep_the_backlog(self):
        self.link.cut()
        self.set(STEPS[0])
        self.at.start()
        load = Load(self.at.mqtt_port, window=16, pause=0.002)
        for moment in STEPS:
            acked = load.acked_count()
            wait_until(lambda: load.acked_count() > acked + 100, "readings are acknowledged")
            self.at.kill()
            self.set(moment)
            self.at.start()
        self.link.restore()
        load.stop()
        wait_until(self.at.drained, f"everything is in the cloud\n{self.at.log_tail()}")
        verify(self, load, self.store, self.at, may_count=["corrupt"])
        self.assertEqual(self.at.stop(), 0, self.at.log_tail())


if __name__ == "__main__":
    main()
