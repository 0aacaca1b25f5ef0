"""Azure IoT Hub as the cloud: a server that follows the hub's rules of signing in to the letter, over TLS, with its own computation of the
signature. (A real hub is not at hand; what is documented of it stands in docs/uplinks.md.)"""

import base64
import hashlib
import hmac
import json
import socket
import ssl
import struct
import threading
import time
import urllib.parse

from sluice_system.case import SystemCase, main
from sluice_system.certificates import Authority
from sluice_system.daemons import wait_until
from sluice_system.mqtt import Client, packet

KEY = b"0123456789abcdef0123456789abcdef"
DEVICE = "line-1"
RULES = """rules:
  - {id: all, sql: "SELECT device, n FROM 'load/+'", to: [{cloud: sample}]}
"""


class Hub(threading.Thread):
    """One device may connect, with a signature that holds at `clock()`. What it stores it acknowledges."""

    def __init__(self, cert, key, clock=time.time):
        super().__init__(daemon=True)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(cert, key)
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.clock = clock
        self.refusals, self.connections, self.stored = [], [], []
        self.start()

    def run(self):
        while True:
            try:
                raw, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(raw,), daemon=True).start()

    def serve(self, raw):
        try:
            with self.context.wrap_socket(raw, server_side=True) as stream:
                self.talk(stream.makefile("rb"), stream)
        except (OSError, EOFError, ssl.SSLError):
            pass

    def talk(self, reader, stream):
        while True:
            first, body = read_packet(reader)
            if first >> 4 == 1:
                problem = self.judge(body)
                if problem:
                    self.refusals.append(problem)
                    stream.sendall(packet(0x20, b"\x00\x05"))  # not authorised
                    return
                stream.sendall(packet(0x20, b"\x00\x00"))
            elif first >> 4 == 3:
                size, = struct.unpack_from(">H", body)
                topic = body[2:2 + size].decode()
                assert first & 0x06 == 0x02 and first & 1 == 0, "QoS 1, not retained"
                self.stored.append((topic, body[4 + size:]))
                stream.sendall(packet(0x40, body[2 + size:4 + size]))
            elif first >> 4 == 12:
                stream.sendall(packet(0xd0, b""))
            elif first >> 4 == 14:
                return

    def judge(self, body):
        """None, or what is wrong. Source: Microsoft, "Use MQTT to communicate with an IoT hub"."""
        fields, rest = [], body[10:]
        while rest:
            size, = struct.unpack_from(">H", rest)
            fields.append(rest[2:2 + size].decode())
            rest = rest[2 + size:]
        if body[:7] != b"\x00\x04MQTT\x04" or body[7] & 0x04:
            return "not 3.1.1, or with a will"
        client, user, password = fields
        self.connections.append(user)
        if client != DEVICE or user != f"localhost/{DEVICE}/?api-version=2021-04-12":
            return f"who is {client}, {user}?"
        if not password.startswith("SharedAccessSignature "):
            return "no signature"
        parts = dict(each.split("=", 1) for each in password.split(" ", 1)[1].split("&"))
        signed = f"{parts['sr']}\n{parts['se']}".encode()
        right = base64.b64encode(hmac.new(KEY, signed, hashlib.sha256).digest()).decode()
        if urllib.parse.unquote(parts["sr"]) != f"localhost/devices/{DEVICE}" or urllib.parse.unquote(parts["sig"]) != right:
            return "wrong signature"
        return None if self.clock() < int(parts["se"]) < self.clock() + 2 * 3600 else "expired"


def read_packet(reader):
    def exactly(count):
        data = reader.read(count)
        if len(data) != count:
            raise EOFError
        return data
    first = exactly(1)[0]
    size, shift = 0, 0
    while True:
        byte = exactly(1)[0]
        size |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return first, exactly(size)


class AzureUplink(SystemCase):
    def linked(self, hub, authority, key=KEY):
        uplink = (f"uplink: {{url: 'azure://localhost:{hub.port}', client_id: {DEVICE}, password: '{base64.b64encode(key).decode()}', "
                  f"ca: {authority.cert}, retry_max: 1s}}\n")
        return self.gateway(rules=RULES, extra=uplink)

    def hub(self, **options):
        authority = Authority(self.folder)
        hub = Hub(*authority.issue("hub"), **options)
        self.addCleanup(hub.socket.close)
        return hub, authority

    def publish(self, at, count):
        with Client(at.mqtt_port, "load") as client:
            for number in range(count):
                client.publish("load/a", json.dumps({"device": "a", "n": number}).encode())
            client.finish()

    def test_a_device_signs_in_with_its_key_and_its_events_arrive_with_properties(self):
        hub, authority = self.hub()
        at = self.linked(hub, authority)
        self.publish(at, 150)
        wait_until(at.drained, f"the hub has it: {hub.refusals}\n{at.status()}\n{at.log_tail()}")
        self.assertEqual(hub.refusals, [])
        numbers = []
        for topic, payload in hub.stored:
            head, bag = topic.rsplit("/", 1)
            self.assertEqual(head, f"devices/{DEVICE}/messages/events")
            properties = dict(urllib.parse.parse_qsl(bag, strict_parsing=True))
            self.assertEqual((properties["$.ct"], properties["$.ce"], properties["class"]), ("application/json", "utf-8", "sample"))
            events = json.loads(payload)["events"]
            self.assertTrue(properties["$.mid"].endswith(f"/sample/{events[0]['seq']}-{events[-1]['seq']}"), properties)
            numbers += [event["data"]["n"] for event in events]
        self.assertEqual(numbers, list(range(150)))

    def test_a_wrong_key_and_a_wrong_clock_are_refusals_with_a_name_and_cost_nothing(self):
        hub, authority = self.hub(clock=lambda: time.time() + 10 * 24 * 3600)  # as if our clock were ten days behind
        at = self.linked(hub, authority)
        self.publish(at, 20)
        wait_until(lambda: at.status()["uplink"]["trouble"] == "refused", f"refused: {at.status()}\n{at.log_tail()}")
        self.assertIn("expired", hub.refusals)
        self.assertEqual(at.ledger()["events"]["sample"]["waiting"], 20)
        hub.clock = time.time  # and now it is right: no restart
        wait_until(at.drained, f"it recovers by itself: {hub.refusals}\n{at.log_tail()}")
        self.assertEqual(at.stop(), 0)


if __name__ == "__main__":
    main()
