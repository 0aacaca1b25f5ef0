"""`sluice spool` over what a real gateway has on disk, while it runs and after it was killed."""

import json
import os
import stat
import subprocess

from sluice_system.case import SystemCase, main
from sluice_system.daemons import BINARY, PATIENCE, wait_until
from sluice_system.mqtt import Client

RULES = "rules: [{id: all, sql: \"SELECT n FROM 'x'\", to: [{cloud: sample}]}]\n"
CLASSES = "uplink: {classes: {sample: {max_share: 5%, drop: newest}}}\nspool: {max_bytes: 1MiB}\n"


class Spool(SystemCase):
    def spool(self, at, *arguments, code=0):
        result = subprocess.run([BINARY, "spool", arguments[0], "-c", at.config, *map(str, arguments[1:])], capture_output=True, text=True,
                                timeout=PATIENCE, check=False)
        self.assertEqual(result.returncode, code, result.stdout + result.stderr)
        return result

    def publish(self, at, first, last):
        with Client(at.mqtt_port, "c") as client:
            for n in range(first, last):
                client.publish("x", json.dumps({"n": n}).encode())
            client.finish()

    def test_verify_and_export_work_beside_a_running_gateway_and_after_it_was_killed(self):
        at = self.gateway(rules=RULES)
        self.publish(at, 0, 200)
        good = json.loads(self.spool(at, "verify", "--json").stdout)
        self.assertEqual((good["good"], good["waiting"], good["events_lost"]), (True, 200, 0))
        file = self.folder / "carried.ndjson"
        first = self.spool(at, "export", "--out", file)
        self.assertIn("complete: 200 events", first.stderr)
        self.assertEqual(stat.S_IMODE(os.stat(file).st_mode), 0o600)
        *events, end = map(json.loads, file.read_text(encoding="utf-8").splitlines())
        self.assertEqual([each["data"]["n"] for each in events], list(range(200)))
        self.assertEqual([each["seq"] for each in events], list(range(1, 201)))
        self.assertEqual({(each["class"], each["rule"], each["epoch"]) for each in events}, {("sample", "all", end["epoch"])})
        self.assertTrue(end["complete"])

        self.publish(at, 200, 250)
        at.kill()
        later = self.spool(at, "export", "--class", "sample", "--after", events[-1]["seq"]).stdout.splitlines()
        self.assertEqual([json.loads(line)["data"]["n"] for line in later[:-1]], list(range(200, 250)))
        self.assertTrue(json.loads(self.spool(at, "verify", "--json").stdout)["good"])

        segment = next((at.data / "spool").glob("*.seg"))
        content = bytearray(segment.read_bytes())
        content[140] ^= 1
        segment.write_bytes(content)
        rows = [json.loads(line) for line in self.spool(at, "verify", "--json", code=1).stdout.splitlines()]
        self.assertEqual((rows[0]["file"], rows[0]["problem"], rows[0]["first"]), (segment.name, "block", 1))
        lost = rows[0]["events_lost"]
        self.assertEqual((rows[-1]["good"], rows[-1]["events_lost"]), (False, lost))
        self.assertGreater(lost, 0)
        broken = self.spool(at, "export", code=1)
        end = json.loads(broken.stdout.splitlines()[-1])
        self.assertEqual((end["complete"], end["damaged"], end["events"]), (False, lost, 250 - lost))
        at.start()
        self.assertEqual(at.ledger()["events"]["sample"]["created"], 250)
        wait_until(lambda: f"{lost} events are lost: what was on disk is damaged" in at.log_tail(), "the log says what it cost")

    def test_packed_events_take_less_room_and_come_back_whole_after_a_kill(self):
        at = self.gateway(rules=RULES.replace("SELECT n", "SELECT *"), extra="spool: {compression: zstd}\n")
        note = "calm " * 200  # so that a commit of one event is packed, too
        sent = [{"n": n, "device": f"press-{n % 7}", "vibration": n * 37 % 1000 / 1000, "note": note} for n in range(300)]
        with Client(at.mqtt_port, "c") as client:
            for each in sent:
                client.publish("x", json.dumps(each).encode())
                if len(client.unacked) >= 200:
                    client.next_ack()
            client.finish()
        self.assertLess(at.status()["spool"]["write_amplification"], 0.5)
        at.kill()
        self.assertTrue(json.loads(self.spool(at, "verify", "--json").stdout)["good"])
        at.config.write_text(at.config.read_text().replace("zstd", "none"))
        at.start()
        with Client(at.mqtt_port, "c") as client:
            client.publish("x", json.dumps({"n": 300}).encode())
            client.finish()
        *rows, end = map(json.loads, self.spool(at, "export", "--class", "sample").stdout.splitlines())
        self.assertEqual(([row["data"] for row in rows], end["complete"]), ([*sent, {"n": 300}], True))

    def test_a_class_stays_within_its_share_and_keeps_its_beginning_if_told_to(self):
        at = self.gateway(rules=RULES, extra=CLASSES)
        with Client(at.mqtt_port, "c") as client:
            for n in range(400):
                client.publish("x", json.dumps({"n": str(n) * 400}).encode())
            client.finish()
        status = at.status()
        mine = status["spool"]["classes"]["sample"]
        self.assertLessEqual(mine["bytes"], mine["bytes_max"])
        dropped = status["ledger"]["events"]["sample"]["dropped"]["spool_full"]
        self.assertGreater(dropped, 0)
        *rows, end = map(json.loads, self.spool(at, "export").stdout.splitlines())
        self.assertEqual((rows[0]["seq"], end["gone"], end["complete"]), (1, dropped, True))
        self.assertEqual((rows[-1]["last"], rows[-1]["gone"]), (400, "spool_full"))
        self.assertTrue(json.loads(self.spool(at, "verify", "--json").stdout)["good"])

    def test_wrong_use_ends_with_2_and_leaves_no_file(self):
        at = self.gateway(rules=RULES)
        file = self.folder / "never.ndjson"
        self.spool(at, "export", "--after", 3, "--out", file, code=2)
        self.assertIn("there are: alert, aggregate, sample", self.spool(at, "export", "--class", "nope", "--out", file, code=2).stderr)
        self.assertIn("cannot be written", self.spool(at, "export", "--out", self.folder / "no" / "x", code=1).stderr)
        self.assertEqual([path.name for path in self.folder.glob("*ndjson*")], [])

    def test_a_start_with_too_many_names_of_classes_says_which_there_are(self):
        names = [f"old-{n}" for n in range(13)]
        to = ", ".join(f"{{cloud: {name}}}" for name in names)
        classes = ", ".join(f"{name}: {{priority: 3, ttl: 1h}}" for name in names)
        at = self.gateway(rules=f"rules: [{{id: all, sql: \"SELECT n FROM 'x'\", to: [{to}]}}]\n",
                          extra=f"uplink: {{classes: {{{classes}}}}}\n")
        self.publish(at, 0, 2)
        self.assertEqual(at.stop(), 0)
        at.config.write_text(at.config.read_text(encoding="utf-8").replace("old-", "new-"), encoding="utf-8")
        done = subprocess.run([BINARY, "gateway", "-c", at.config], capture_output=True, text=True, timeout=PATIENCE, check=False)
        self.assertEqual(done.returncode, 2, done.stderr)
        said = done.stdout + done.stderr
        for words in ("no room for new-0, new-1,", "something is of: old-0 (2 events wait), old-1 (2 events wait)",
                      "once the 26 events that wait are delivered"):
            self.assertIn(words, said)
        at.config.write_text(at.config.read_text(encoding="utf-8").replace("new-", "old-"), encoding="utf-8")
        at.start()
        self.assertEqual({row["waiting"] for name, row in at.ledger()["events"].items() if name in names}, {2}, "nothing was touched")


if __name__ == "__main__":
    main()
