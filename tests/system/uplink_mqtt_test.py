"""Brokers as the cloud: events reach a real mosquitto, whatever happens to it and to the line."""

import json
import pathlib
import shutil
import signal
import subprocess
import time
import unittest

from sluice_system.brokers import Collector, Mosquitto
from sluice_system.case import SystemCase, main
from sluice_system.certificates import Authority
from sluice_system.daemons import BINARY, wait_until
from sluice_system.link import Link
from sluice_system.load import publish

RULES = """rules:
  - {id: all, sql: "SELECT device, n FROM 'load/+'", to: [{cloud: sample}]}
  - {id: some, sql: "SELECT device, n FROM 'load/+' WHERE n % 100 = 0", to: [{cloud: alert}]}
"""


NOTES = """rules:
  - {id: all, sql: "SELECT device, n, note FROM 'load/+'", to: [{cloud: sample}]}
  - {id: some, sql: "SELECT device, n FROM 'load/+' WHERE n % 100 = 0", to: [{cloud: alert}]}
"""
SMALL = "allow_anonymous true\nmax_packet_size 4000\n"


class Received:
    """What a broker got, duplicates told by their numbers."""

    def __init__(self, collector):
        self.events, self.copies, self.gaps = {}, 0, []
        for text, count in collector.seen.items():
            message = json.loads(text)
            if "online" in message:
                continue
            for event in message.get("events", [message]):
                if "gap" in event:
                    self.gaps.append((message["class"], event["gap"]))
                    continue
                key = (message["gateway"], message["epoch"], message["class"], event["seq"])
                assert self.events.setdefault(key, event["data"]) == event["data"], "one number, two events"
                self.copies += count

    def numbers(self, name):
        return [data["n"] for (_, _, event_class, _), data in sorted(self.events.items()) if event_class == name]


