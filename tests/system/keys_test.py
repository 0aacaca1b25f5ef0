"""Master keys are rotated while everything goes on: under load, with a backlog, kept sessions, retained messages and rule state, killed in
between. In the end the old keys are gone, and everything has arrived once.

SLUICE_ROTATIONS sets how many keys are made (5); SLUICE_SEED repeats a run's moments as far as an operating system lets one.
"""

import json
import os
import random
import struct
import subprocess
import time

from sluice_system.case import SystemCase, main
from sluice_system.daemons import BINARY, Cloud, Gateway, wait_until
from sluice_system.load import RULES, Load, verify
from sluice_system.mqtt import PUBACK, PUBLISH, Client, packet, text

ROTATIONS = int(os.environ.get("SLUICE_ROTATIONS", "5"))
SEED = int(os.environ.get("SLUICE_SEED", "0")) or random.SystemRandom().randrange(1, 2**32)
QUEUED = 700  # more rows than a step of sealing again takes
RETAINED = 40
UNSUBACK = 11
CHAIN = ("  - {id: chain, sql: \"SELECT device, n, lag(n) OVER (PARTITION BY device) AS before FROM 'count/+'\", "
         "to: [{topic: \"chain/{device}\"}]}\n")


class Keys(SystemCase):
    def setUp(self):
        super().setUp()
        print(f"SLUICE_SEED={SEED} SLUICE_ROTATIONS={ROTATIONS}", flush=True)
        self.random = random.Random(SEED)
        self.store = Cloud(self.folder)
        self.at = Gateway(self.folder, uplink_port=self.store.mqtt_port, rules=RULES + CHAIN, extra="state: {checkpoint: 1h}\n",
                          extra_gateway="sys_interval: 0s")
        self.addCleanup(self.store.__exit__)
        self.addCleanup(self.at.__exit__)

    def sluice(self, *arguments, code=0):
        done = subprocess.run([BINARY, *arguments, "-c", str(self.at.config)], capture_output=True, text=True, check=False, timeout=60)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done

    def rotate(self):
        return json.loads(self.sluice("key", "rotate", "--json").stdout)

    def listing(self, code=0):
        return json.loads(self.sluice("key", "list", "--json", code=code).stdout)

    def files(self):
        return sorted(each.name for each in (self.at.data / "keys").iterdir() if each.name.endswith(".key"))

    def client(self, name, **options):
        client = Client(self.at.mqtt_port, name, timeout=30, **options)
        self.addCleanup(client.close)
        return client

    def publish(self, client, topic, payload, packet_id, *, retain=False):
        client.publish(topic, payload, packet_id, retain=retain)
        client.next_ack()

    def count(self, number):
        """One reading whose row names the reading before it."""
        with Client(self.at.mqtt_port, "counting", timeout=30) as client:
            client.subscribe("chain/c", 1)
            client.publish("count/c", json.dumps({"device": "c", "n": number}).encode(), 1)
            row, acked = None, False
            while row is None or not acked:
                kind, _, body = client.read()
                acked = acked or kind == PUBACK
                if kind == PUBLISH:
                    row = json.loads(body[body.index(b"{"):])
            return row["before"]

    def test_rotated_under_load_and_killed_in_between_nothing_is_lost_and_the_old_keys_go(self):
        self.at.start()
        with Client(self.at.mqtt_port, "absent", clean=False) as absent:
            absent.subscribe("kept/#", 1)
        writer = self.client("writer")
        for number in range(QUEUED):
            self.publish(writer, f"kept/{number % 7}", str(number).encode(), number + 1)
        for number in range(RETAINED):
            self.publish(writer, f"retained/{number}", b"first", number + 1, retain=True)
        self.assertIsNone(self.count(0))
        load = Load(self.at.mqtt_port, pause=0.002)
        made = 1
        for rotation in range(ROTATIONS):
            if rotation % 2 == 0:
                answer = self.rotate()
                made = answer["key"]
                self.assertTrue(answer["taken"], answer)
                time.sleep(self.random.uniform(0.0, 0.3))  # the random moment; nothing is waited for here
                self.at.kill()
            else:
                rotating = subprocess.Popen([BINARY, "key", "rotate", "--json", "-c", str(self.at.config)], stdout=subprocess.DEVNULL,
                                            stderr=subprocess.DEVNULL)
                time.sleep(self.random.uniform(0.0, 1.5))
                self.at.kill()
                rotating.wait(60)
                made += 1
            self.at.start()
            self.assertEqual(self.count(rotation + 1), rotation, "the rules remember")
        # A retained message is replaced and one removed while rows of older keys may still be there.
        writer = self.client("writer-2")
        self.publish(writer, "retained/0", b"second", 1, retain=True)
        self.publish(writer, "retained/1", b"", 2, retain=True)
        self.publish(writer, "kept/last", b"last", 3)
        self.store.start()
        time.sleep(0.5)
        load.stop()
        wait_until(self.at.drained, "everything acknowledged is in the cloud", 120)
        verify(self, load, self.store, self.at)
        newest = "master.key" if made == 1 else f"master-{made}.key"
        wait_until(lambda: self.files() == [newest], f"only {newest} is left; there are {self.files()}; {self.listing()}", 60)
        self.assertEqual([(row["key"], row["seals"]) for row in self.listing()["keys"]], [(made, True)])
        status = self.at.status()["keys"]
        self.assertEqual(status["newest"], made)
        self.assertEqual(status["older_bytes"], 0)
        self.assertIn("sluice_keys 1\n", self.at.text("/metrics"))

        self.at.kill()
        self.at.start()  # with the new key alone
        self.assertEqual(self.count(ROTATIONS + 1), ROTATIONS)
        with Client(self.at.mqtt_port, "absent", timeout=30, clean=False) as absent:
            self.assertTrue(absent.session_present)
            got = [absent.next_message()[1].decode() for _ in range(QUEUED + 1)]
        self.assertEqual(got, [str(number) for number in range(QUEUED)] + ["last"])
        reader = self.client("reader")
        reader.subscribe("retained/#", 1)
        retained = dict(reader.next_message() for _ in range(RETAINED - 1))
        self.assertEqual(retained.pop("retained/0"), b"second")
        self.assertEqual(retained, {f"retained/{number}": b"first" for number in range(2, RETAINED)})
        # A subscription that was sealed again, and stored under another name, can be given up.
        with Client(self.at.mqtt_port, "absent", timeout=30, clean=False) as absent:
            absent.send(packet(0xA2, struct.pack(">H", 77) + text("kept/#")))
            while absent.read()[0] != UNSUBACK:
                pass
        self.at.kill()
        self.at.start()
        with Client(self.at.mqtt_port, "absent", timeout=30, clean=False) as absent:
            self.assertTrue(absent.session_present)
            self.publish(absent, "kept/0", b"nobody", 9)
            absent.subscribe("kept/marker", 1)
            absent.publish("kept/marker", b"marker", 10)
            self.assertEqual(absent.next_message(), ("kept/marker", b"marker"))
        self.assertEqual(self.at.stop(), 0, self.at.log_tail())
        self.sluice("spool", "verify")

    def test_of_a_stopped_gateway_the_next_start_takes_the_key(self):
        self.sluice("key", "rotate", code=2)
        self.at.start()
        self.assertIsNone(self.count(0))
        self.assertEqual(self.at.stop(), 0, self.at.log_tail())
        answer = self.rotate()
        self.assertEqual((answer["key"], answer["process"], answer["taken"]), (2, None, False))
        rows = {row["key"]: row for row in self.listing()["keys"]}
        self.assertEqual(sorted(rows), [1, 2])
        self.assertIn("state", rows[1]["needed"])
        self.assertEqual(rows[2]["needed"], {})
        self.at.start()
        wait_until(lambda: self.files() == ["master-2.key"], "the first key is gone", 60)
        self.assertEqual(self.count(1), 0)
        self.assertEqual(self.at.stop(), 0, self.at.log_tail())
        self.assertEqual([row["key"] for row in self.listing()["keys"]], [2])

    def test_an_old_key_that_is_missing_costs_what_it_sealed_and_is_named(self):
        self.at.start()
        writer = self.client("writer")
        for number in range(10):
            self.publish(writer, "load/x", json.dumps({"device": "x", "n": number}).encode(), number + 1)
        self.assertTrue(self.rotate()["taken"])
        for number in range(10, 30):
            self.publish(writer, "load/x", json.dumps({"device": "x", "n": number}).encode(), number + 1)
        self.assertEqual(self.at.stop(), 0, self.at.log_tail())
        key = self.at.data / "keys" / "master.key"
        away = self.folder / "away.key"
        key.rename(away)
        rows = {row["key"]: row for row in self.listing(code=1)["keys"]}
        self.assertFalse(rows[1]["present"])
        self.assertEqual(rows[1]["needed"]["spool"]["items"], 3)
        self.sluice("spool", "verify", code=1)
        self.store.start()
        self.at.start()
        self.assertIn("key 1 (keys/master.key) is missing", self.at.log_tail())
        wait_until(self.at.drained, "the rest is in the cloud")
        for name, row in self.at.ledger()["events"].items():
            self.assertEqual(row["dropped"], {"corrupt": 10}, name)
            self.assertEqual(row["delivered"], 20, name)
        self.assertEqual(self.store.count(), 60)
        self.assertEqual(self.at.stop(), 0, self.at.log_tail())

    def test_without_the_key_of_the_positions_it_does_not_start_and_touches_nothing(self):
        self.at.start()
        self.assertTrue(self.rotate()["taken"])
        self.assertEqual(self.at.stop(), 0, self.at.log_tail())
        newest = self.at.data / "keys" / "master-2.key"
        away = self.folder / "away.key"
        newest.rename(away)
        (self.at.data / "keys" / "master.key").write_bytes(bytes(32))
        (self.at.data / "keys" / "master.key").chmod(0o600)
        self.at.spawn()
        self.assertEqual(self.at.process.wait(30), 2)
        self.assertIn("sluice key list", self.at.log_tail())
        away.rename(newest)
        self.at.start()
        self.assertEqual(self.at.stop(), 0, self.at.log_tail())

    def test_a_running_gateway_is_asked_for_its_sessions_at_once(self):
        self.at.start()
        begun = time.monotonic()
        self.assertTrue(self.listing()["sessions_known"])
        self.assertLess(time.monotonic() - begun, 5.0, "what SQLite would wait for the lock that a gateway never lets go of")

    def test_the_list_says_when_the_file_is_not_the_key_that_it_was(self):
        self.at.start()
        self.assertTrue(self.rotate()["taken"])
        self.publish(self.client("writer"), "retained/x", b"1", 1, retain=True)
        wait_until(lambda: self.files() == ["master-2.key"], "the first key is gone", 60)
        self.assertEqual(self.at.stop(), 0, self.at.log_tail())
        key = self.at.data / "keys" / "master-2.key"
        right = key.read_bytes()
        self.assertEqual([row["problem"] for row in self.listing()["keys"]], [None])

        def found(content, mode=0o600):
            key.write_bytes(content)
            key.chmod(mode)
            (row,) = self.listing(code=1)["keys"]
            self.assertTrue(row["present"])
            return row["problem"]

        self.assertEqual(found(bytes(32)), "other_file")
        self.assertIn("OTHER FILE", self.sluice("key", "list", code=1).stdout)
        self.assertIn("another key", self.sluice("spool", "stat", code=1).stderr)
        self.assertIn("another key", self.sluice("spool", "verify", code=1).stderr)
        self.assertEqual(found(b"x"), "no_key")
        self.assertIn("master-2.key is no key", self.sluice("spool", "stat", code=1).stderr)
        self.assertEqual(found(right, 0o644), "unreadable")
        self.assertIn("0600", self.sluice("spool", "stat", code=1).stderr)
        # The sessions alone name it, too.
        for folder in ("spool", "state"):
            (self.at.data / folder).rename(self.folder / folder)
        self.assertEqual(found(bytes(32)), "other_file")
        for folder in ("spool", "state"):
            (self.folder / folder).rename(self.at.data / folder)
        key.write_bytes(right)
        self.assertEqual([row["problem"] for row in self.listing()["keys"]], [None])
        self.at.start()

    def test_a_lost_folder_of_keys_is_said_with_the_key_that_is_needed(self):
        self.at.start()
        self.assertTrue(self.rotate()["taken"])
        self.publish(self.client("writer"), "load/x", b'{"device": "x", "n": 1}', 1)
        wait_until(lambda: "state" in self.listing()["keys"][-1]["needed"], "rule state is under the new key", 60)
        self.assertEqual(self.at.stop(), 0, self.at.log_tail())
        keys, away = self.at.data / "keys", self.folder / "away"
        keys.rename(away)
        self.assertEqual([row["problem"] for row in self.listing(code=1)["keys"] if row["key"] == 2], ["missing"])
        for command in (("spool", "stat"), ("spool", "verify"), ("spool", "export"), ("key", "rotate")):
            said = self.sluice(*command, code=1).stderr
            self.assertIn("keys/master-2.key is missing", said)
            self.assertNotIn("no gateway", said)
        self.at.spawn()
        self.assertEqual(self.at.process.wait(30), 2)
        self.assertIn("keys/master-2.key is missing", self.at.log_tail())
        self.assertFalse(keys.exists(), "no new key hides that the right one is gone")
        away.rename(keys)
        self.at.start()


if __name__ == "__main__":
    main()
