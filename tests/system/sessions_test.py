"""Sessions, what waits for them and retained messages outlive the gateway's process, however it ends and with however many shards it
starts.

SLUICE_KILLS sets how often the gateway is killed (20); SLUICE_SEED repeats a run's moments as far as an operating system lets one.
"""

import os
import random
import re
import signal
import subprocess
import threading
import time

from sluice_system.case import SystemCase, main
from sluice_system.daemons import Gateway, wait_until
from sluice_system.mqtt import Client

KILLS = int(os.environ.get("SLUICE_KILLS", "20"))
SEED = int(os.environ.get("SLUICE_SEED", "0")) or random.SystemRandom().randrange(1, 2**32)
WINDOW = 32
PUBLISHERS = 3
RULES = "rules: []\n"


class Publisher(threading.Thread):
    """Publishes numbers and remembers which were acknowledged. Sends nothing twice: what was not acknowledged is given up."""

    def __init__(self, port, name, pace):
        super().__init__(daemon=True)
        self.port, self.name_, self.pace = port, name, pace
        self.acked, self.sent, self.stopping, self.failure = set(), 0, False, None

    def run(self):
        try:
            while not self.stopping:
                try:
                    self.session()
                except (OSError, ConnectionError):
                    time.sleep(0.02)
        except Exception as error:  # a defect of the test itself must not look like a quiet publisher
            self.failure = error

    def session(self):
        with Client(self.port, self.name_, timeout=20) as client:
            while not self.stopping:
                while len(client.unacked) < WINDOW:
                    client.publish(f"load/{self.name_}", str(self.sent).encode(), self.sent)
                    self.sent += 1
                self.acked.add(client.next_ack())
                time.sleep(self.pace)  # the queue of an absent subscriber has its limits
            while client.unacked:
                self.acked.add(client.next_ack())


class Subscriber(threading.Thread):
    """Comes and goes with a session that is kept; every connection but the first must find it."""

    def __init__(self, port, name, seed):
        super().__init__(daemon=True)
        self.port, self.name_, self.random = port, name, random.Random(seed)
        self.seen, self.stopping, self.failure, self.connections = [], False, None, 0
        with Client(port, name, clean=False) as client:
            client.subscribe("load/#", 1)

    def run(self):
        while not self.stopping:
            try:
                self.session()
            except (OSError, ConnectionError):
                time.sleep(self.random.uniform(0.0, 0.1))
            except Exception as error:
                self.failure = error
                return

    def session(self, until=None):
        with Client(self.port, self.name_, timeout=20, clean=False) as client:
            assert client.session_present, f"{self.name_}: the session is gone"
            self.connections += 1
            left = self.random.randrange(1, 300)
            while until is not None or (left and not self.stopping):
                if until is not None and until():
                    return
                left -= 1
                self.seen.append(client.next_message())