@unittest.skipUnless(shutil.which("mosquitto"), "needs mosquitto")
class BrokerUplink(SystemCase):
    def mosquitto(self, **options):
        broker = Mosquitto(self.folder, **options)
        self.addCleanup(broker.end, signal.SIGKILL)
        return broker.start()

    def linked(self, port, extra="", scheme="mqtt", host="127.0.0.1", rules=RULES, **options):
        uplink = f"uplink: {{url: '{scheme}://{host}:{port}', retry_max: 1s, ack_timeout: 2s{extra}}}\n"
        return self.gateway(rules=rules, extra=uplink, **options)

    def all_arrived(self, at, collector, count):
        wait_until(at.drained, f"the backlog is gone: {at.status()}\n{at.log_tail()}")
        wait_until(lambda: len(Received(collector).events) >= count + (count + 99) // 100, "the broker has passed everything on")
        received = Received(collector)
        self.assertEqual(received.numbers("sample"), list(range(count)))
        self.assertEqual(received.numbers("alert"), list(range(0, count, 100)))
        return received

    def test_batches_arrive_in_order_through_a_line_that_breaks_and_a_broker_that_is_restarted(self):
        broker = self.mosquitto()
        link = Link(broker.port)
        self.addCleanup(link.__exit__)
        collector = Collector(broker.port, "data-centre", "sluice/#")
        at = self.linked(link.port)
        for begin in range(0, 4000, 500):
            publish(at, range(begin, begin + 500))
            if begin == 2000:
                broker.end()  # not by SIGKILL: mosquitto would lose up to a second of what it had acknowledged
                broker.start()
            link.cut()
            link.restore()
        received = self.all_arrived(at, collector, 4000)
        self.assertEqual(received.gaps, [])
        self.assertEqual(set(collector.topics), {"sluice/plant-7/sample", "sluice/plant-7/alert"})

    def test_an_event_larger_than_the_broker_says_it_takes_is_told_as_gone(self):
        broker = self.mosquitto(extra=SMALL)
        collector = Collector(broker.port, "data-centre", "sluice/#")
        at = self.linked(broker.port, rules=NOTES)
        publish(at, range(300), note=lambda n: "x" * (5_000 if n == 150 else 40))
        wait_until(at.drained, f"the backlog is gone: {at.status()}\n{at.log_tail()}")
        wait_until(lambda: len(Received(collector).numbers("sample")) == 299, "the broker has passed everything on")
        received = Received(collector)
        self.assertEqual(received.numbers("sample"), [n for n in range(300) if n != 150])
        self.assertEqual(received.numbers("alert"), [0, 100, 200])
        self.assertEqual(received.gaps, [("sample", {"first": 151, "last": 151, "reason": "too_large"})])
        status = at.status()
        self.assertEqual(status["ledger"]["events"]["sample"]["dropped"], {"too_large": 1})
        self.assertEqual((status["uplink"]["failures"], status["uplink"]["standing"]), (0, []))
        self.assertRegex(at.log_tail(100), r"event 151 of class sample is too large for .*: its message has 5\d\d\d bytes, it takes 4000")

    def test_an_event_at_which_a_broker_hangs_up_stops_its_class_only(self):
        broker = self.mosquitto(extra=SMALL)
        collector = Collector(broker.port, "data-centre", "sluice/#")
        at = self.linked(broker.port, ", version: 3.1.1, message_bytes: 2KiB", rules=NOTES)
        publish(at, range(10), note=lambda n: "x" * (5_000 if n == 5 else 40))

        def stands():
            publish(at, [100])  # an alert each time
            time.sleep(0.2)
            return at.status()["uplink"]["standing"]

        wait_until(stands, f"the class stands: {at.log_tail()}")
        status = at.status()
        self.assertEqual([(row["class"], row["seq"]) for row in status["uplink"]["standing"]], [("sample", 6)])
        self.assertIn("class sample stands", at.log_tail(100))
        self.assertEqual(status["ledger"]["events"]["sample"]["delivered"], 5)
        self.assertNotIn("too_large", status["ledger"]["events"]["sample"]["dropped"])
        publish(at, [200])
        wait_until(lambda: 200 in Received(collector).numbers("alert"), "alerts go on")
        wait_until(lambda: at.status()["uplink"]["connected"], f"connected: {at.status()}")

    def test_a_gateway_killed_with_a_backlog_sends_it_later(self):
        broker = self.mosquitto()
        collector = Collector(broker.port, "data-centre", "sluice/#")
        link = Link(broker.port)
        self.addCleanup(link.__exit__)
        at = self.linked(link.port)
        link.cut()
        publish(at, range(1000))
        at.kill()
        link.restore()
        at.start()
        self.all_arrived(at, collector, 1000)

    def test_one_event_a_message_with_the_rule_in_the_topic(self):
        broker = self.mosquitto()
        collector = Collector(broker.port, "data-centre", "plant/#")
        at = self.linked(broker.port, ", payload: envelope, topic: 'plant/{gateway}/{class}/{rule}', status_topic: 'plant/{gateway}'")
        publish(at, range(200))
        self.all_arrived(at, collector, 200)
        self.assertEqual(set(collector.topics), {"plant/plant-7/sample/all", "plant/plant-7/alert/some", "plant/plant-7"})
        self.assertEqual(at.stop(), 0)
        wait_until(lambda: collector.seen['{"online":false}'] >= 1, "the broker hears that the gateway has gone")

    def test_bare_rows_through_a_broker_of_the_old_version(self):
        broker = self.mosquitto()
        collector = Collector(broker.port, "data-centre", "rows/#")
        at = self.linked(broker.port, ", payload: data, topic: 'rows/{class}', version: 3.1.1")
        publish(at, range(300))
        wait_until(at.drained, "the backlog is gone")
        wait_until(lambda: (collector.topics["rows/sample"], collector.topics["rows/alert"]) == (300, 3), "all rows arrive")
        self.assertEqual(collector.seen['{"device":"a","n":100}'], 2)  # an alert and a sample

    def test_a_broker_set_up_as_aws_is_reached_with_a_certificate(self):
        authority = Authority(self.folder)
        cert, key = authority.issue("server")
        ours, our_key = authority.issue("plant-7")
        acl = self.folder / "acl"
        acl.write_text("user plant-7\ntopic write sluice/plant-7/#\nuser centre\ntopic read sluice/#\n")
        broker = self.mosquitto(extra="per_listener_settings false\n", tls=(
            f"cafile {authority.cert}\ncertfile {cert}\nkeyfile {key}\nrequire_certificate true\nuse_identity_as_username true\n"
            f"acl_file {acl}\n"))
        at = self.linked(broker.port, f", cert: {ours}, key: {our_key}, ca: {authority.cert}", scheme="aws", host="localhost")
        wait_until(lambda: at.status()["uplink"]["connected"], f"connects:\n{at.log_tail()}\n{broker.log.read_text()[-2000:]}")
        theirs, their_key = authority.issue("centre")
        listener = subprocess.Popen(["mosquitto_sub", "-h", "localhost", "-p", str(broker.port), "--cafile", str(authority.cert), "--cert",
                                     str(theirs), "--key", str(their_key), "-t", "sluice/#", "-q", "1", "-C", "1", "-W", "60"],
                                    stdout=subprocess.PIPE, text=True)
        wait_until(lambda: "centre" in broker.log.read_text(), "the listener is in")
        time.sleep(0.5)
        publish(at, [100])
        first = json.loads(listener.communicate(timeout=60)[0])
        self.assertEqual(first["gateway"], "plant-7")
        wait_until(at.drained, "acknowledged")

    def test_a_broker_that_is_somebody_else_is_not_believed(self):
        authority, other = Authority(self.folder), Authority(self.folder, "other")
        cert, key = authority.issue("server")
        broker = self.mosquitto(tls=f"certfile {cert}\nkeyfile {key}\n")
        at = self.linked(broker.port, f", ca: {other.cert}", scheme="mqtts", host="localhost")
        wait_until(lambda: "cannot be reached (TLS: " in at.log_tail(), f"the log says why:\n{at.log_tail()}")
        publish(at, range(10))
        self.assertEqual(at.ledger()["events"]["sample"]["waiting"], 10)

    def test_who_is_refused_says_so_and_goes_on_trying(self):
        broker = self.mosquitto(extra="allow_anonymous false\n")
        at = self.linked(broker.port)
        wait_until(lambda: at.status()["uplink"]["trouble"] == "refused", f"the status says so: {at.status()}")
        self.assertIn("refuses us", at.log_tail())

    def test_wrong_settings_are_said_at_their_place(self):
        def problems(text):
            path = pathlib.Path(self.folder) / "wrong.yaml"
            path.write_text("gateway: {id: g}\nuplink: " + text + "\n")
            done = subprocess.run([BINARY, "check", "-c", str(path)], capture_output=True, text=True, timeout=60)
            return done.returncode, done.stderr

        code, said = problems("{url: mqtt://h, topic: 'a/{rule}'}")
        self.assertEqual(code, 2)
        self.assertIn(":2:32: error: `{rule}`: a batch holds events of many rules", said)
        code, said = problems("{url: aws://h}")
        self.assertEqual(code, 2)
        self.assertIn("AWS IoT Core knows a gateway by it", said)
        code, said = problems("{url: 'sluice://h', topic: x}")
        self.assertIn("`topic` is for mqtt://, mqtts://, aws://, nats://, kafka:// and kafkas://", said)
        self.assertEqual(code, 2)


if __name__ == "__main__":
    main()
