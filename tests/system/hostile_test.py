"""A bad neighbour costs only itself: malformed packets, hostile payloads and floods, while a well-behaved sensor goes on undisturbed."""

import json
import os
import random
import resource
import socket
import struct

from sluice_system.case import SystemCase, main
from sluice_system.daemons import wait_until
from sluice_system.mqtt import Client, connect_packet, packet, publish_packet, remaining, text

SEED = int(os.environ.get("SLUICE_SEED", "0")) or random.SystemRandom().randrange(1, 2**32)

RULES = """rules:
  - {id: all, sql: "SELECT device, n, v FROM 'load/+'", to: [{cloud: sample}]}
  - {id: high, sql: "SELECT device, n FROM 'load/+' WHERE v > 5", to: [{topic: "high/{device}"}]}
"""

CONNECTED = connect_packet("bad")
# Bytes after which the gateway must close the connection.
MALFORMED = {
    "not MQTT at all": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "a packet before CONNECT": publish_packet("a", b"x"),
    "an endless remaining length": b"\x10\xff\xff\xff\xff\x01",
    "CONNECT twice": CONNECTED + CONNECTED,
    "an unknown protocol name": packet(0x10, text("MQTX") + b"\x04\x02\x00\x3c" + text("x")),
    "an unknown protocol level": packet(0x10, text("MQTT") + b"\x63\x02\x00\x3c" + text("x")),
    "reserved connect flag": packet(0x10, text("MQTT") + b"\x04\x03\x00\x3c" + text("x")),
    "a cut CONNECT": packet(0x10, text("MQTT") + b"\x04\x02\x00"),
    "a topic with a wildcard": CONNECTED + publish_packet("a/#", b"x"),
    "a topic that is not UTF-8": CONNECTED + packet(0x30, b"\x00\x02\xc3\x28x"),
    "a topic with U+0000": CONNECTED + packet(0x30, b"\x00\x03a\x00bx"),
    "QoS 3": CONNECTED + packet(0x36, text("a") + b"\x00\x01x"),
    "packet id 0": CONNECTED + publish_packet("a", b"x", qos=1, packet_id=0),
    "SUBSCRIBE with wrong flags": CONNECTED + packet(0x80, b"\x00\x01" + text("a") + b"\x00"),
    "SUBSCRIBE without a filter": CONNECTED + packet(0x82, b"\x00\x01"),
    "a filter that is not one": CONNECTED + packet(0x82, b"\x00\x01" + text("a/#/b") + b"\x00"),
    "a reserved packet type": CONNECTED + b"\x00\x00",
    "a server's packet": CONNECTED + b"\x20\x02\x00\x00",
    "more than the payload limit": CONNECTED + b"\x30" + remaining(200 * 1024 * 1024) + text("a") + b"x" * 70000,
}

# All within limits.payload: what is larger ends the connection.
DEEP = b'{"v":' * 40000 + b"1" + b"}" * 40000
# Payloads that a rule must survive; none may produce an event with a value that is not there.
PAYLOADS = {
    "deep objects": DEEP,
    "deep arrays": b"[" * 100000 + b"]" * 100000,
    "a number beyond a double": b'{"device":"bad","n":1,"v":1e999}',
    "NaN": b'{"device":"bad","n":1,"v":NaN}',
    "Infinity": b'{"device":"bad","n":1,"v":-Infinity}',
    "invalid UTF-8": b'{"device":"\xff\xfe","n":1,"v":1}',
    "a lone surrogate": b'{"device":"\\ud800","n":1,"v":1}',
    "a cut document": b'{"device":"bad","n":1,"v":',
    "nothing": b"",
    "spaces": b" " * 1000,
    "a bare number": b"42",
    "repeated keys": b'{"v":1,"v":2,"v":' + b"9" * 400 + b"}",
    "a very long number": b'{"device":"bad","v":' + b"1" * 100000 + b"}",
    "a very long key": b'{"' + b"k" * 200000 + b'":1}',
    "binary": bytes(range(256)) * 100,
}


