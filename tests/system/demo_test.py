"""The demo, the simulator and the built-in benchmark: small runs of the real thing, and an end that leaves nothing behind."""

import json
import os
import pathlib
import signal
import subprocess

from sluice_system.case import SystemCase, main
from sluice_system.daemons import BINARY, PATIENCE, free_port, wait_until

RUN_SECONDS = 240  # plant, gateway and cloud share a machine that may be busy


def children_of(process: int) -> list:
    return pathlib.Path(f"/proc/{process}/task/{process}/children").read_text(encoding="ascii").split()


class Demo(SystemCase):
    def environment(self):
        return {**os.environ, "TMPDIR": str(self.folder)}

    def test_a_small_demo_proves_that_nothing_is_lost_and_cleans_up(self):
        done = subprocess.run([BINARY, "demo", "--sensors", "40", "--seconds", "6", "--json"], capture_output=True, text=True,
                              timeout=RUN_SECONDS, env=self.environment(), check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        report = json.loads(done.stdout)
        self.assertTrue(report["ok"])
        self.assertTrue(all(check["ok"] for check in report["checks"]))
        self.assertEqual(report["sent"], report["acknowledged"])
        self.assertGreater(report["ledger"]["alert"]["in_cloud"], 0)
        self.assertAlmostEqual(report["cost"]["price_per_million"], 50000 / 25920, places=4)
        self.assertIn("page of the gateway", done.stderr)
        self.assertEqual(list(self.folder.iterdir()), [], "the demo left something behind")

    def test_ctrl_c_ends_the_daemons_too_and_removes_the_data(self):
        log = self.folder / "stderr"
        temporary = self.folder / "tmp"
        temporary.mkdir()
        with open(log, "wb") as out, subprocess.Popen([BINARY, "demo", "--sensors", "10"], stdout=subprocess.DEVNULL, stderr=out,
                                                      env={**os.environ, "TMPDIR": str(temporary)}) as demo:
            wait_until(lambda: b"publishing" in log.read_bytes(), "the demo to publish")
            children = children_of(demo.pid)
            self.assertEqual(len(children), 2)
            demo.send_signal(signal.SIGINT)
            self.assertEqual(demo.wait(PATIENCE), 1)
        for child in children:
            self.assertFalse(pathlib.Path(f"/proc/{child}").exists())
        self.assertIn(b"stopped", log.read_bytes())
        self.assertEqual(list(temporary.iterdir()), [])

    def test_daemons_do_not_outlive_a_killed_demo(self):
        log = self.folder / "stderr"
        with open(log, "wb") as out, subprocess.Popen([BINARY, "demo", "--sensors", "10"], stdout=subprocess.DEVNULL, stderr=out,
                                                      env=self.environment()) as demo:
            wait_until(lambda: b"page of the gateway" in log.read_bytes(), "the demo to start its daemons")
            children = children_of(demo.pid)
            demo.kill()
            demo.wait(PATIENCE)
        wait_until(lambda: not any(pathlib.Path(f"/proc/{child}").exists() for child in children), "the daemons to end")


class Sim(SystemCase):
    def test_the_simulator_says_which_alerts_must_come_and_exactly_these_come(self):
        gateway = self.gateway()
        expected = self.folder / "expected.ndjson"
        done = subprocess.run([BINARY, "sim", "--to", f"mqtt://127.0.0.1:{gateway.mqtt_port}", "--sensors", "20", "--rate", "100",
                               "--seconds", "3", "--spikes", "0.02", "--seed", "5", "--expect", str(expected), "--json"],
                              capture_output=True, text=True, timeout=RUN_SECONDS, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        summary = json.loads(done.stdout)
        self.assertEqual(summary["sent"], 20 * 300)
        self.assertEqual(summary["acknowledged"], summary["sent"])
        rows = [json.loads(line) for line in expected.read_text(encoding="ascii").splitlines()]
        self.assertEqual(len(rows), summary["expected_alerts"])
        self.assertEqual(sum(row["spike"] for row in rows), summary["spikes"])
        self.assertGreater(summary["spikes"], 0)
        self.assertFalse(any("tie" in row for row in rows))
        wait_until(lambda: gateway.status()["ledger"]["events"]["alert"]["created"] == len(rows), "the alerts")

    def test_nobody_listening_is_one_clear_line_and_exit_1(self):
        done = subprocess.run([BINARY, "sim", "--to", f"mqtt://127.0.0.1:{free_port()}", "--seconds", "1"], capture_output=True, text=True,
                              timeout=PATIENCE, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"^sim: error: nothing listens at mqtt://127\.0\.0\.1:\d+: is the gateway running.*\n$")

    def test_wrong_use_is_exit_2(self):
        for arguments in (["--to", "http://x"], ["--sensors", "0"], ["--spikes", "2"], ["--qos", "2"],
                          ["--sensors", "100000", "--rate", "1000"]):
            done = subprocess.run([BINARY, "sim", *arguments], capture_output=True, text=True, timeout=PATIENCE, check=False)
            self.assertEqual(done.returncode, 2, f"{arguments}: {done.stderr}")


class Bench(SystemCase):
    def test_the_built_in_benchmark_measures_and_checks_its_alerts(self):
        done = subprocess.run([BINARY, "bench", "--connections", "5", "--seconds", "0.5", "--sensors", "20", "--rate", "1000",
                               "--steady-seconds", "3", "--json"],
                              capture_output=True, text=True, timeout=RUN_SECONDS, env={**os.environ, "TMPDIR": str(self.folder)},
                              check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        full_speed_0, full_speed_1, steady = json.loads(done.stdout)
        for row in (full_speed_0, full_speed_1):
            self.assertGreater(row["messages"], 0)
            self.assertEqual(row["reconnects"], 0)
        self.assertTrue(steady["alerts"]["perfect"])
        self.assertGreater(steady["alert_ms"]["count"], 0)
        self.assertEqual(list(self.folder.iterdir()), [])


if __name__ == "__main__":
    main()
