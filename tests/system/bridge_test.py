"""Bridges to real brokers: mosquitto as the other side, gateways as each other's, killed and restarted in the middle of it."""

import json
import shutil
import signal
import socket
import subprocess
import threading
import time
import unittest

from sluice_system.brokers import Collector, Mosquitto
from sluice_system.case import SystemCase, main
from sluice_system.certificates import Authority
from sluice_system.daemons import Gateway, wait_until
from sluice_system.mqtt import Client, packet, publish_packet

RULES = "rules: []\n"


@unittest.skipUnless(shutil.which("mosquitto"), "needs mosquitto")
class Bridge(SystemCase):
    def mosquitto(self, **options):
        broker = Mosquitto(self.folder, **options)
        self.addCleanup(broker.end, signal.SIGKILL)
        return broker.start()

    def bridged(self, bridges, gateway_id="plant-7", limits="{}", **options):
        return self.gateway(gateway_id=gateway_id, rules=RULES, extra=f"limits: {limits}\nbridges: {json.dumps(bridges)}\n", **options)

    def row(self, gateway, name="hq"):
        return next(each for each in gateway.status()["bridges"] if each["name"] == name)

    def up(self, gateway, name="hq"):
        wait_until(lambda: self.row(gateway, name)["connected"], f"the bridge is up; log:\n{gateway.log_tail()}")

    def listen(self, port, name, topic_filter, qos=1):
        collector = Collector(port, name, topic_filter, qos)
        self.addCleanup(setattr, collector, "stopping", True)
        return collector

    def retained(self, port, topic_filter):
        """Retain flag and payload of the first message of a new subscription."""
        return subprocess.run(["mosquitto_sub", "-p", str(port), "-t", topic_filter, "-C", "1", "-W", "30", "-F", "%r %p"],
                              capture_output=True, text=True, check=True).stdout.strip()

    def test_messages_go_both_ways_with_their_prefixes_and_retain_flags(self):
        remote = self.mosquitto()
        for version in ("auto", "5", "3.1.1"):
            prefix = f"plant{version[0]}/"
            bridges = [{"name": "hq", "url": f"mqtt://127.0.0.1:{remote.port}", "version": version, "topics": [
                {"direction": "out", "filter": "up/#", "qos": 2, "remote_prefix": prefix},
                {"direction": "in", "filter": "down/#", "qos": 1, "local_prefix": "hq/", "remote_prefix": prefix}]}]
            with self.subTest(version=version), Gateway(self.folder, gateway_id=f"plant-{version[0]}", rules=RULES,
                                                        extra=f"bridges: {json.dumps(bridges)}") as at:
                self.up(at)
                there = self.listen(remote.port, f"there-{version}", f"{prefix}up/#")
                here = self.listen(at.mqtt_port, "here", "hq/#", 1)
                with Client(at.mqtt_port, "p") as publisher:
                    for qos0 in (b"a", b"b"):
                        publisher.publish_qos0("up/x", qos0)
                    publisher.publish("up/y/z", b"c", retain=True)
                    publisher.publish("elsewhere", b"not this")
                    publisher.finish()
                with Client(remote.port, "q") as publisher:
                    publisher.publish(f"{prefix}down/1", b"d")
                    publisher.publish("down/1", b"nor this")
                    publisher.finish()
                wait_until(lambda: set(there.seen) == {"a", "b", "c"} and set(here.seen) == {"d"}, "all messages on both sides")
                self.assertEqual(set(there.topics), {f"{prefix}up/x", f"{prefix}up/y/z"})
                self.assertEqual(set(here.topics), {"hq/down/1"})
                self.assertEqual(self.retained(remote.port, f"{prefix}up/#"), "1 c", "the retain flag went over")
                row = self.row(at)
                self.assertEqual((row["messages_out"], row["messages_in"]), (3, 1))
                self.assertEqual(row["version"], "3.1.1" if version == "3.1.1" else "5.0")
                self.assertEqual(set(row["dropped_out"].values()) | set(row["dropped_in"].values()), {0})
                self.assertIn('sluice_bridge_connected{bridge="hq"} 1', at.text("/metrics"))
                self.assertEqual(self.retained(at.mqtt_port, "$SYS/broker/connection/hq/state"), "1 1")

    def test_nothing_of_qos_1_is_lost_when_either_end_is_killed_in_the_middle(self):
        remote = self.mosquitto()
        at = self.bridged([{"name": "hq", "url": f"mqtt://127.0.0.1:{remote.port}", "queue_messages": 1000000, "topics": [
            {"direction": "out", "filter": "up/#", "qos": 1}, {"direction": "in", "filter": "down/#", "qos": 1}]}])
        self.up(at)
        there = self.listen(remote.port, "there", "up/#")
        here = self.listen(at.mqtt_port, "here", "down/#")
        time.sleep(2.5)  # mosquitto saves its sessions once a second
        acked = {"up": set(), "down": set()}
        stopping = threading.Event()

        def publish(port, topic):
            number = 0
            while not stopping.is_set():
                try:
                    with Client(port, f"publisher-{topic}", timeout=20) as client:
                        while not stopping.is_set():
                            while len(client.unacked) < 16:
                                number += 1
                                client.publish(f"{topic}/x", f"{topic}-{number}".encode(), f"{topic}-{number}")
                            acked[topic].add(client.next_ack())
                            time.sleep(0.002)
                        while client.unacked:
                            acked[topic].add(client.next_ack())
                except OSError:
                    time.sleep(0.05)

        # By SIGKILL mosquitto would lose up to a second of what it had acknowledged, and what it is just sending as it ends: so only "up"
        # is published meanwhile.
        up = threading.Thread(target=publish, args=(at.mqtt_port, "up"), daemon=True)
        down = threading.Thread(target=publish, args=(remote.port, "down"), daemon=True)
        up.start()
        for round_ in range(3):
            time.sleep(1.0)
            remote.end()
            time.sleep(0.5)
            remote.start()
            wait_until(lambda: self.row(at)["connected"], "the bridge is back")
        down.start()
        for round_ in range(3):
            time.sleep(1.0)
            at.kill()
            at.start()
            self.up(at)
        stopping.set()
        up.join(60), down.join(60)
        for topic, collector in (("up", there), ("down", here)):
            wait_until(lambda: acked[topic] <= set(collector.seen),
                       f"{topic}: all {len(acked[topic])} acknowledged arrive; missing {sorted(acked[topic] - set(collector.seen))[:5]}")
            self.assertGreater(len(acked[topic]), 200)
        self.assertEqual(self.row(at)["dropped_out"]["queue_full"], 0)

    def test_qos_2_arrives_exactly_once_across_breaks_of_both_ends(self):
        remote = self.mosquitto()
        at = self.bridged([{"name": "hq", "url": f"mqtt://127.0.0.1:{remote.port}", "queue_messages": 1000000,
                            "topics": [{"direction": "out", "filter": "up/#", "qos": 2}]}])
        self.up(at)
        there = self.listen(remote.port, "there", "up/#", 1)
        sent = 0
        with_ids = iter(range(1, 60000))
        for break_ in range(4):
            with Client(at.mqtt_port, "p", clean=False) as client:
                for _ in range(300):
                    sent += 1
                    client.send(publish_packet("up/x", str(sent).encode(), qos=2, packet_id=next(with_ids)))
                released = 0
                while released < 300:
                    kind, _, body = client.read()
                    if kind == 5:
                        client.send(packet(0x62, body[:2]))
                    released += kind == 7
                    if released == 100 and kind == 7:
                        if break_ % 2 == 0:
                            remote.end()
                            remote.start()
                        elif break_ == 1:
                            break
            if break_ == 1:
                # The publisher has its answer for all that counts: those without are not expected, nor forbidden.
                at.kill()
                at.start()
        wait_until(lambda: len(there.seen) >= sent - 200, "all arrive")
        self.up(at)
        wait_until(lambda: self.row(at)["waiting"] == 0, "nothing is under way")
        time.sleep(1)
        twice = {payload: count for payload, count in there.seen.items() if count != 1}
        self.assertEqual(twice, {})

    def test_what_is_published_while_the_other_side_is_away_arrives_when_it_is_back(self):
        remote = self.mosquitto()
        bridges = [{"name": "hq", "url": f"mqtt://127.0.0.1:{remote.port}",
                    "topics": [{"direction": "out", "filter": "up/#"}, {"direction": "in", "filter": "down/#"}]}]
        at = self.bridged(bridges)
        self.up(at)
        there = self.listen(remote.port, "there", "up/#")
        here = self.listen(at.mqtt_port, "here", "down/#")
        remote.end()
        wait_until(lambda: not self.row(at)["connected"], "the bridge notices")
        self.assertIn(self.row(at)["trouble"], ("closed", "cannot be reached"))
        with Client(at.mqtt_port, "p") as client:
            for i in range(500):
                client.publish("up/x", str(i).encode())
            client.finish()
        wait_until(lambda: self.row(at)["waiting"] == 500, "they wait")
        at.kill()  # what waits survives that, too
        at.start()
        remote.start()
        wait_until(lambda: len(there.seen) == 500, "they arrive")
        at.stop()
        with Client(remote.port, "q") as client:
            for i in range(500):
                client.publish("down/x", str(i).encode())
            client.finish()
        at.start()
        wait_until(lambda: len(here.seen) == 500, "so does what the remote kept")

    def test_a_refused_password_is_told_by_status_and_log(self):
        passwords = self.folder / "passwords"
        subprocess.run(["mosquitto_passwd", "-b", "-c", str(passwords), "ana", "right"], check=True)
        remote = self.mosquitto(extra=f"allow_anonymous false\npassword_file {passwords}\n")
        at = self.bridged([{"name": "hq", "url": f"mqtt://127.0.0.1:{remote.port}", "user": "ana", "password": "wrong",
                            "topics": [{"filter": "up/#"}]}])
        wait_until(lambda: self.row(at)["trouble"] == "refuses us", "the status says so")
        self.assertIn(self.row(at)["reason"], ("Not authorized", "Bad User Name or Password"))
        wait_until(lambda: "refuses us: " in at.log_tail(), "the log, too")
        self.assertNotIn("wrong", at.log_tail())
        at.config.write_text(at.config.read_text().replace('"wrong"', '"right"'))
        at.process.send_signal(signal.SIGHUP)
        self.up(at)

    def test_over_tls_the_broker_must_prove_who_it_is(self):
        authority = Authority(self.folder)
        cert, key = authority.issue("broker")
        other = Authority(self.folder, "other")
        remote = Mosquitto(self.folder, tls=f"cafile {authority.cert}\ncertfile {cert}\nkeyfile {key}\n")
        self.addCleanup(remote.end, signal.SIGKILL)
        remote.start()
        topics = [{"filter": "up/#", "qos": 1}]
        at = self.bridged([{"name": "hq", "url": f"mqtts://localhost:{remote.port}", "ca": str(authority.cert), "topics": topics},
                           {"name": "evil", "url": f"mqtts://127.0.0.1:{remote.port}", "ca": str(other.cert), "topics": topics}])
        self.up(at)
        self.assertEqual(self.row(at, "evil")["connected"], False)
        wait_until(lambda: "evil" in at.log_tail() and "certificate" in at.log_tail(), "the log says why")

    def test_a_broker_that_takes_connections_and_never_answers_is_given_up(self):
        with socket.create_server(("127.0.0.1", 0)) as deaf:
            at = self.bridged([{"name": "hq", "url": f"mqtt://127.0.0.1:{deaf.getsockname()[1]}", "topics": [{"filter": "up/#"}]}])
            wait_until(lambda: self.row(at)["trouble"] == "does not answer", "after 10 s")
            self.assertEqual(self.row(at)["connected"], False)

    def settle(self, gateways, seconds=3.0):
        """Publishes that still go round would go on doing so."""
        def total():
            return sum(row["messages_in"] + row["messages_out"] for each in gateways for row in each.status()["bridges"])
        before = total()
        while True:
            time.sleep(seconds)
            now = total()
            if now == before:
                return now
            before = now
            self.assertLess(now, 1000, "a loop")

    def test_two_gateways_bridged_to_each_other_both_ways_do_not_loop(self):
        a, b = (Gateway(self.folder, gateway_id=name, rules=RULES) for name in ("a", "b"))
        both = [{"direction": "both", "filter": "#", "qos": 1}]
        for each, other in ((a, b), (b, a)):
            with open(each.config, "a", encoding="utf-8") as config:
                bridges = [{"name": "other", "url": f"mqtt://127.0.0.1:{other.mqtt_port}", "topics": both}]
                config.write(f"bridges: {json.dumps(bridges)}\n")
        for each in (a, b):
            self._running(each)
        for each in (a, b):
            self.up(each, "other")
        on_a, on_b = self.listen(a.mqtt_port, "on-a", "t/#"), self.listen(b.mqtt_port, "on-b", "t/#")
        with Client(a.mqtt_port, "p") as client:
            for i in range(20):
                client.publish("t/x", str(i).encode())
            client.finish()
        wait_until(lambda: len(on_b.seen) == 20, "all on the other side")
        self.settle((a, b))
        self.assertEqual(set(on_a.seen.values()), {1}, "nothing comes back to where it was published")
        # Two bridges are two ways from a to b: one of a's, one of b's. Each carries it once.
        self.assertLessEqual(max(on_b.seen.values()), 2)

    def test_two_gateways_with_one_id_say_so_and_lose_nothing(self):
        (self.folder / "twin").mkdir()
        twin = self._running(Gateway(self.folder / "twin", gateway_id="plant-7", rules=RULES))
        at = self.bridged([{"name": "hq", "url": twin.url, "topics": [{"direction": "out", "filter": "up/#", "qos": 1}]}])
        wait_until(lambda: self.row(at)["trouble"] == "has our own `gateway.id`", "the status says so")
        wait_until(lambda: "has our own `gateway.id`; messages wait" in at.log_tail(), "the log, too")
        with Client(at.mqtt_port, "p") as client:
            client.publish("up/x", b"1", retain=True)
            client.finish()
        wait_until(lambda: self.row(at)["waiting"] == 1, "it waits")
        twin.stop()
        twin.config.write_text(twin.config.read_text().replace("plant-7", "plant-8"))  # its folder, too, which is the old id's
        twin.start()
        self.up(at)
        self.assertEqual(self.retained(twin.mqtt_port, "up/#"), "1 1", "put right, it goes over")

    def test_a_ring_of_three_does_not_loop(self):
        gateways = [Gateway(self.folder, gateway_id=name, rules=RULES) for name in ("a", "b", "c")]
        for i, each in enumerate(gateways):
            after = gateways[(i + 1) % 3]
            with open(each.config, "a", encoding="utf-8") as config:
                config.write("bridges: " + json.dumps([{"name": "next", "url": f"mqtt://127.0.0.1:{after.mqtt_port}",
                                                        "topics": [{"direction": "both", "filter": "t/#", "qos": 1}]}]) + "\n")
        for each in gateways:
            self._running(each)
        for each in gateways:
            self.up(each, "next")
        collectors = [self.listen(each.mqtt_port, "collector", "t/#") for each in gateways]
        with Client(gateways[0].mqtt_port, "p") as client:
            for i in range(20):
                client.publish("t/x", str(i).encode())
            client.finish()
        wait_until(lambda: all(len(each.seen) == 20 for each in collectors), "all everywhere")
        self.settle(gateways)
        self.assertEqual(set(collectors[0].seen.values()), {1}, "nothing comes back to where it was published")
        for each in collectors[1:]:
            self.assertLessEqual(max(each.seen.values()), 2, "a ring has two ways to each: both arrive, and end there")

    def test_both_ways_with_a_3_1_1_broker_nothing_comes_back(self):
        remote = self.mosquitto()
        at = self.bridged([{"name": "hq", "url": f"mqtt://127.0.0.1:{remote.port}", "version": "3.1.1",
                            "topics": [{"direction": "both", "filter": "t/#", "qos": 1}]}])
        self.up(at)
        self.assertTrue(self.row(at)["as_bridge"])
        here, there = self.listen(at.mqtt_port, "here", "t/#"), self.listen(remote.port, "there", "t/#")
        for port, word in ((at.mqtt_port, "from here"), (remote.port, "from there")):
            with Client(port, "p") as client:
                client.publish("t/x", word.encode())
                client.finish()
        everything = {"from here": 1, "from there": 1}
        wait_until(lambda: dict(here.seen) == everything and dict(there.seen) == everything, "both on both sides")
        self.settle([at])
        self.assertEqual((dict(here.seen), dict(there.seen)), (everything, everything))

    def test_a_mosquitto_that_bridges_to_us_gets_nothing_back(self):
        at = self.gateway(rules=RULES)
        remote = self.mosquitto(extra=f"allow_anonymous true\nconnection up\naddress 127.0.0.1:{at.mqtt_port}\ntopic t/# both 1\n"
                                      "notifications false\nrestart_timeout 1\n")
        here, there = self.listen(at.mqtt_port, "here", "t/#"), self.listen(remote.port, "there", "t/#")
        wait_until(lambda: any("up" in each["client"] for each in at.get("/api/v1/clients")["clients"]), "mosquitto is connected")
        time.sleep(0.5)
        with Client(remote.port, "p") as client:
            client.publish("t/x", b"from there")
            client.finish()
        wait_until(lambda: here.seen["from there"], "it comes here")
        with Client(at.mqtt_port, "p") as client:
            client.publish("t/x", b"from here")
            client.finish()
        wait_until(lambda: there.seen["from here"], "and the other way")
        time.sleep(1)
        self.assertEqual(set(here.seen.values()) | set(there.seen.values()), {1})

    def test_a_reload_adds_changes_and_removes_bridges_and_disturbs_nobody(self):
        one, two = self.mosquitto(), self.mosquitto()
        url = {each: f"mqtt://127.0.0.1:{each.port}" for each in (one, two)}
        at = self.bridged([{"name": "one", "url": url[one], "topics": [{"filter": "a/#"}, {"filter": "b/#"}]}])
        self.up(at, "one")
        plain = at.config.read_text().split("bridges:")[0]

        def reload(bridges):
            at.config.write_text(plain + f"bridges: {json.dumps(bridges)}\n")
            at.process.send_signal(signal.SIGHUP)

        on_one, on_two = self.listen(one.port, "c", "#"), self.listen(two.port, "c", "#")
        client = Client(at.mqtt_port, "p")
        self.addCleanup(client.close)
        kept = [{"name": "one", "url": url[one], "topics": [{"filter": "a/#"}, {"filter": "b/#"}]}]
        reload(kept + [{"name": "two", "url": url[two], "topics": [{"filter": "a/#"}]}])
        wait_until(lambda: len(at.status()["bridges"]) == 2, "it is there")
        self.up(at, "two")
        self.assertEqual(self.row(at, "one")["connections"], 1, "the other one went on")
        client.publish("a/x", b"1"), client.publish("b/x", b"2"), client.finish()
        wait_until(lambda: set(on_one.seen) == {"1", "2"} and set(on_two.seen) == {"1"}, "both carry")
        reload([{"name": "one", "url": url[one], "topics": [{"filter": "b/#"}]}])
        wait_until(lambda: len(at.status()["bridges"]) == 1, "one is gone")
        wait_until(lambda: "bridge one changed" in at.log_tail(), "the other one has begun anew")
        self.up(at, "one")
        client.publish("a/x", b"3"), client.publish("b/x", b"4"), client.finish()
        wait_until(lambda: on_one.seen["4"], "what is still mapped goes over")
        self.assertEqual((on_one.seen["3"], on_two.seen["3"]), (0, 0))
        self.assertEqual(self.row(at, "one")["dropped_out"]["unmapped"], 0, "the hub knows the new list")
        wait_until(lambda: "$bridge/two" not in [each["client"] for each in at.get("/api/v1/clients")["clients"]], "its session has ended")

    def test_a_reload_that_lowers_limits_is_kept_to_by_the_bridges_there_are(self):
        remote = self.mosquitto()
        at = self.bridged([{"name": "hq", "url": f"mqtt://127.0.0.1:{remote.port}",
                            "topics": [{"direction": "in", "filter": "t/#", "qos": 1}]}])
        self.up(at)
        here = self.listen(at.mqtt_port, "here", "t/#")
        at.config.write_text(at.config.read_text().replace("limits: {}", "limits: {payload: 2KiB, receive_maximum: 2}"))
        at.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "bridge hq changed" in at.log_tail(), "the limits are there")
        self.up(at)
        with Client(remote.port, "q") as client:
            client.publish("t/large", b"x" * 3000)  # mosquitto, told of our limit, does not send it
            for i in range(100):
                client.publish("t/x", str(i).encode())
            client.finish()
        wait_until(lambda: len(here.seen) == 100, "all that is small enough comes")
        self.assertEqual((self.row(at)["connections"], self.row(at)["failures"]), (1, 0), "nobody let go")

    def test_a_message_that_is_too_large_is_counted_and_stops_nothing(self):
        remote = self.mosquitto()
        at = self.bridged([{"name": "hq", "url": f"mqtt://127.0.0.1:{remote.port}", "version": "3.1.1",
                            "topics": [{"direction": "in", "filter": "t/#", "qos": 2}]}], limits="{payload: 2KiB}")
        self.up(at)
        here = self.listen(at.mqtt_port, "here", "t/#")
        with Client(remote.port, "q") as client:
            for i in range(4):
                client.publish("t/large", b"x" * 3_000_000)
                client.publish("t/larger than a payload, not than a packet", b"x" * 10_000)
                client.publish("t/x", str(i).encode())
            client.finish()
        wait_until(lambda: len(here.seen) == 4, "the others come")
        row = self.row(at)
        self.assertEqual((row["dropped_in"]["too_large"], row["messages_in"], row["failures"]), (8, 4, 0))

    def test_how_fast_clients_may_publish_is_not_for_bridges(self):
        remote = self.mosquitto()
        at = self.bridged([{"name": name, "url": f"mqtt://127.0.0.1:{remote.port}", "topics": [
            {"direction": "in", "filter": f"{mine}/#", "qos": 1},
            {"direction": "out", "filter": f"{other}/#", "qos": 1, "remote_prefix": "back/"}]}
            for name, mine, other in (("one", "a", "b"), ("two", "b", "a"))], limits="{message_rate: 5, byte_rate: 1KiB}")
        self.up(at, "one"), self.up(at, "two")
        there = self.listen(remote.port, "there", "back/#")
        with Client(remote.port, "q") as client:
            for i in range(2000):
                client.publish("ab"[i % 2] + "/x", str(i).encode())
            client.finish()
        # Each brings a thousand in, and acknowledges a thousand on the same connection, behind them: at 5 a second that were 200 s.
        wait_until(lambda: len(there.seen) == 2000, "all there and back")
        for name in ("one", "two"):
            counts = ("messages_in", "messages_out")
            wait_until(lambda: [self.row(at, name)[each] for each in counts] == [1000, 1000], "all acknowledged, on both sides")
            self.assertEqual((self.row(at, name)["connections"], self.row(at, name)["failures"]), (1, 0), "nobody let go")
        name = "sluice_hub_clients_throttled_total{"
        throttled = {line.split()[-1] for line in at.text("/metrics").splitlines() if line.startswith(name)}
        self.assertEqual(throttled, {"0"})

    def test_nobody_else_can_take_a_bridges_place(self):
        at = self.gateway(rules=RULES)
        with socket.create_connection(("127.0.0.1", at.mqtt_port)) as connection, self.assertRaises(ConnectionError):
            Client(at.mqtt_port, "$bridge/hq", over=connection)


if __name__ == "__main__":
    main()
