"""The benchmarks run: each kind of point once, short, with few connections. What they measure is not judged here."""

import json
import pathlib
import shutil
import subprocess
import sys
import unittest

from sluice_system.case import SystemCase, main
from sluice_system.daemons import BINARY

BUILD = pathlib.Path(BINARY).resolve().parent
BENCH = pathlib.Path(__file__).resolve().parents[2] / "bench"
NEEDED = [(BUILD / "sluice_loadgen").exists(), (BUILD / "sluice_null_sink").exists()]
DAEMONS = [shutil.which(name, path="/usr/bin:/usr/sbin") for name in ("mosquitto", "nats-server")]


@unittest.skipUnless(all(NEEDED) and all(DAEMONS), "needs the load generator, the null sink, mosquitto and nats-server")
class Benchmarks(SystemCase):
    def quick(self, script, *options):
        done = subprocess.run([sys.executable, BENCH / script, "--build", BUILD, "--quick", "--json", "-", *options],
                              capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def test_every_server_takes_batches_and_the_ratios_are_there(self):
        report = self.quick("broker.py", "--only", "batched")
        for point in report["points"]:
            self.assertEqual(set(point["servers"]), {"null", "gateway", "mosquitto", "nats"})
            self.assertEqual(set(point["gateway_by"]), {"null", "mosquitto", "nats"})
            for server in point["servers"].values():
                self.assertGreater(server["messages_per_second"], 0)

    def test_paced_sensors_have_their_alerts_timed_and_compared(self):
        report = self.quick("broker.py", "--only", "paced")
        for point in report["points"]:
            self.assertTrue(point["servers"]["gateway"]["alerts"]["perfect"], point)
            for name in ("gateway", "null"):
                self.assertGreater(point["servers"][name]["alert_ms"]["count"], 0, point)

    def test_messages_to_many_arrive_once_and_in_order_at_every_broker(self):
        # The load generator ends with an error otherwise.
        report = self.quick("broker.py", "--only", "fan-out")
        self.assertEqual(len(report["points"]), 4)

    def test_idle_connections_are_weighed(self):
        idle = self.quick("broker.py", "--only", "idle")["idle"]
        self.assertEqual(set(idle["servers"]), {"null", "gateway", "mosquitto", "nats"})
        self.assertGreater(idle["servers"]["gateway"]["bytes_per_connection"], 0)

    def test_what_a_durable_event_costs(self):
        points = self.quick("spool.py")["points"]
        for point in points.values():
            for writer in ("spool", "plain", "sqlite"):
                self.assertGreater(point[writer]["events_per_second"], 0)
        self.assertEqual(points["1,000 events"]["events_per_commit"], 1000)

    def test_a_backlog_drains_beside_alerts(self):
        report = self.quick("drain.py")
        self.assertGreater(report["events_per_second"], 0)
        self.assertGreater(report["alert_ms"]["count"], 0)

    def test_ingest(self):
        report = self.quick("ingest.py")
        self.assertEqual(len(report["full_speed"]), 4)


if __name__ == "__main__":
    main()
