"""Listeners besides plain TCP, with real clients: TLS and mutual TLS, WebSocket, Unix sockets, PROXY protocol; reload of certificates."""

import os
import pathlib
import queue
import re
import shutil
import socket
import ssl
import stat
import struct
import subprocess
import threading
import warnings

import paho.mqtt.client as paho

from sluice_system.case import SystemCase, main
from sluice_system.certificates import Authority
from sluice_system.daemons import BINARY, PATIENCE, Gateway, free_port, wait_until
from sluice_system.mqtt import Client

NODE = pathlib.Path(__file__).resolve().parent / "node"
SHARDS = 3
OPEN = "auth: {anonymous: true}\n"
PROXY_SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def proxy_header(command: int, family: int, rest: bytes) -> bytes:
    return PROXY_SIGNATURE + bytes([0x20 | command, family]) + struct.pack(">H", len(rest)) + rest


def v4(source: str, port: int = 40000) -> bytes:
    return proxy_header(1, 0x11, socket.inet_aton(source) + socket.inet_aton("127.0.0.1") + struct.pack(">HH", port, 1883))


class Listeners(SystemCase):
    def start(self, *listeners, extra=OPEN) -> Gateway:
        """A gateway of several shards."""
        at = Gateway(self.folder, rules="rules: []\n", listeners=listeners, extra=extra)
        text = at.config.read_text().replace("gateway: {", f"gateway: {{shards: {SHARDS}, ")
        at.config.write_text(text)
        return self._running(at)

    def metric(self, at, name: str) -> int:
        values = re.findall(rf"^sluice_{name}(?:\{{[^}}]*\}})? (\d+)$", at.text("/metrics"), re.M)
        self.assertTrue(values, f"no metric {name}")
        return sum(map(int, values))

    def command(self, *arguments):
        return subprocess.run([BINARY, *map(str, arguments)], capture_output=True, text=True, timeout=PATIENCE, check=False)

    def assert_closed(self, connection):
        """Reads until the other side closes."""
        try:
            while connection.recv(4096):
                pass
        except (ConnectionError, ssl.SSLError):
            pass

    def round_trip(self, make, number: int = 12):
        """Clients whose ids go to different shards, each of which hears the first."""
        clients = [make(f"client-{index}") for index in range(number)]
        for each in clients:
            self.addCleanup(each.close)
            each.subscribe("round/trip")
        large = os.urandom(200_000)
        clients[0].publish("round/trip", b"small")
        clients[0].publish("round/trip", large)
        for each in clients:
            self.assertEqual(each.next_message(), ("round/trip", b"small"))
            self.assertEqual(each.next_message(), ("round/trip", large))


class WithCertificates(Listeners):
    """An authority, a server's certificate, a port for TLS."""

    def setUp(self):
        super().setUp()
        self.authority = Authority(self.folder)
        self.cert, self.key = self.authority.issue("server")
        self.port = free_port()

    def listener(self, more: str = "") -> str:
        return f"{{url: 'tls://127.0.0.1:{self.port}', cert: {self.cert}, key: {self.key}{more}}}"

    def mutual(self, more: str = "") -> str:
        return self.listener(f", ca: {self.authority.cert}, require_client_cert: true{more}")

    def context(self, certificate=None) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(self.authority.cert))
        if certificate:
            context.load_cert_chain(*map(str, certificate))
        return context

    def connect(self, context=None, session=None, name="127.0.0.1"):
        raw = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)
        self.addCleanup(raw.close)
        wrapped = (context or self.context()).wrap_socket(raw, server_hostname=name, session=session)
        self.addCleanup(wrapped.close)
        return wrapped

    def client(self, name: str, context=None) -> Client:
        return Client(0, name, over=self.connect(context))

    def assert_refused(self, context):
        """With TLS 1.3 the client learns it only when it reads."""
        with self.assertRaises((ssl.SSLError, ConnectionError)):
            Client(0, "refused", over=self.connect(context))


