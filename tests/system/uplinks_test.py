"""Several clouds at once: each has its own position, order and ledger; one that is away holds nobody up; each class goes where it shall."""

import json
import shutil
import signal
import subprocess
import unittest

from sluice_system.brokers import Collector, Mosquitto
from sluice_system.case import SystemCase, main
from sluice_system.daemons import BINARY, Cloud, wait_until
from sluice_system.link import Link
from sluice_system.load import Load, publish

RULES = """rules:
  - {id: all, sql: "SELECT device, n FROM 'load/+'", to: [{cloud: sample}]}
  - {id: mean, sql: "SELECT device, count(*) AS n FROM 'load/+' GROUP BY device, COUNTWINDOW(10)", to: [{cloud: aggregate}]}
  - {id: some, sql: "SELECT device, n, lag(n) OVER (PARTITION BY device) AS before FROM 'load/+' WHERE n % 10 = 0", to: [{cloud: alert}]}
"""
FAST = "retry_max: 1s, ack_timeout: 2s"


@unittest.skipUnless(shutil.which("mosquitto"), "needs mosquitto")
class Uplinks(SystemCase):
    def setUp(self):
        super().setUp()
        self.store = self.cloud()
        self.broker = Mosquitto(self.folder)
        self.addCleanup(self.broker.end, signal.SIGKILL)
        self.broker.start()
        self.collector = Collector(self.broker.port, "historian", "plant/#")
        self.links = [Link(self.store.mqtt_port), Link(self.broker.port)]
        for each in self.links:
            self.addCleanup(each.__exit__)

    def start(self, classes="", rules=RULES):
        main_link, plant_link = self.links
        return self.gateway(rules=rules, extra=(
            f"uplink: {{url: 'sluice://127.0.0.1:{main_link.port}', {FAST}{classes}}}\n"
            f"uplinks:\n  plant: {{url: 'mqtt://127.0.0.1:{plant_link.port}', {FAST}, payload: envelope, topic: 'plant/{{class}}'}}\n"))

    def waiting(self, at) -> dict:
        return {name: row["waiting"] for name, row in at.ledger()["events"].items()}

    def in_cloud(self, name):
        return [event["data"]["n"] for event in self.store.events(**{"class": name})]

    def at_broker(self, name):
        """In the order of their numbers; the broker may have copies."""
        found = {}
        for text in self.collector.seen:
            message = json.loads(text)
            if message["class"] == name:
                key = (message["epoch"], message["seq"])
                self.assertEqual(found.setdefault(key, message["data"]["n"]), message["data"]["n"])
        return [n for _, n in sorted(found.items())]

    def all_arrived(self, at, count, classes=("sample", "alert")):
        wait_until(at.drained, f"the backlogs are gone: {at.ledger()}\n{at.log_tail()}")
        for name in classes:
            expected = list(range(0, count, 10 if name == "alert" else 1))
            wait_until(lambda: len(self.at_broker(name)) >= len(expected), f"the broker passes on {name}")
            self.assertEqual(self.at_broker(name), expected)
            self.assertEqual(self.in_cloud(name), expected)
        self.assertEqual(self.store.count(**{"class": "aggregate"}), count // 10)

    def test_one_that_is_away_holds_nobody_up_and_both_get_everything(self):
        at = self.start()
        publish(at, range(500))
        self.all_arrived(at, 500)
        self.links[1].cut()
        publish(at, range(500, 1500))
        wait_until(lambda: len(self.in_cloud("sample")) == 1500, f"the cloud gets what the broker cannot:\n{at.log_tail()}")
        self.assertGreaterEqual(self.waiting(at)["sample@plant"], 1000 - 16)
        wait_until(lambda: self.waiting(at)["sample"] == 0, "acknowledged")
        at.kill()
        self.links[1].restore()
        self.links[0].cut()
        at.start()
        publish(at, range(1500, 2000))
        wait_until(lambda: len(self.at_broker("sample")) == 2000, f"the broker gets what the cloud cannot:\n{at.log_tail()}")
        self.assertGreaterEqual(self.waiting(at)["sample"], 500 - 16)
        status = at.status()
        self.assertEqual([row["id"] for row in status["uplinks"]], ["plant"])
        wait_until(lambda: at.status()["uplinks"][0]["connected"] and not at.status()["uplink"]["connected"], "each says how it is")
        self.assertIn('sluice_uplink_connected{uplink="plant"} 1', at.text("/metrics"))
        self.assertIn("sluice_uplink_connected 0", at.text("/metrics"))
        self.links[0].restore()
        self.all_arrived(at, 2000)
        self.assertEqual(at.stop(), 0)

    def test_each_class_goes_where_it_shall(self):
        at = self.start(", classes: {sample: {to: [plant]}, alert: {to: [main, plant]}, aggregate: {to: main}}")
        publish(at, range(300))
        wait_until(at.drained, "all is delivered")
        wait_until(lambda: len(self.at_broker("sample")) == 300 and len(self.at_broker("alert")) == 30, "the broker has its part")
        self.assertEqual(self.at_broker("sample"), list(range(300)))
        self.assertEqual(self.in_cloud("alert"), list(range(0, 300, 10)))
        self.assertEqual(self.in_cloud("sample"), [])
        self.assertEqual(self.store.count(**{"class": "aggregate"}), 30)
        self.assertEqual(self.at_broker("aggregate"), [])
        rows = at.ledger()["events"]
        self.assertEqual({name: row["created"] for name, row in rows.items()},
                         {"alert": 30, "aggregate": 30, "sample": 0, "sample@plant": 300, "alert@plant": 30})
        wait_until(lambda: "sluice_cloud_events_unexplained_total 0\n" in self.store.text("/metrics"), "and nothing is missing")

    def test_kills_under_load_cost_neither_of_them_anything(self):
        at = self.start()
        load = Load(at.mqtt_port, window=32)
        for round_ in range(8):
            begin = load.acked_count()
            wait_until(lambda: load.acked_count() > begin + 200, f"the load gets on:\n{at.log_tail()}")
            at.kill()
            if round_ == 4:
                self.broker.end()  # not by SIGKILL: mosquitto would lose up to a second of what it had acknowledged
                self.broker.start()
            at.start()
        load.stop()
        wait_until(at.drained, "the backlogs are gone")
        acked = load.acked()
        stored = self.readings(event["data"] for event in self.store.events(**{"class": "sample"}))
        self.assertEqual(len(stored), len(set(stored)), "an event is in the cloud twice")
        wait_until(lambda: len(self.broker_events()) >= len(stored), "the broker has passed everything on")
        passed_on = self.readings(data for _, data in sorted(self.broker_events().items()))
        self.assertEqual(passed_on, stored)
        self.assertEqual(acked - set(stored), set(), "an acknowledged reading is missing")
        for device in {name for name, _ in stored}:
            numbers = [n for name, n in stored if name == device]
            self.assertEqual(numbers, sorted(numbers), f"{device}: out of order")
        print(f"{len(acked)} acknowledged readings, {len(stored)} events at each of two clouds", flush=True)

    def readings(self, rows) -> list:
        return [(data["device"], data["n"]) for data in rows]

    def broker_events(self) -> dict:
        found = {}
        for text in self.collector.seen:
            message = json.loads(text)
            if message["class"] == "sample":
                found[message["epoch"], message["seq"]] = message["data"]
        return found

    def test_what_waits_for_one_that_is_taken_out_is_said(self):
        at = self.start()
        self.links[1].cut()
        publish(at, range(50))
        wait_until(lambda: self.waiting(at)["sample"] == 0, "the cloud has its part")
        at.stop()
        text = at.config.read_text()
        at.config.write_text(text[:text.index("uplinks:")])
        at.start()
        self.assertIn("50 events of `sample@plant` wait for an uplink that is not configured any more", at.log_tail())
        publish(at, range(50, 60))
        wait_until(lambda: self.waiting(at)["sample"] == 0, "the rest goes on")
        self.assertEqual(self.waiting(at)["sample@plant"], 50)
        self.assertEqual(self.in_cloud("sample"), list(range(60)))
        at.stop()
        at.config.write_text(text)
        self.links[1].restore()
        at.start()
        wait_until(at.drained, "what waited goes there when it is back in the configuration")
        wait_until(lambda: len(self.at_broker("sample")) == 50, "and arrives")

    def test_a_cloud_takes_what_is_new_under_whatever_name_it_is_reached(self):
        """Two Sluice clouds that change their names and their places: neither takes new events for copies of old ones."""
        (self.folder / "second").mkdir()
        second = Cloud(self.folder / "second")
        self.addCleanup(second.__exit__)
        second.start()
        clouds = {"one": self.store, "two": second}

        def uplinks(main, **others):
            rows = "".join(f"  {name}: {{url: 'sluice://127.0.0.1:{clouds[to].mqtt_port}', {FAST}}}\n" for name, to in others.items())
            return f"uplink: {{url: 'sluice://127.0.0.1:{clouds[main].mqtt_port}', {FAST}}}\nuplinks:\n{rows}"

        places = (uplinks("one", b="two"), uplinks("one", c="two"), uplinks("two", c="one"), uplinks("one", b="two"))
        at = self.gateway(rules=RULES, extra=places[0])
        for turn, text in enumerate(places):
            if turn:
                at.stop()
                config = at.config.read_text()
                at.config.write_text(config[:config.index("uplink: ")] + text)
                at.start()
            publish(at, range(turn * 50, turn * 50 + 50))
            wait_until(at.drained, f"turn {turn}: {at.log_tail()}")
        for name, cloud in clouds.items():
            self.assertEqual([event["data"]["n"] for event in cloud.events(**{"class": "sample"})], list(range(200)), name)
            self.assertIn("sluice_cloud_events_duplicate_total 0\n", cloud.text("/metrics"), name)

    def test_a_class_that_goes_elsewhere_now_still_sends_what_waited(self):
        at = self.start()
        self.links[1].cut()
        publish(at, range(30))
        wait_until(lambda: self.waiting(at)["sample"] == 0, "the cloud has its part")
        at.stop()
        at.config.write_text(at.config.read_text().replace(f"{FAST}}}\nuplinks", f"{FAST}, classes: {{sample: {{to: main}}}}}}\nuplinks"))
        self.links[1].restore()
        at.start()
        publish(at, range(30, 40))
        wait_until(at.drained, f"what waited goes: {at.ledger()}\n{at.log_tail()}")
        wait_until(lambda: len(self.at_broker("sample")) == 30, "and arrives")
        self.assertEqual(self.in_cloud("sample"), list(range(40)))

    def test_what_is_wrong_is_said_at_its_place(self):
        def problems(text):
            path = self.folder / "wrong.yaml"
            path.write_text("gateway: {id: g}\n" + text + "\n")
            done = subprocess.run([BINARY, "check", "-c", str(path)], capture_output=True, text=True, timeout=60)
            return done.returncode, done.stderr

        for text, said in (
                ("uplinks: {main: {url: 'mqtt://h'}}", ":2:11: error: the name of an uplink: expected letters"),
                ("uplinks: {a: {topic: x}}", ":2:11: error: missing key `url` in `uplinks.a`"),
                ("uplinks: {a: {url: 'mqtt://h', classes: {}}}", ":2:32: error: unknown key `classes` in `uplinks.a`"),
                ("uplinks: {plant: {url: 'mqtt://h'}}\nuplink: {classes: {alert: {to: [plamt]}}}",
                 ":3:33: error: there is no uplink `plamt`; did you mean `plant`?"),
                ("uplink: {classes: {alert: {to: []}}}", ":2:32: error: to: expected at least one uplink"),
                ("uplinks: {" + ", ".join(f"u{n}: {{url: 'mqtt://h'}}" for n in range(5)) + "}", "expected at most 16")):
            code, err = problems(text)
            self.assertEqual(code, 2, text)
            self.assertIn(said, err)


if __name__ == "__main__":
    main()