class Sessions(SystemCase):
    def setUp(self):
        super().setUp()
        print(f"SLUICE_SEED={SEED} SLUICE_KILLS={KILLS}", flush=True)
        self.random = random.Random(SEED)

    def start(self, shards=3):
        # Without $SYS topics, which are retained messages, too.
        self.at = Gateway(self.folder, rules=RULES, extra="limits: {queue_messages: 100000, queue_bytes: 64MiB}\n",
                          extra_gateway="sys_interval: 0s")
        self.addCleanup(self.at.__exit__)
        self.set_shards(shards)
        self.at.start()

    def set_shards(self, shards):
        text = self.at.config.read_text(encoding="utf-8")
        text = re.sub(r"gateway: {(shards: \d+, )?", f"gateway: {{shards: {shards}, ", text, count=1)
        self.at.config.write_text(text, encoding="utf-8")

    def client(self, name, **options):
        client = Client(self.at.mqtt_port, name, **options)
        self.addCleanup(client.close)
        return client

    def restart(self, *, kill):
        if kill:
            self.at.kill()
        else:
            self.assertEqual(self.at.stop(), 0, self.at.log_tail())
        self.at.start()

    def test_killed_at_random_moments_every_acknowledged_message_arrives_in_order(self):
        self.start()
        subscribers = [Subscriber(self.at.mqtt_port, f"reader-{number}", SEED + number) for number in range(2)]
        publishers = [Publisher(self.at.mqtt_port, f"p{number}", 0.001) for number in range(PUBLISHERS)]
        for each in [*subscribers, *publishers]:
            each.start()
        for _ in range(KILLS):
            time.sleep(self.random.uniform(0.05, 0.4))  # the random moment; nothing is waited for here
            self.at.kill()
            self.set_shards(self.random.randrange(1, 5))
            self.at.start()
        for each in publishers:
            each.stopping = True
        for each in publishers:
            each.join(60)
            self.assertIsNone(each.failure)
        acked = {(f"load/{each.name_}", str(number).encode()) for each in publishers for number in each.acked}
        self.assertGreater(len(acked), 100, "the load must have got somewhere")
        for each in subscribers:
            each.stopping = True
            each.join(60)
            self.assertIsNone(each.failure)
            each.session(until=lambda each=each: acked <= set(each.seen))
            self.verify_order(each)
        print(f"{len(acked)} acknowledged, {sum(each.sent for each in publishers)} sent", flush=True)

    def verify_order(self, subscriber):
        newest = {}
        seen = set()
        for topic, payload in subscriber.seen:
            if (topic, payload) in seen:
                continue  # at least once: sent again
            seen.add((topic, payload))
            self.assertGreater(int(payload), newest.get(topic, -1), f"{subscriber.name_}: {topic} out of order")
            newest[topic] = int(payload)

    def test_a_clean_stop_loses_nothing(self):
        self.start()
        self.client("reader", clean=False).subscribe("t/#", 1)
        publisher = self.client("writer")
        for number in range(50):
            publisher.publish("t/1", str(number).encode())
        publisher.finish()
        publisher.publish_qos0("unheard", b"x")
        self.client("keeper").send(b"\x31\x0b\x00\x08retained!")  # QoS 0, retained
        wait_until(lambda: 'sluice_hub_retained_messages{shard="0"} 1' in self.at.text("/metrics"), "it is retained")
        for shards in (1, 4):
            self.set_shards(shards)
            self.restart(kill=False)
        reader = self.client("reader", clean=False)
        self.assertTrue(reader.session_present)
        self.assertEqual([reader.next_message()[1] for _ in range(50)], [str(number).encode() for number in range(50)])
        publisher = self.client("writer")
        publisher.publish("t/2", b"live")
        self.assertEqual(reader.next_message(), ("t/2", b"live"), "the subscription is there")
        late = self.client("late")
        late.subscribe("retained")
        self.assertEqual(late.next_message(), ("retained", b"!"))
        self.assertEqual(self.at.stop(), 0, self.at.log_tail())

    def test_retained_messages_survive_a_kill_once_they_are_acknowledged(self):
        self.start()
        publisher = self.client("keeper")
        for number in range(20):
            publisher.publish(f"kept/{number}", str(number).encode(), retain=True)
        for number in range(0, 20, 2):
            publisher.publish(f"kept/{number}", b"", retain=True)
        publisher.finish()
        self.restart(kill=True)
        reader = self.client("reader")
        reader.subscribe("kept/#")
        got = sorted(reader.next_message() for _ in range(10))
        self.assertEqual(got, sorted((f"kept/{number}", str(number).encode()) for number in range(1, 20, 2)))
        reader.ping()

    def test_rules_are_reloaded_while_acknowledgements_wait_for_other_shards(self):
        self.start(shards=4)
        for number in range(4):
            self.client(f"reader-{number}", clean=False).subscribe("load/#", 1)
        publishers = [Publisher(self.at.mqtt_port, f"p{number}", 0) for number in range(PUBLISHERS)]
        for each in publishers:
            each.start()
        for turn in range(5):
            rule = f"rules: [{{id: r{turn}, sql: \"SELECT x FROM 'other'\", to: [{{cloud: sample}}]}}]\n"
            text = self.at.config.read_text(encoding="utf-8")
            self.at.config.write_text(re.sub(r"rules: .*\n", lambda _, rule=rule: rule, text), encoding="utf-8")
            self.at.process.send_signal(signal.SIGHUP)
            wait_until(lambda turn=turn: self.at.log.read_text().count("rules in force") == turn + 1, "the reload is done")
        for each in publishers:
            each.stopping = True
        for each in publishers:
            each.join(60)
            self.assertIsNone(each.failure)
            self.assertGreater(len(each.acked), 100)
        self.assertNotIn("storage does not answer", self.at.log.read_text())

    def test_a_session_that_ended_does_not_come_back(self):
        self.start()
        self.client("gone", clean=False).subscribe("t", 1)
        self.client("gone", clean=True).close()
        self.client("stays", clean=False).subscribe("t", 1)
        self.restart(kill=False)
        self.assertFalse(self.client("gone", clean=False).session_present)
        self.assertTrue(self.client("stays", clean=False).session_present)

    def test_nothing_is_readable_in_the_data_folder(self):
        self.start()
        self.client("client-in-clear", clean=False).subscribe("topic-in-clear/#", 1)
        self.client("client-in-clear", clean=False).close()
        publisher = self.client("writer")
        publisher.publish("topic-in-clear/1", b"payload-in-clear", retain=True)
        publisher.finish()
        self.at.kill()
        files = [file for file in self.at.data.rglob("*") if file.is_file()]
        self.assertTrue(any("sessions" in str(file) for file in files))
        for file in files:
            self.assertNotIn(b"-in-clear", file.read_bytes(), file)
            self.assertEqual(file.stat().st_mode & 0o077, 0, f"{file} may be read by others")

    def test_without_its_key_or_with_another_it_does_not_start(self):
        self.start()
        self.client("reader", clean=False).subscribe("t", 1)
        self.at.kill()
        for path in (self.at.data / "spool").iterdir():
            path.unlink()
        key = self.at.data / "keys" / "master.key"
        right = key.read_bytes()
        key.unlink()
        self.assertNotEqual(self.at.spawn().process.wait(60), 0)
        self.assertIn("master.key is missing", self.at.log_tail())
        key.write_bytes(bytes(32))
        key.chmod(0o600)
        self.assertNotEqual(self.at.spawn().process.wait(60), 0)
        self.assertIn("written with another key", self.at.log_tail())
        key.write_bytes(right)

    def test_a_damaged_database_is_put_aside_and_the_gateway_starts(self):
        self.start()
        self.client("reader", clean=False).subscribe("t", 1)
        self.assertEqual(self.at.stop(), 0, self.at.log_tail())
        database = self.at.data / "sessions" / "sessions.db"
        database.write_bytes(b"no database" * 1000)
        self.at.start()
        self.assertIn("damaged", self.at.log_tail())
        self.assertTrue(database.with_name("sessions.db.damaged").exists())
        self.assertFalse(self.client("reader", clean=False).session_present)
        self.assertIn("sluice_sessions_damaged 1", self.at.text("/metrics"))