class Tls(WithCertificates):
    def test_clients_on_all_shards_talk_over_tls_in_small_and_large_messages(self):
        at = self.start(self.listener())
        self.round_trip(self.client)
        self.assertEqual(self.metric(at, "tls_handshakes_total"), 12)
        self.assertEqual(at.stop(), 0)

    def test_mosquitto_clients_with_mutual_tls(self):
        if not shutil.which("mosquitto_pub"):
            self.skipTest("needs mosquitto_pub (Debian package mosquitto-clients)")
        self.start(self.mutual(), extra="")
        cert, key = self.authority.issue("pump-1")
        base = ["-h", "127.0.0.1", "-p", str(self.port), "--cafile", str(self.authority.cert)]
        with_certificate = [*base, "--cert", str(cert), "--key", str(key)]
        reader = subprocess.Popen(
            ["stdbuf", "-oL", "mosquitto_sub", *with_certificate, "-t", "a/#", "-C", "1", "-W", str(int(PATIENCE)), "-d"],
            stdout=subprocess.PIPE, text=True)
        self.addCleanup(reader.stdout.close)
        self.addCleanup(reader.kill)
        for line in reader.stdout:
            if "Subscribed" in line:
                break
        sent = subprocess.run(["mosquitto_pub", *with_certificate, "-q", "1", "-t", "a/b", "-m", "secret"], timeout=PATIENCE, check=False)
        self.assertEqual(sent.returncode, 0)
        self.assertIn("secret", reader.stdout.read())
        self.assertEqual(reader.wait(PATIENCE), 0)
        refused = subprocess.run(["mosquitto_pub", *base, "-t", "a/b", "-m", "x"], capture_output=True, timeout=PATIENCE, check=False)
        self.assertNotEqual(refused.returncode, 0)

    def test_only_good_certificates_come_in_and_each_refusal_is_counted_and_logged(self):
        bad = self.authority.issue("bad")
        good = self.authority.issue("good")
        self.authority.revoke(bad[0])
        stranger = Authority(self.folder, "stranger").issue("good2")
        at = self.start(self.mutual(f", crl: {self.authority.crl}"), extra="log: {level: debug}\n")
        self.assert_refused(self.context())
        self.assert_refused(self.context(bad))
        self.assert_refused(self.context(stranger))
        self.client("welcome", self.context(good)).ping()
        wait_until(lambda: self.metric(at, "tls_failed_total") == 3, "three failed handshakes are counted")
        log = at.log.read_text()
        self.assertIn("TLS: peer did not return a certificate", log)
        self.assertIn("TLS: certificate verify failed: certificate revoked", log)

    def test_old_versions_foreign_protocols_and_other_bytes_cost_only_themselves(self):
        at = self.start(self.listener())
        good = self.client("good")
        old = self.context()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            old.minimum_version = ssl.TLSVersion.TLSv1
            old.maximum_version = ssl.TLSVersion.TLSv1_1
        old.set_ciphers("ALL:@SECLEVEL=0")
        self.assert_refused(old)
        web = self.context()
        web.set_alpn_protocols(["h2"])
        self.assert_refused(web)
        for garbage in (b"GET / HTTP/1.1\r\n\r\n", os.urandom(3000), b"\x16\x03\x01\x40\x00" + b"x" * 20000, v4("192.0.2.1")):
            with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE) as raw:
                raw.sendall(garbage)
                self.assert_closed(raw)
            good.ping()
        self.assertGreaterEqual(self.metric(at, "tls_failed_total"), 5)

    def test_half_a_handshake_is_closed_after_the_connect_timeout(self):
        at = self.start(self.listener(), extra=OPEN + "limits: {connect_timeout: 1s}\n")
        hello = ssl.MemoryBIO()
        half = self.context().wrap_bio(ssl.MemoryBIO(), hello, server_hostname="127.0.0.1")
        with self.assertRaises(ssl.SSLWantReadError):
            half.do_handshake()
        first = hello.read()
        for part in (b"", first[:40], first):
            with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE) as raw:
                raw.sendall(part)
                self.assert_closed(raw)
        self.assert_closed(self.connect())  # a handshake and then silence
        self.assertEqual(self.metric(at, "hub_connect_timeouts_total"), 4)

    def test_protocols_are_agreed_and_sessions_resumed_whichever_shard_does_the_handshake(self):
        at = self.start(self.listener())
        context = self.context()
        context.maximum_version = ssl.TLSVersion.TLSv1_2  # Python shows a session's ticket before data came only here
        context.set_alpn_protocols(["x-amzn-mqtt-ca"])
        first = self.connect(context)
        self.assertEqual(first.selected_alpn_protocol(), "x-amzn-mqtt-ca")
        for _ in range(2 * SHARDS):
            self.assertTrue(self.connect(context, session=first.session).session_reused)
        modern = self.context()
        talking = self.connect(modern)
        Client(0, "modern", over=talking).ping()
        for _ in range(2 * SHARDS):
            again = self.connect(modern, session=talking.session)
            Client(0, "modern-again", over=again).ping()
            self.assertTrue(again.session_reused)
        self.assertEqual(self.metric(at, "tls_resumed_total"), 4 * SHARDS)

    def test_the_certificate_follows_the_name_asked_for(self):
        other = self.authority.issue("other", alternative="DNS:other.example")
        self.start(self.listener(f", sni: [{{name: other.example, cert: {other[0]}, key: {other[1]}}}]"))
        self.assertIn("other.example", str(self.connect(name="other.example").getpeercert()["subjectAltName"]))
        self.assertIn("127.0.0.1", str(self.connect().getpeercert()["subjectAltName"]))

    def test_a_client_that_does_not_read_is_bounded_as_without_tls(self):
        at = self.start(self.listener(), extra=OPEN + "limits: {output_bytes: 64KiB, queue_messages: 10}\n")
        reader = self.client("does-not-read")
        reader.subscribe("flood")
        writer = self.client("writer")
        payload = os.urandom(100_000)
        for _ in range(300):
            writer.publish("flood", payload)
            writer.next_ack()
        self.assertGreater(self.metric(at, "hub_dropped_queue_full_total"), 0)
        writer.ping()

    def test_a_reload_changes_certificates_and_revocations_without_dropping_anybody(self):
        pump, valve = self.authority.issue("pump"), self.authority.issue("valve")
        self.authority.revoke()
        at = self.start(self.mutual(f", crl: {self.authority.crl}"), extra="")
        old = self.client("pump", self.context(pump))
        old.subscribe("live")
        serial = old.socket.getpeercert()["serialNumber"]
        stop, failures = threading.Event(), []
        sent = queue.SimpleQueue()

        def load():
            try:
                with Client(0, "load", over=self.connect(self.context(valve))) as client:
                    number = 0
                    while not stop.is_set():
                        client.publish("live", str(number).encode())
                        client.next_ack()
                        number += 1
                    sent.put(number)
            except Exception as error:  # noqa: BLE001 (shown by the test)
                failures.append(error)
                sent.put(0)

        thread = threading.Thread(target=load)
        thread.start()
        try:
            self.assertEqual(old.next_message()[1], b"0")
            self.authority.issue("server")
            self.authority.revoke(pump[0])
            self.assertEqual(self.command("reload", "-c", at.config).returncode, 0)
            wait_until(lambda: "in force for new connections" in at.log.read_text(), "the reload is logged")
            fresh = self.connect(self.context(valve))
            self.assertNotEqual(fresh.getpeercert()["serialNumber"], serial)
            self.assert_refused(self.context(pump))
        finally:
            stop.set()
            thread.join()
        self.assertEqual(failures, [])
        last = sent.get() - 1
        self.assertGreater(last, 0)
        number = 0
        while number != last:
            received = int(old.next_message()[1])
            self.assertEqual(received, number + 1)
            number = received

        self.key.write_text("broken")
        answer = self.command("reload", "-c", at.config)
        self.assertEqual(answer.returncode, 2)
        self.assertRegex(answer.stderr, rf"plant-7\.yaml:6:\d+: error: {self.key}: no key in it")
        at.process.send_signal(1)  # SIGHUP without asking first
        wait_until(lambda: "goes on with the configuration it had" in at.log.read_text(), "the daemon refuses it, too")
        self.client("valve", self.context(valve)).ping()
        old.ping()

    def test_who_must_show_a_certificate_follows_a_reload(self):
        at = self.start(self.mutual(), extra="auth: {anonymous: true}\n")
        self.assert_refused(self.context())
        at.config.write_text(at.config.read_text().replace("require_client_cert: true", "require_client_cert: false"))
        self.assertEqual(self.command("reload", "-c", at.config).returncode, 0)
        wait_until(lambda: "in force for new connections" in at.log.read_text(), "the reload is logged")
        wait_until(lambda: self.comes_in("plain"), "without a certificate one is anonymous now, not 'not authorized'")

    def comes_in(self, name: str) -> bool:
        try:
            self.client(name).ping()
        except ConnectionError:
            return False
        return True

    def test_what_is_wrong_with_certificates_is_said_by_check_and_at_start(self):
        other = self.authority.issue("other")
        missing = self.folder / "missing.crt"
        cases = (
            (missing, self.key, f"{missing}`: there is no such file"),
            (self.cert, other[1], "the key does not belong to the certificate"),
            (self.key, self.key, "no certificate in it"),
            (self.cert, self.cert, "no key in it"),
        )
        for cert, key, message in cases:
            at = Gateway(self.folder, rules="rules: []\n", extra=OPEN,
                         listeners=[f"{{url: 'tls://127.0.0.1:{self.port}', cert: {cert}, key: {key}}}"])
            for command in ("check", "gateway"):
                with self.subTest(message, command=command):
                    answer = self.command(command, "-c", at.config)
                    self.assertEqual(answer.returncode, 2)
                    self.assertRegex(answer.stderr, rf"(?m)^{at.config}:6:\d+: error: .*{re.escape(message)}")
                    self.assertEqual(answer.stderr.count("error:"), 1, answer.stderr)
                    self.assertFalse(at.data.exists(), "nothing was touched")

    def test_an_expired_certificate_is_a_warning_at_its_place(self):
        cert, key = self.authority.issue("expired", days=-1)
        at = Gateway(self.folder, rules="rules: []\n", extra=OPEN,
                     listeners=[f"{{url: 'tls://127.0.0.1:{self.port}', cert: {cert}, key: {key}}}"])
        answer = self.command("check", "-c", at.config)
        self.assertEqual(answer.returncode, 0)
        self.assertRegex(answer.stderr, rf"(?m)^{at.config}:6:\d+: warning: {cert}: the certificate expired at ")


