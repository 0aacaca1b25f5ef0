"""`sluice rule try`: a rule over what a running gateway sees."""

import json
import signal
import subprocess

from sluice_system.case import SystemCase, main
from sluice_system.daemons import BINARY, PATIENCE, free_port
from sluice_system.mqtt import Client


class Try(SystemCase):
    def setUp(self):
        super().setUp()
        self.running = self.gateway(rules="rules: []\n")
        self.client = Client(self.running.mqtt_port, "c")
        self.addCleanup(self.client.close)
        self.at = f"mqtt://127.0.0.1:{self.running.mqtt_port}"

    def start(self, sql: str, *arguments):
        command = [BINARY, "rule", "try", "--at", self.at, "--sql", sql, *map(str, arguments)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for end in (process.wait, process.stdout.close, process.stderr.close, process.kill):
            self.addCleanup(end)
        self.assertIn("listening", process.stderr.readline())
        return process

    def publish(self, topic: str, payload: bytes, **options):
        self.client.publish(topic, payload, **options)
        self.client.finish()

    def test_rows_come_as_they_are_made_and_ctrl_c_ends_it(self):
        self.publish("sensors/old", b'{"v":9}', retain=True)
        process = self.start("SELECT topic(2) AS d, v + 1 AS w FROM 'sensors/+', 'sensors/#' WHERE v > 3")
        self.publish("sensors/a", b'{"v":4}')
        self.assertEqual(json.loads(process.stdout.readline()), {"d": "a", "w": 5})
        self.publish("sensors/a", b'{"v":2}')
        self.publish("sensors/b/c", b"no JSON")
        self.publish("sensors/b/c", b'{"v":"text"}')
        self.publish("sensors/b", b'{"v":7}')
        self.assertEqual(json.loads(process.stdout.readline()), {"d": "b", "w": 8})
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE)
        self.assertEqual((process.returncode, out), (0, ""))
        self.assertEqual(err, "rule try: 5 readings, 2 rows, 1 malformed, 0 bad values, 0 late\n")

    def test_time_windows_close_by_themselves(self):
        process = self.start("SELECT count(*) AS n FROM 's' GROUP BY TUMBLINGWINDOW(ms, 200)", "--count", 1)
        self.publish("s", b"{}")
        out, err = process.communicate(timeout=PATIENCE)
        self.assertEqual((process.returncode, json.loads(out)), (0, {"n": 1}), err)

    def test_tables_counts_as_json_and_an_end_by_time(self):
        table = self.folder / "m.csv"
        table.write_text("id,limit\na,3\n")
        process = self.start("SELECT m.limit FROM 's' JOIN m ON m.id = d", "--table", f"m={table}:id", "--json", "--seconds", 1.5)
        self.publish("s", b'{"d":"a"}')
        self.publish("s", b'{"d":"b"}')
        out, err = process.communicate(timeout=PATIENCE)
        self.assertEqual((process.returncode, out), (0, '{"limit":3}\n'))
        counts = {"readings": 2, "evaluated": 2, "rows": 1, "malformed": 0, "bad_value": 0, "late": 0, "state_full": 0}
        self.assertEqual(json.loads(err), counts)

    def test_wrong_use_says_what_to_do(self):
        def run(*arguments):
            command = [BINARY, "rule", "try", *map(str, arguments)]
            return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)

        wrong = run("--at", self.at, "--sql", "SELECT v FORM 's'")
        self.assertEqual(wrong.returncode, 2)
        self.assertIn("did you mean FROM?", wrong.stderr)
        nobody = run("--at", f"mqtt://127.0.0.1:{free_port()}", "--sql", "SELECT v FROM 's'")
        self.assertEqual(nobody.returncode, 1)
        self.assertIn("rule try: error:", nobody.stderr)
        no_table = run("--table", "m=nosuch.csv", "--sql", "SELECT v FROM 's'")
        self.assertEqual(no_table.returncode, 2)
        self.assertIn("nosuch.csv:1:1: error: cannot be read", no_table.stderr)
        self.assertEqual(run("--table", "nosuch.csv", "--sql", "SELECT v FROM 's'").returncode, 2)


if __name__ == "__main__":
    main()
