"""MQTT over TCP, byte by byte: what only sockets show. The packets themselves are tested against the hub in tests/conformance; the names
of these tests carry the standards' statement numbers too, and docs/conformance.md lists them."""

import socket
import struct

from sluice_system.case import SystemCase, main
from sluice_system.mqtt import packet, remaining, text


def connect(client_id: str, *, level: int = 5, keep_alive: int = 60, flags: int = 2, properties: bytes = b"", rest: bytes = b"") -> bytes:
    head = text("MQTT") + bytes([level, flags]) + struct.pack(">H", keep_alive)
    if level == 5:
        head += remaining(len(properties)) + properties
    return packet(0x10, head + text(client_id) + rest)


class Conformance(SystemCase):
    """One gateway for a test; the raw bytes of a connection until it is closed."""

    def setUp(self):
        super().setUp()
        self.at = self.gateway(rules="rules: []\n", extra="limits: {connect_timeout: 2s}\n")

    def open(self, data: bytes = b"") -> socket.socket:
        raw = socket.create_connection(("127.0.0.1", self.at.mqtt_port), timeout=30)
        self.addCleanup(raw.close)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        raw.sendall(data)
        return raw

    def read(self, raw: socket.socket, count: int) -> bytes:
        """Exactly so many bytes."""
        data = b""
        while len(data) < count:
            chunk = raw.recv(count - len(data))
            self.assertTrue(chunk, f"closed after {data.hex()}")
            data += chunk
        return data

    def until_closed(self, raw: socket.socket) -> bytes:
        """What comes until the gateway ends the connection; in order, not cut off by a reset."""
        data = b""
        while chunk := raw.recv(4096):
            data += chunk
        return data

    def connected(self, client_id: str, **more) -> socket.socket:
        raw = self.open(connect(client_id, **more))
        head = self.read(raw, 2)
        self.assertEqual(head[0], 0x20)
        self.assertEqual(self.read(raw, head[1])[:2], b"\x00\x00")
        return raw

    def test_Mqtt5_MQTT_3_1_0_1_another_first_packet_is_closed_without_a_byte(self):
        for first in (packet(0x30, text("t") + b"\x00"), b"\xc0\x00", b"\xe0\x00", b"\x00\x00", b"GET / HTTP/1.1\r\n\r\n"):
            self.assertEqual(self.until_closed(self.open(first)), b"")

    def test_Mqtt311_MQTT_3_1_4_1_a_connect_that_is_none_is_closed_without_a_byte(self):
        whole = connect("c", level=4)
        for damaged in (b"\x11" + whole[1:], whole.replace(b"MQTT", b"MQTX"), whole.replace(b"\x04\x02\x00\x3c", b"\x04\x03\x00\x3c")):
            self.assertEqual(self.until_closed(self.open(damaged)), b"")

    def test_Mqtt5_MQTT_3_2_2_7_a_refusal_arrives_whole_before_the_end(self):
        self.assertEqual(self.until_closed(self.open(connect("c", properties=b"\x15" + text("SCRAM")))), b"\x20\x03\x00\x8c\x00")

    def test_Mqtt311_MQTT_3_1_2_2_return_code_1_arrives_whole_before_the_end(self):
        for level in (2, 6):
            self.assertEqual(self.until_closed(self.open(connect("c", level=level))), b"\x20\x02\x00\x01")

    def test_Mqtt5_MQTT_3_14_4_1_MQTT_3_14_4_2_disconnect_is_the_last_packet_and_then_the_connection_ends(self):
        for data, reason in ((packet(0x36, text("t") + b"\x00\x01\x00"), 0x81), (connect("again"), 0x82), (b"\xf0\x00", 0x82),
                             (packet(0x30, text("t") + b"\x03\x23\x7f\xff"), 0x94), (b"\x30\xff\xff\xff\x7f", 0x95)):
            raw = self.connected("c")
            raw.sendall(b"\xc0\x00" + data + b"\xc0\x00" * 3)
            self.assertEqual(self.until_closed(raw), b"\xd0\x00" + bytes([0xE0, 1, reason]))

    def test_Mqtt5_MQTT_3_1_4_3_the_older_connection_is_told_and_closed(self):
        older = self.connected("twin")
        self.connected("twin")
        self.assertEqual(self.until_closed(older), b"\xe0\x01\x8e")

    def test_Mqtt311_MQTT_3_1_4_2_the_older_connection_is_closed_whichever_thread_each_came_to(self):
        connections = [self.connected("twin", level=4) for _ in range(20)]
        for older in connections[:-1]:
            self.assertEqual(self.until_closed(older), b"")
        connections[-1].sendall(b"\xc0\x00")
        self.assertEqual(self.read(connections[-1], 2), b"\xd0\x00")

    def test_Mqtt5_MQTT_3_1_2_22_silence_ends_the_connection(self):
        self.assertEqual(self.until_closed(self.connected("quiet", keep_alive=1)), b"\xe0\x01\x8d")

    def test_Mqtt311_MQTT_3_1_2_24_silence_ends_the_connection(self):
        self.assertEqual(self.until_closed(self.connected("quiet", level=4, keep_alive=1)), b"")

    def test_Mqtt5_MQTT_3_1_2_8_a_will_is_published_when_the_network_breaks(self):
        watcher = self.connected("watcher")
        watcher.sendall(packet(0x82, b"\x00\x01\x00" + text("will") + b"\x00"))
        self.assertEqual(self.read(watcher, 6), b"\x90\x04\x00\x01\x00\x00")
        dying = self.connected("dying", flags=6, rest=b"\x00" + text("will") + text("gone"))
        dying.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        dying.close()  # a reset
        self.assertEqual(self.read(watcher, 13), packet(0x30, text("will") + b"\x00gone"))

    def test_Mqtt5_MQTT_3_14_4_3_what_a_client_sent_before_it_left_is_delivered_and_its_will_is_not(self):
        watcher = self.connected("watcher")
        watcher.sendall(packet(0x82, b"\x00\x01\x00" + text("#") + b"\x00"))
        self.read(watcher, 6)
        leaving = self.connected("leaving", flags=6, rest=b"\x00" + text("will") + text("gone"))
        leaving.sendall(packet(0x30, text("last") + b"\x00word") + b"\xe0\x00")
        self.assertEqual(self.until_closed(leaving), b"")
        self.assertEqual(self.read(watcher, 13), packet(0x30, text("last") + b"\x00word"))
        watcher.sendall(b"\xc0\x00")
        self.assertEqual(self.read(watcher, 2), b"\xd0\x00")

    def test_Mqtt5_MQTT_4_9_0_3_a_half_closed_connection_gets_its_answers(self):
        raw = self.open(connect("half") + packet(0x32, text("t") + b"\x00\x07\x00x"))
        raw.shutdown(socket.SHUT_WR)
        answers = self.until_closed(raw)
        self.assertEqual(answers[:1], b"\x20")
        self.assertTrue(answers.endswith(b"\x40\x03\x00\x07\x10"), answers.hex())


if __name__ == "__main__":
    main()
