"""Every mistake of a newcomer: a message with FILE:LINE:COL that says what was expected, exit 2, and no data touched."""

import os
import pathlib
import re
import shutil
import socket
import subprocess

from sluice_system.case import SystemCase, main
from sluice_system.daemons import BINARY, PATIENCE, RULES, Gateway, free_port, wait_until
from sluice_system.mqtt import Client

# name: (configuration with {data}, {mqtt} and {http}; line of the message; words in it)
BROKEN = {
    "a value of the wrong type": ("""gateway: {{id: p, data: {data}}}
listen: {{mqtt: ['tcp://127.0.0.1:{mqtt}'], http: '127.0.0.1:{http}'}}
limits:
  connections: many
""", 4, "number"),
    "an unknown key": ("""gateway: {{id: p, data: {data}}}
listen: {{mqtt: ['tcp://127.0.0.1:{mqtt}'], http: '127.0.0.1:{http}'}}
limts: {{connections: 5}}
""", 3, "limits"),
    "bad SQL": ("""gateway: {{id: p, data: {data}}}
listen: {{mqtt: ['tcp://127.0.0.1:{mqtt}'], http: '127.0.0.1:{http}'}}
rules:
  - id: r
    sql: |
      SELECT device,
      FORM 'sensors/#'
    to: [{{cloud: alert}}]
""", 7, ""),
    "the same rule twice": ("""gateway: {{id: p, data: {data}}}
listen: {{mqtt: ['tcp://127.0.0.1:{mqtt}'], http: '127.0.0.1:{http}'}}
rules:
  - {{id: r, sql: "SELECT a FROM 'x'", to: [{{cloud: alert}}]}}
  - {{id: r, sql: "SELECT b FROM 'x'", to: [{{cloud: alert}}]}}
""", 5, "r"),
    "a column that the SQL does not produce": ("""gateway: {{id: p, data: {data}}}
listen: {{mqtt: ['tcp://127.0.0.1:{mqtt}'], http: '127.0.0.1:{http}'}}
rules:
  - id: r
    sql: SELECT a FROM 'x'
    to: [{{topic: 'alerts/{{device}}'}}]
""", 6, "device"),
    "a class that is not declared": ("""gateway: {{id: p, data: {data}}}
listen: {{mqtt: ['tcp://127.0.0.1:{mqtt}'], http: '127.0.0.1:{http}'}}
rules:
  - {{id: r, sql: "SELECT a FROM 'x'", to: [{{cloud: alarm}}]}}
""", 4, "alert"),
    "a section that is not built yet": ("""gateway: {{id: p, data: {data}}}
listen: {{mqtt: ['tcp://127.0.0.1:{mqtt}'], http: '127.0.0.1:{http}'}}
shadows: {{sync: {{mode: realtime}}}}
""", 3, "shadows"),
    "anonymous clients from everywhere": ("""gateway: {{id: p, data: {data}}}
listen: {{mqtt: ['tcp://0.0.0.0:{mqtt}'], http: '127.0.0.1:{http}'}}
""", 2, "auth"),
    "broken YAML": ("""gateway: {{id: p, data: {data}}}
listen: {{mqtt: ['tcp://127.0.0.1:{mqtt}'
""", None, ""),
    "no identity": ("""listen: {{mqtt: ['tcp://127.0.0.1:{mqtt}'], http: '127.0.0.1:{http}'}}
""", 1, "gateway"),
}


def run(*arguments, **options):
    return subprocess.run([BINARY, *arguments], capture_output=True, text=True, timeout=PATIENCE, check=False, **options)