class WebSockets(WithCertificates):
    def setUp(self):
        super().setUp()
        self.web = free_port()

    def both(self, more: str = ""):
        return (f"{{url: 'ws://127.0.0.1:{self.web}'{more}}}",
                f"{{url: 'wss://127.0.0.1:{self.port}', cert: {self.cert}, key: {self.key}{more}}}")

    def upgrade(self, *, origin=None, path="/mqtt", host=None) -> socket.socket:
        raw = socket.create_connection(("127.0.0.1", self.web), timeout=PATIENCE)
        self.addCleanup(raw.close)
        lines = [f"GET {path} HTTP/1.1", f"Host: {host or f'127.0.0.1:{self.web}'}", "Upgrade: websocket", "Connection: Upgrade",
                 "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Protocol: mqtt"]
        if origin:
            lines.append(f"Origin: {origin}")
        raw.sendall("\r\n".join([*lines, "", ""]).encode())
        return raw

    def status(self, **options) -> str:
        return self.upgrade(**options).recv(4096).split(b"\r\n")[0].decode()

    def paho_echo(self, name: str, port: int, secure: bool):
        """Sends itself messages of every length form of a frame."""
        got, ready = queue.Queue(), queue.Queue()
        client = paho.Client(client_id=name, transport="websockets")
        client.ws_set_options(path="/any/path")
        if secure:
            client.tls_set_context(self.context())
        client.on_connect = lambda *_: client.subscribe(f"{name}/#", qos=1)
        client.on_subscribe = lambda *_: ready.put(True)
        client.on_message = lambda _client, _data, message: got.put(message.payload)
        client.connect("127.0.0.1", port)
        client.loop_start()
        self.addCleanup(client.loop_stop)
        self.addCleanup(client.disconnect)
        ready.get(timeout=PATIENCE)
        payloads = [os.urandom(size) for size in (1, 125, 126, 65535, 65536, 200_000)]
        for payload in payloads:
            client.publish(f"{name}/x", payload, qos=1).wait_for_publish(PATIENCE)
        self.assertTrue([got.get(timeout=PATIENCE) for _ in payloads] == payloads)

    def test_paho_over_ws_and_wss(self):
        at = self.start(*self.both())
        self.paho_echo("plain", self.web, False)
        self.paho_echo("secure", self.port, True)
        self.assertEqual(self.metric(at, "websocket_failed_total"), 0)
        self.assertEqual(at.stop(), 0)

    def test_mqtt_js_over_ws(self):
        if not (NODE / "node_modules" / "mqtt").exists():
            self.skipTest("needs MQTT.js: npm ci in tests/system/node")
        self.start(*self.both())
        result = subprocess.run(["node", str(NODE / "roundtrip.mjs"), f"ws://127.0.0.1:{self.web}/mqtt"], capture_output=True, text=True,
                                timeout=PATIENCE, check=False)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)

    def test_other_requests_and_pages_of_other_hosts_are_answered_and_counted(self):
        at = self.start(*self.both())
        with socket.create_connection(("127.0.0.1", self.web), timeout=PATIENCE) as raw:
            raw.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            answer = raw.recv(4096)
            self.assertTrue(answer.startswith(b"HTTP/1.1 426 "), answer)
            self.assert_closed(raw)
        self.assertIn("403", self.status(origin="https://evil.example"))
        self.assertIn("403", self.status(origin="http://evil.example", host="evil.example"))
        self.assertIn("101", self.status(origin="http://127.0.0.1:3000"))
        self.assertIn("101", self.status())
        self.assertEqual(self.metric(at, "websocket_failed_total"), 3)

    def test_a_list_of_origins_is_all_that_counts(self):
        self.start(*self.both(", origins: ['https://dash.example']"))
        self.assertIn("101", self.status(origin="https://dash.example"))
        self.assertIn("403", self.status(origin="http://127.0.0.1:3000"))

    def test_a_text_frame_and_an_unmasked_one_are_closed_with_their_codes(self):
        at = self.start(*self.both())
        for frame, code in ((b"\x81\x82\0\0\0\0hi", 1003), (b"\x82\x02hi", 1002)):
            raw = self.upgrade()
            self.assertIn(b" 101 ", raw.recv(4096))
            raw.sendall(frame)
            self.assertEqual(raw.recv(4096), b"\x88\x02" + struct.pack(">H", code))
            self.assert_closed(raw)
        self.assertEqual(self.metric(at, "websocket_failed_total"), 2)

    def test_pings_that_nobody_reads_the_answers_of_end_the_connection(self):
        at = self.start(*self.both())
        raw = self.upgrade()
        self.assertIn(b" 101 ", raw.recv(4096))
        flood = (b"\x89\xfd\0\0\0\0" + b"p" * 125) * 4000
        try:
            for _ in range(200):
                raw.sendall(flood)
        except OSError:
            pass
        wait_until(lambda: self.metric(at, "websocket_failed_total") == 1, "the flood is counted")


