"""`sluice tap` and `sluice replay` as a user runs them."""

import json
import signal
import subprocess
import time

from sluice_system.case import SystemCase, main
from sluice_system.daemons import BINARY, PATIENCE, free_port, wait_until
from sluice_system.link import Link
from sluice_system.mqtt import Client

ROWS = 3000


class Commands(SystemCase):
    def table(self, rows=ROWS, step_ms=1):
        """A file of numbered rows, measured `step_ms` apart."""
        file = self.folder / "rows.csv"
        lines = "".join(f"{1700000000000 + i * step_ms};{i};\n" for i in range(rows))
        file.write_text("ts;n;empty\n" + lines, encoding="utf-8")
        return file

    def start(self, *arguments, stdout=subprocess.PIPE):
        process = subprocess.Popen([BINARY, *map(str, arguments)], stdout=stdout, stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.wait)
        if process.stdout:
            self.addCleanup(process.stdout.close)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.kill)
        return process

    def tap(self, gateway, *arguments):
        """A tap that has begun to listen."""
        process = self.start("tap", "--at", gateway.url, *arguments)
        self.assertIn("listening", process.stderr.readline())
        return process

    def fails(self, code, words, *arguments):
        result = subprocess.run([BINARY, *map(str, arguments)], capture_output=True, text=True, timeout=PATIENCE, check=False)
        self.assertEqual(result.returncode, code, result.stderr)
        self.assertEqual(result.stderr.count("\n"), 1, "one line an error")
        self.assertIn(words, result.stderr)

    def test_tap_shows_any_payload_and_ends_after_its_count(self):
        gateway = self.gateway()
        lines = self.tap(gateway, "a/#", "-n", "2")
        objects = self.tap(gateway, "a/#", "-n", "2", "--json")
        with Client(gateway.mqtt_port, "publisher") as client:
            client.publish("a/b", b'{"x":1}')
            client.publish("a/c", b"\x1b[2J\xff")
            client.finish()
        printed, _ = lines.communicate(timeout=PATIENCE)
        self.assertEqual([line.split(" ", 1)[1] for line in printed.splitlines()], ['a/b {"x":1}', "a/c (5 bytes) 1b 5b 32 4a ff"])
        self.assertEqual(lines.returncode, 0)
        first, second = map(json.loads, objects.communicate(timeout=PATIENCE)[0].splitlines())
        self.assertEqual((first["topic"], json.loads(first["payload"])), ("a/b", {"x": 1}))
        self.assertEqual(second["payload_base64"], "G1sySv8=")

    def test_ctrl_c_ends_tap_well_and_replay_as_unfinished(self):
        gateway = self.gateway()
        tap = self.tap(gateway, "#")
        replay = self.start("replay", self.table(step_ms=60_000), "--to", gateway.url, "--topic", "t")
        self.assertIn('"n":0', tap.stdout.readline())
        tap.send_signal(signal.SIGINT)
        replay.send_signal(signal.SIGINT)
        self.assertEqual(tap.wait(PATIENCE), 0)
        printed, errors = replay.communicate(timeout=PATIENCE)
        self.assertEqual(replay.returncode, 1)
        self.assertIn("stopped before the end", errors)
        self.assertIn("1 rows", printed)

    def test_replay_keeps_the_pace_of_the_file(self):
        gateway = self.gateway()
        start = time.monotonic()
        replay = self.start("replay", self.table(rows=11, step_ms=1000), "--to", gateway.url, "--topic", "t", "--speed", "10", "--json")
        summary = json.loads(replay.communicate(timeout=PATIENCE)[0])
        self.assertEqual(replay.returncode, 0)
        self.assertEqual(summary["acknowledged"], 11)
        self.assertGreaterEqual(time.monotonic() - start, 1.0)  # ten seconds, ten times as fast

    def test_replay_over_a_cut_line_loses_no_row_and_keeps_their_order(self):
        gateway = self.gateway()
        # Into a file: a pipe that nobody reads would make tap a slow subscriber, which may lose messages.
        file = self.folder / "seen.ndjson"
        with open(file, "wb") as out:
            tap = self.start("tap", "--at", gateway.url, "t/#", "--json", "--qos", "1", stdout=out)
            self.assertIn("listening", tap.stderr.readline())
        with Link(gateway.mqtt_port) as link:
            replay = self.start("replay", self.table(), "--to", f"mqtt://127.0.0.1:{link.port}", "--topic", "t/{n}", "--json")
            wait_until(lambda: file.read_bytes().count(b"\n") > ROWS // 3, "a third of the rows")
            link.cut()
            link.restore()
            printed, errors = replay.communicate(timeout=2 * PATIENCE)
        self.assertEqual(replay.returncode, 0, errors)
        summary = json.loads(printed)
        self.assertEqual((summary["rows"], summary["acknowledged"], summary["refused"]), (ROWS, ROWS, 0))
        self.assertIn("connected again", errors)
        wait_until(lambda: f'"t/{ROWS - 1}"'.encode() in file.read_bytes(), "the last row")
        tap.send_signal(signal.SIGINT)
        self.assertEqual(tap.wait(PATIENCE), 0)
        seen = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        rows = [json.loads(message["payload"]) for message in seen]
        self.assertEqual(rows[0], {"ts": 1700000000000, "n": 0, "empty": None})
        self.assertEqual([message["topic"] for message in seen], [f"t/{row['n']}" for row in rows])
        first_seen = list(dict.fromkeys(row["n"] for row in rows))
        self.assertEqual(first_seen, list(range(ROWS)))
        self.assertLessEqual(len(rows) - ROWS, summary["resent"])

    def test_what_goes_wrong_is_said_in_one_line(self):
        nobody = f"mqtt://127.0.0.1:{free_port()}"
        table = self.table(rows=3)
        self.fails(1, "nothing listens at", "tap", "--at", nobody, "#")
        self.fails(2, "is no topic filter", "tap", "a/#/b")
        self.fails(2, "expected mqtt://HOST:PORT", "tap", "--at", "http://x", "#")
        self.fails(1, "nothing listens at", "replay", table, "--to", nobody, "--topic", "t")
        self.fails(2, "does not exist", "replay", self.folder / "none.csv", "--topic", "t")
        self.fails(2, 'no column "device"; it has "ts", "n", "empty"', "replay", table, "--topic", "t/{device}")
        self.fails(2, "no + or #", "replay", table, "--topic", "t/+")
        self.fails(2, "expected a number above 0, or max", "replay", table, "--topic", "t", "--speed", "fast")
        self.fails(2, "'' is no time", "replay", table, "--topic", "t", "--time-column", "empty")


if __name__ == "__main__":
    main()