def snapshot(folder: pathlib.Path) -> dict:
    return {file.relative_to(folder): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


class BrokenConfigurations(SystemCase):
    def write(self, text):
        file = self.folder / "gateway.yaml"
        file.write_text(text.format(data=self.folder / "data", mqtt=free_port(), http=free_port()), encoding="utf-8")
        return file

    def test_each_is_refused_at_its_place_without_touching_data(self):
        for name, (text, line, word) in BROKEN.items():
            with self.subTest(name):
                file = self.write(text)
                result = run("gateway", "-c", str(file))
                self.assertEqual(result.returncode, 2, result.stderr)
                place = rf"^{re.escape(str(file))}:{line or '[0-9]+'}:[0-9]+: (error|note): .*"
                self.assertRegex(result.stderr, re.compile(place + re.escape(word), re.MULTILINE | re.IGNORECASE))
                self.assertFalse((self.folder / "data").exists(), "the data folder was made")

    def test_check_says_the_same_as_the_daemon(self):
        for name, (text, line, _) in BROKEN.items():
            with self.subTest(name):
                file = self.write(text)
                checked, started = run("check", "-c", str(file)), run("gateway", "-c", str(file))
                if "not built" not in name:
                    self.assertEqual(checked.returncode, 2)
                    errors = [row for row in checked.stderr.splitlines() if ": error: " in row]
                    self.assertTrue(errors)
                    for row in errors:
                        self.assertIn(row, started.stderr)
                else:
                    self.assertEqual(checked.returncode, 0, checked.stderr)
                    self.assertRegex(checked.stdout + checked.stderr, rf":{line}:[0-9]+: note: ")

    def test_all_problems_are_reported_and_not_only_the_first(self):
        file = self.write("""gateway: {{id: 'not an id!', data: {data}}}
listen: {{mqtt: ['ftp://x'], http: nowhere}}
spool: {{max_bytes: lots}}
""")
        result = run("check", "-c", str(file))
        self.assertEqual(result.returncode, 2)
        lines = {row.split(":")[1] for row in result.stderr.splitlines() if ": error: " in row}
        self.assertEqual(lines, {"1", "2", "3"}, result.stderr)

    def test_a_file_that_does_not_exist_is_named(self):
        result = run("gateway", "-c", str(self.folder / "nothing.yaml"))
        self.assertEqual(result.returncode, 2)
        self.assertIn("nothing.yaml", result.stderr)

    def test_what_init_writes_passes_check(self):
        for kind in ("gateway", "cloud"):
            place = self.folder / kind
            self.assertEqual(run("init", kind, str(place)).returncode, 0)
            result = run("check", "-c", str(place / f"{kind}.yaml"))
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertNotEqual(run("init", kind, str(place)).returncode, 0, "init must not overwrite")


class BadSurroundings(SystemCase):
    def refused(self, at, *words):
        result = run("gateway", "-c", str(at.config))
        self.assertEqual(result.returncode, 2, result.stderr)
        self.assertRegex(result.stderr, rf"{re.escape(str(at.config))}:[0-9]+:[0-9]+: error: ")
        for word in words:
            self.assertIn(word, result.stderr.lower())

    def test_a_port_in_use_is_named_and_data_is_not_touched(self):
        for taken in ("mqtt_port", "http_port"):
            with self.subTest(taken):
                at = Gateway(self.folder)
                with socket.create_server(("127.0.0.1", getattr(at, taken))):
                    self.refused(at, str(getattr(at, taken)), "in use")
                self.assertFalse(at.data.exists())

    def test_a_second_gateway_on_the_same_data_is_refused_and_the_first_goes_on(self):
        at = self.gateway()
        second = Gateway(self.folder, gateway_id="second")
        second.config.write_text(second.config.read_text().replace(str(second.data), str(at.data)))
        self.refused(second, "in use")
        with Client(at.mqtt_port, "c") as client:
            client.ping()

    def test_a_data_folder_that_cannot_be_made_is_named(self):
        at = Gateway(self.folder)
        at.data.write_text("a file, where a folder should be")
        self.refused(at, "data")

    def test_a_data_folder_that_cannot_be_written_is_named(self):
        if os.geteuid() != 0:
            self.skipTest("needs root to become another user")
        at = Gateway(self.folder)
        at.data.mkdir(mode=0o755)
        self.folder.chmod(0o755)
        binary = self.folder / "sluice"
        shutil.copy(BINARY, binary)
        result = subprocess.run([binary, "gateway", "-c", str(at.config)], user=65534, group=65534, capture_output=True, text=True,
                                timeout=PATIENCE, check=False)
        self.assertEqual(result.returncode, 2, result.stderr)
        self.assertRegex(result.stderr, r":[0-9]+:[0-9]+: error: .*data")

    def test_the_wrong_key_for_an_existing_spool_is_refused_and_nothing_is_changed(self):
        at = self.gateway(rules="rules: [{id: all, sql: \"SELECT * FROM 'x'\", to: [{cloud: alert}]}]\n")
        with Client(at.mqtt_port, "c") as client:
            client.publish("x", b'{"a":1}')
            client.finish()
        self.assertEqual(at.stop(), 0, at.log_tail())
        keys = [file for file in at.data.rglob("*.key")]
        self.assertEqual(len(keys), 1, keys)
        right = keys[0].read_bytes()
        keys[0].write_bytes(bytes(byte ^ 255 for byte in right))
        before = snapshot(at.data)
        self.refused(at, "key")
        self.assertEqual(snapshot(at.data), before)
        keys[0].write_bytes(right)
        at.start()
        self.assertEqual(at.ledger()["events"]["alert"]["waiting"], 1)

    def test_a_clean_stop_by_signal_exits_with_0_and_frees_the_ports(self):
        at = self.gateway(rules=RULES)
        self.assertEqual(at.stop(), 0, at.log_tail())
        at.start()
        self.assertEqual(at.stop(), 0, at.log_tail())


class FullDisk(SystemCase):
    def setUp(self):
        super().setUp()
        self.disk = self.folder / "disk"
        self.disk.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(self.disk)]
        if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode != 0:
            self.skipTest("needs the right to mount a small tmpfs")
        self.addCleanup(subprocess.run, ["umount", "-l", str(self.disk)], check=True)

    def test_a_full_disk_drops_the_oldest_of_the_lowest_class_and_counts_it(self):
        rules = """rules:
  - {id: all, sql: "SELECT * FROM 'load'", to: [{cloud: sample}, {topic: local}]}
  - {id: few, sql: "SELECT n FROM 'load' WHERE n % 500 = 0", to: [{cloud: alert}]}
"""
        at = Gateway(self.folder, rules=rules, extra="spool: {max_bytes: 256MiB}\n")
        at.config.write_text(at.config.read_text().replace(str(at.data), str(self.disk / "data")))
        self.addCleanup(at.__exit__)
        at.start()
        filler = "x" * 900
        total = 20000
        with Client(at.mqtt_port, "c") as client:
            for number in range(total):
                client.publish("load", f'{{"n":{number},"filler":"{filler}"}}'.encode(), number)
                if len(client.unacked) >= 100:
                    client.next_ack()
            client.finish()
        wait_until(lambda: at.ledger()["readings_in"] == total, "every reading was taken")
        events = at.ledger()["events"]
        sample, alert = events["sample"], events["alert"]
        self.assertEqual(sample["created"], total)
        self.assertEqual(sample["created"], sample["delivered"] + sample["waiting"] + sum(sample["dropped"].values()), sample)
        self.assertGreater(sample["dropped"].get("disk_full", 0) + sample["dropped"].get("spool_full", 0), 0, sample)
        self.assertEqual((alert["created"], alert["waiting"]), (total // 500, total // 500), "alerts were dropped before samples")
        self.assertEqual(at.stop(), 0, at.log_tail())
        at.start()
        self.assertEqual(at.ledger()["events"]["alert"]["waiting"], total // 500)


if __name__ == "__main__":
    main()