class UnixSocket(Listeners):
    def connect(self, path) -> socket.socket:
        raw = socket.socket(socket.AF_UNIX)
        self.addCleanup(raw.close)
        raw.settimeout(PATIENCE)
        raw.connect(str(path))
        return raw

    def test_clients_on_all_shards_talk_and_the_file_comes_and_goes(self):
        path = self.folder / "mqtt.sock"
        at = self.start("'unix://./mqtt.sock'", extra="")
        self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o660)
        self.round_trip(lambda name: Client(0, name, over=self.connect(path)))
        self.assertEqual(at.stop(), 0)
        self.assertFalse(path.exists())

    def test_what_a_killed_gateway_left_is_replaced_but_not_what_somebody_uses(self):
        path = self.folder / "mqtt.sock"
        at = self.start("{url: 'unix://./mqtt.sock', mode: 0600}", extra="")
        at.kill()
        self.assertTrue(path.exists())
        at.start()
        Client(0, "again", over=self.connect(path)).ping()
        self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)
        second = Gateway(self.folder, gateway_id="second", rules="rules: []\n", listeners=["'unix://./mqtt.sock'"])
        answer = self.command("gateway", "-c", second.config)
        self.assertEqual(answer.returncode, 2)
        self.assertRegex(answer.stderr, rf"(?m)^{second.config}:6:7: error: cannot listen on unix://{path}: another program listens there")
        Client(0, "still", over=self.connect(path)).ping()
        at.stop()
        path.write_text("precious")
        answer = self.command("gateway", "-c", second.config)
        self.assertEqual(answer.returncode, 2)
        self.assertIn("there is a file that is no socket", answer.stderr)
        self.assertEqual(path.read_text(), "precious")