class FullDisk(SystemCase):
    def setUp(self):
        super().setUp()
        self.disk = self.folder / "disk"
        self.disk.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(self.disk)]
        if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode != 0:
            self.skipTest("needs the right to mount a small tmpfs")
        self.addCleanup(subprocess.run, ["umount", "-l", str(self.disk)], check=True)

    def fill(self):
        """Leaves no room at all."""
        with open(self.disk / "filler", "wb", buffering=0) as filler:
            for size in (65536, 1):
                try:
                    while True:
                        filler.write(bytes(size))
                except OSError:
                    pass

    def test_on_a_full_disk_publishes_that_a_session_waits_for_wait_and_others_do_not(self):
        at = Gateway(self.folder, rules=RULES, extra="limits: {queue_messages: 100000, queue_bytes: 64MiB}\n")
        at.config.write_text(at.config.read_text(encoding="utf-8").replace(str(at.data), str(self.disk / "data")), encoding="utf-8")
        self.addCleanup(at.__exit__)
        at.start()
        with Client(at.mqtt_port, "reader", clean=False) as reader:
            reader.subscribe("t", 1)
        self.fill()
        payload = b"x" * 1000
        with Client(at.mqtt_port, "writer") as writer, Client(at.mqtt_port, "other") as other:
            for _ in range(2000):  # more than the pages that SQLite has left
                writer.publish("t", payload)
            wait_until(lambda: "sluice_sessions_degraded 1" in at.text("/metrics"), "the disk refuses")
            other.publish("elsewhere", b"x")
            other.finish()
            self.assertGreater(len(writer.unacked), 0)
            (self.disk / "filler").unlink()
            writer.finish()
        self.assertIn("sluice_sessions_degraded 0", at.text("/metrics"))
        self.fill()
        at.kill()
        at.start()  # a full disk is no reason to stay away
        with Client(at.mqtt_port, "reader", clean=False) as reader:
            self.assertTrue(reader.session_present)
            for _ in range(2000):
                self.assertEqual(reader.next_message(), ("t", payload))


if __name__ == "__main__":
    main()