class Neighbour(SystemCase):
    """A gateway, a sensor whose readings must all arrive, and a watcher whose alerts must all arrive."""

    def setUp(self):
        super().setUp()
        self.store = self.cloud()
        self.at = self.gateway(uplink_port=self.store.mqtt_port, rules=RULES, extra="limits: {connect_timeout: 2s}\n")
        self.good = Client(self.at.mqtt_port, "good")
        self.addCleanup(self.good.close)
        self.watcher = Client(self.at.mqtt_port, "watcher")
        self.addCleanup(self.watcher.close)
        self.watcher.subscribe("high/good", qos=1)
        self.sent = 0

    def good_still_works(self):
        """Ten readings, one of them high: acknowledged, and the alert comes."""
        for number in range(self.sent, self.sent + 10):
            value = 9 if number % 10 == 5 else 1
            self.good.publish("load/good", json.dumps({"device": "good", "n": number, "v": value}).encode())
        self.good.finish()
        self.assertEqual(json.loads(self.watcher.next_message()[1])["n"], self.sent + 5)
        self.sent += 10

    def tearDown(self):
        wait_until(self.at.drained, "everything is in the cloud")
        numbers = [event["data"]["n"] for event in self.store.events(rule="all") if event["data"]["device"] == "good"]
        self.assertEqual(numbers, list(range(self.sent)))
        self.assertEqual(self.at.stop(), 0, self.at.log_tail())
        super().tearDown()

    def bytes_end_in_close(self, name, data):
        with socket.create_connection(("127.0.0.1", self.at.mqtt_port), timeout=30) as raw:
            try:
                raw.sendall(data)
                while raw.recv(4096):
                    pass
            except (ConnectionResetError, BrokenPipeError):
                pass
            except TimeoutError:
                self.fail(f"{name}: the connection was not closed")

    def test_malformed_packets_close_their_connection_only(self):
        for name, data in MALFORMED.items():
            with self.subTest(name):
                self.bytes_end_in_close(name, data)
                self.good_still_works()

    def test_random_bytes_close_their_connection_only(self):
        print(f"SLUICE_SEED={SEED}", flush=True)
        chance = random.Random(SEED)
        for _ in range(200):
            with socket.create_connection(("127.0.0.1", self.at.mqtt_port), timeout=30) as raw:
                try:
                    raw.sendall(CONNECTED + chance.randbytes(chance.randrange(1, 4000)))
                    raw.shutdown(socket.SHUT_WR)
                    while raw.recv(4096):
                        pass
                except (ConnectionResetError, BrokenPipeError):
                    pass
        self.good_still_works()

    def test_hostile_payloads_are_rejected_and_counted_and_disturb_nobody(self):
        for name, payload in PAYLOADS.items():
            with self.subTest(name):
                with Client(self.at.mqtt_port, "bad") as bad:
                    bad.publish("load/bad", payload)
                    bad.finish()
                    self.good_still_works()
        wait_until(lambda: self.at.status()["readings"]["dropped"]["malformed"] > 5, "malformed readings are counted")
        wait_until(self.at.drained, "everything is in the cloud")
        for event in self.store.events(rule="all"):
            if event["data"]["device"] != "good":
                self.assertNotIsInstance(event["data"].get("v"), str)

    def test_ten_megabytes_in_one_message_are_refused(self):
        self.bytes_end_in_close("10 MB", CONNECTED + publish_packet("load/bad", b'{"v":"' + b"x" * 10_000_000 + b'"}', qos=1, packet_id=1))
        self.good_still_works()

    def test_a_flood_of_half_open_connections_is_closed_after_the_limit(self):
        wanted = 3000
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(soft, wanted + 500), hard), hard))
        flood = []
        self.addCleanup(lambda: [each.close() for each in flood])
        for number in range(wanted):
            flood.append(socket.create_connection(("127.0.0.1", self.at.mqtt_port), timeout=30))
            if number % 2:
                flood[-1].sendall(CONNECTED[:number % len(CONNECTED)])
            if number % 500 == 0:
                self.good_still_works()
        self.good_still_works()
        for each in flood:
            self.assertEqual(each.recv(16), b"", "a connection that never said CONNECT was kept")
        self.good_still_works()

    def test_connections_that_send_one_byte_at_a_time_are_served(self):
        slow = socket.create_connection(("127.0.0.1", self.at.mqtt_port), timeout=30)
        self.addCleanup(slow.close)
        slow.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in connect_packet("slow") + publish_packet("load/slow", b'{"device":"slow","n":1,"v":1}', qos=1, packet_id=7):
            slow.sendall(bytes([byte]))
        answer = b""
        while len(answer) < 8:
            answer += slow.recv(64)
        self.assertEqual(answer, b"\x20\x02\x00\x00\x40\x02\x00\x07")
        self.good_still_works()

    def test_a_subscriber_that_does_not_read_loses_its_own_messages_only(self):
        lazy = Client(self.at.mqtt_port, "lazy")
        self.addCleanup(lazy.close)
        lazy.subscribe("flood/#", qos=0)
        with Client(self.at.mqtt_port, "source") as source:
            for _ in range(40):
                for _ in range(50):
                    source.publish_qos0("flood/x", b"x" * 20000)
                source.ping()
                self.good_still_works()
        dropped = self.at.status()["readings"]["dropped"]["queue_full"]
        self.assertGreater(dropped, 0, "what a slow subscriber missed must be counted")

    def test_a_lying_length_does_not_take_memory(self):
        before = self.memory()
        held = []
        self.addCleanup(lambda: [each.close() for each in held])
        for number in range(200):
            raw = socket.create_connection(("127.0.0.1", self.at.mqtt_port), timeout=30)
            raw.sendall(connect_packet(f"liar{number}") + b"\x32" + remaining(250 * 1024) + text("load/liar") + struct.pack(">H", 1))
            held.append(raw)
        self.good_still_works()
        self.assertLess(self.memory() - before, 64 * 1024, "KiB taken by 200 connections that announced 250 KiB each and sent none")

    def test_a_storm_of_take_overs_ends_all_but_the_last(self):
        storm = []
        self.addCleanup(lambda: [each.close() for each in storm])
        for number in range(500):
            storm.append(socket.create_connection(("127.0.0.1", self.at.mqtt_port), timeout=30))
            storm[-1].sendall(connect_packet("twin"))
            if number % 100 == 0:
                self.good_still_works()
        for each in storm:
            self.assertEqual(each.recv(4), b"\x20\x02\x00\x00")
        open_ones = []
        for each in storm:
            each.sendall(b"\xc0\x00")
            try:
                if each.recv(2) == b"\xd0\x00":
                    open_ones.append(each)
            except ConnectionResetError:
                pass
        self.assertEqual(len(open_ones), 1, "one connection of a client id is left, whichever came last")
        self.good_still_works()

    def test_a_hundred_thousand_filters_are_refused_past_the_limit(self):
        with Client(self.at.mqtt_port, "bomber") as bomber:
            refused = 0
            for first in range(0, 100_000, 500):
                filters = b"".join(text(f"bomb/{number}/+/#") + b"\x02" for number in range(first, first + 500))
                bomber.send(packet(0x82, b"\x00\x01" + filters))
                kind, _, codes = bomber.read()
                self.assertEqual(kind, 9)
                refused += codes[2:].count(0x80)
                if first % 10_000 == 0:
                    self.good_still_works()
            self.assertEqual(refused, 99_000)
        self.good_still_works()

    def test_filters_of_wildcards_alone_and_topics_of_many_levels_are_served(self):
        with Client(self.at.mqtt_port, "bomber") as bomber:
            for levels in range(1, 33):
                bomber.subscribe("/".join("+" * levels))
                bomber.subscribe("/".join("+" * levels) + "/#")
            bomber.publish_qos0("/".join("a" * 200), b"deep")
            self.assertEqual(bomber.next_message(), ("/".join("a" * 200), b"deep"))
            bomber.publish_qos0("/" * 65535, b"deeper")
            self.assertEqual(bomber.next_message(), ("/" * 65535, b"deeper"))
        self.good_still_works()

    def test_wills_and_retained_messages_by_the_thousand_take_bounded_memory(self):
        before = self.memory()
        held = []
        self.addCleanup(lambda: [each.close() for each in held])
        will = text("bomb/will") + struct.pack(">H", 60_000) + b"w" * 60_000
        for number in range(2000):
            raw = socket.create_connection(("127.0.0.1", self.at.mqtt_port), timeout=30)
            raw.sendall(packet(0x10, text("MQTT") + b"\x04\x06\x00\x3c" + text(f"bomber{number}") + will))
            self.assertEqual(raw.recv(4)[:3], b"\x20\x02\x00")
            held.append(raw)
        with Client(self.at.mqtt_port, "retainer") as retainer:
            for number in range(3000):
                retainer.publish_qos0(f"bomb/{number}", b"x" * 1000)
                retainer.send(publish_packet(f"bomb/{number}", b"x" * 1000, retain=True))
            retainer.ping()
        self.good_still_works()
        # 16 MiB of wills a shard are kept, the rest refused; 3 MB of retained messages a shard.
        self.assertLess(self.memory() - before, (16 + 32) * 1024 * (os.cpu_count() or 1), "KiB taken by 120 MB of wills")

    def memory(self) -> int:
        with open(f"/proc/{self.at.process.pid}/status", encoding="utf-8") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))


if __name__ == "__main__":
    main()