class Proxied(Listeners):
    def client(self, header: bytes, name: str) -> Client:
        raw = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)
        self.addCleanup(raw.close)
        raw.sendall(header)
        return Client(0, name, over=raw)

    def setUp(self):
        super().setUp()
        self.port = free_port()
        self.listener = f"{{url: 'tcp://127.0.0.1:{self.port}', proxy_protocol: true}}"

    def test_clients_behind_a_proxy_talk_whatever_the_header_says(self):
        at = self.start(self.listener)
        headers = [v4("192.0.2.1"), v4("192.0.2.1")[:14] + struct.pack(">H", 16) + v4("192.0.2.1")[16:] + b"\x04\x00\x01x",
                   proxy_header(0, 0, b""), proxy_header(1, 0x21, bytes(36)), proxy_header(1, 0x31, bytes(216))]
        for index, header in enumerate(headers):
            self.client(header, f"proxied-{index}").ping()
        self.round_trip(lambda name: self.client(v4("192.0.2.7"), name))
        self.assertEqual(self.metric(at, "proxy_failed_total"), 0)

    def test_a_header_that_trickles_in_is_put_together(self):
        self.start(self.listener)
        raw = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)
        self.addCleanup(raw.close)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in v4("192.0.2.1"):
            raw.sendall(bytes([byte]))
        Client(0, "slow", over=raw).ping()

    def test_connections_without_a_good_header_are_closed_and_counted(self):
        at = self.start(self.listener, extra=OPEN + "log: {level: debug}\n")
        for wrong in (b"\x10\x0c\x00\x04MQTT", b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n", proxy_header(1, 0x21, b"short")):
            with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE) as raw:
                raw.sendall(wrong)
                self.assert_closed(raw)
        self.assertEqual(self.metric(at, "proxy_failed_total"), 3)
        self.assertIn("PROXY header: the header is too short for its addresses", at.log.read_text())

    def test_a_header_where_none_is_expected_is_malformed_mqtt(self):
        at = self.start()
        with socket.create_connection(("127.0.0.1", at.mqtt_port), timeout=PATIENCE) as raw:
            raw.sendall(v4("192.0.2.1"))
            self.assert_closed(raw)
        self.assertEqual(self.metric(at, "hub_protocol_errors_total"), 1)

    def test_the_header_stands_before_tls(self):
        authority = Authority(self.folder)
        cert, key = authority.issue("server")
        self.start(f"{{url: 'tls://127.0.0.1:{self.port}', cert: {cert}, key: {key}, proxy_protocol: true}}")
        raw = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)
        raw.sendall(v4("192.0.2.1"))
        wrapped = ssl.create_default_context(cafile=str(authority.cert)).wrap_socket(raw, server_hostname="127.0.0.1")
        self.addCleanup(wrapped.close)
        Client(0, "both", over=wrapped).ping()


if __name__ == "__main__":
    main()
