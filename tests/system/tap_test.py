"""`sluice tap` and the other tools over every kind of listener; decoding, filters and rates as a user asks for them."""

import json
import struct
import subprocess

from sluice_system.case import SystemCase, main
from sluice_system.certificates import Authority
from sluice_system.daemons import BINARY, PATIENCE, free_port
from sluice_system.mqtt import Client

OPEN = "auth: {anonymous: true}\n"


class Tools(SystemCase):
    def start(self, *arguments):
        process = subprocess.Popen([BINARY, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for end in (process.wait, process.stdout.close, process.stderr.close, process.kill):
            self.addCleanup(end)
        return process

    def tap(self, *arguments):
        """A tap that has begun to listen."""
        process = self.start("tap", *arguments)
        line = process.stderr.readline()
        self.assertIn("listening", line)
        return process

    def shown(self, process):
        """Its lines without their time; it has ended well."""
        out, err = process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, 0, err)
        return [line.split(" ", 1)[1] for line in out.splitlines()]

    def run_tool(self, *arguments):
        return subprocess.run([BINARY, *map(str, arguments)], capture_output=True, text=True, timeout=PATIENCE, check=False)

    def fails(self, code, words, *arguments):
        result = self.run_tool(*arguments)
        self.assertEqual(result.returncode, code, result.stderr)
        self.assertEqual(result.stderr.count("\n"), 1, result.stderr)
        self.assertIn(words, result.stderr)


class EveryListener(Tools):
    """A gateway that listens in every way there is."""

    def setUp(self):
        super().setUp()
        self.authority = Authority(self.folder)
        self.cert, self.key = self.authority.issue("server")
        self.tls, self.ws, self.wss, self.mutual = (free_port() for _ in range(4))
        self.socket = self.folder / "socket"
        pair = f"cert: {self.cert}, key: {self.key}"
        self.at = self.gateway(rules="rules: []\n", extra=OPEN, listeners=[
            f"{{url: 'tls://127.0.0.1:{self.tls}', {pair}}}",
            f"{{url: 'tls://127.0.0.1:{self.mutual}', {pair}, ca: {self.authority.cert}, require_client_cert: true}}",
            f"ws://127.0.0.1:{self.ws}",
            f"{{url: 'wss://127.0.0.1:{self.wss}', {pair}}}",
            f"unix://{self.socket}",
        ])

    def ways(self):
        ca = ["--ca", self.authority.cert]
        cert, key = self.authority.issue("tool")
        return [
            [f"mqtts://127.0.0.1:{self.tls}", *ca],
            [f"tls://localhost:{self.tls}", *ca],
            [f"mqtts://127.0.0.1:{self.tls}", "--insecure"],
            [f"mqtts://127.0.0.1:{self.mutual}", *ca, "--cert", cert, "--key", key],
            [f"ws://127.0.0.1:{self.ws}"],
            [f"wss://127.0.0.1:{self.wss}/any/path", *ca],
            [f"unix://{self.socket}"],
        ]

    def test_tap_and_replay_work_over_each(self):
        rows = self.folder / "rows.csv"
        text = "x" * 100_000
        rows.write_text(f"n,text\n1,{text}\n2,{text}\n", encoding="utf-8")
        for way in self.ways():
            with self.subTest(way[0]):
                tap = self.tap("--at", *way, "way", "-n", 2, "--fields", "n, length(text) AS size")
                done = self.run_tool("replay", "--to", *way, "--topic", "way", "--speed", "max", rows)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertEqual(self.shown(tap), ['way {"n":1,"size":100000}', 'way {"n":2,"size":100000}'])

    def test_sim_takes_up_tls_sessions(self):
        done = self.run_tool("sim", "--to", f"mqtts://127.0.0.1:{self.tls}", "--ca", self.authority.cert, "--sensors", 300, "--rate", 10,
                             "--seconds", 1, "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        result = json.loads(done.stdout)
        self.assertEqual((result["sent"], result["acknowledged"]), (3000, 3000))
        self.assertGreater(result["tls_resumed"], 50, "the first hundred begin before there is a session")

    def test_a_server_that_cannot_prove_its_name_is_not_talked_to(self):
        stranger = Authority(self.folder, "stranger")
        at = f"mqtts://127.0.0.1:{self.tls}"
        self.fails(1, "certificate verify failed", "tap", "--at", at, "--ca", stranger.cert, "x")
        self.fails(1, "certificate verify failed", "tap", "--at", at, "x")
        self.fails(1, "certificate verify failed", "sim", "--to", at, "--ca", stranger.cert, "--sensors", 1, "--seconds", 1)
        self.fails(1, "certificate required", "tap", "--at", f"mqtts://127.0.0.1:{self.mutual}", "--ca", self.authority.cert, "x")
        self.fails(2, "certificate", "tap", "--at", at, "--ca", self.folder / "plant-7.yaml", "x")

    def test_another_kind_of_port_is_named(self):
        self.fails(1, "MQTT port with TLS", "tap", "--at", f"mqtts://127.0.0.1:{self.at.mqtt_port}", "--insecure", "x")
        self.fails(1, "HTTP status 404", "tap", "--at", f"ws://127.0.0.1:{self.at.http_port}", "x")
        self.fails(1, "no such socket", "tap", "--at", f"unix://{self.socket}-not", "x")


class Tap(Tools):
    def setUp(self):
        super().setUp()
        self.at = self.gateway(rules="rules: []\n")

    def tap_of(self, *arguments):
        return self.tap("--at", self.at.url, *arguments)

    def publish(self, *messages, **more):
        with Client(self.at.mqtt_port, "publisher") as client:
            for topic, payload in messages:
                client.publish(topic, payload, **more)
            client.finish()

    def test_payloads_are_decoded_as_asked(self):
        floats = self.tap_of("raw", "--decode", "f32le", "-n", 1)
        values = self.tap_of("raw", "--decode", "f32le", "-n", 1, "--json")
        large = self.tap_of("raw", "--decode", "f32le", "-n", 1, "--where", "value[1] > 3")
        hexadecimal = self.tap_of("raw", "--decode", "hex", "-n", 1)
        pretty = self.tap_of("doc", "--decode", "pretty", "-n", 1)
        self.publish(("raw", struct.pack("<2f", 1.5, 3.25)), ("doc", b'{"a": [1], "b": "\x7f"}'))
        self.assertEqual(self.shown(floats), ["raw [1.5,3.25]"])
        self.assertEqual(json.loads(values.communicate(timeout=PATIENCE)[0])["value"], [1.5, 3.25])
        self.assertEqual(self.shown(large), ["raw [1.5,3.25]"])
        self.assertEqual(self.shown(hexadecimal), ["raw (8 bytes) 00 00 c0 3f 00 00 50 40"])
        text = pretty.communicate(timeout=PATIENCE)[0]
        self.assertTrue(text.endswith('doc {\n  "a": [\n    1\n  ],\n  "b": "\\x7f"\n}\n'), text)

    def test_sql_chooses_messages_and_fields(self):
        strong = self.tap_of("sensors/#", "--where", "vibration > 3", "--fields", "topic(2) AS sensor, vibration", "-n", 2)
        changes = self.tap_of("sensors/#", "switch", "--where", "changed(value) OVER (PARTITION BY topic())", "-n", 2)
        messages = [(f"sensors/{i}", json.dumps({"vibration": i}).encode()) for i in range(6)]
        self.publish(("sensors/x", b"\xff"), *messages, ("switch", b"on"), ("switch", b"on"), ("switch", b"off"))
        self.assertEqual(self.shown(strong), ['sensors/4 {"sensor":"4","vibration":4}', 'sensors/5 {"sensor":"5","vibration":5}'])
        self.assertEqual(self.shown(changes)[-1], "switch off")
        self.fails(2, "--where vibration >: at character", "tap", "--at", self.at.url, "x", "--where", "vibration >")

    def test_retained_messages_are_marked_and_can_be_all_or_none(self):
        self.publish(("state/a", b"1"), ("state/b", b"2"), retain=True)
        only = self.run_tool("tap", "--at", self.at.url, "state/#", "--retained", "only")
        self.assertEqual(only.returncode, 0, only.stderr)
        self.assertEqual(sorted(line.split(" ", 1)[1] for line in only.stdout.splitlines()),
                         ["state/a (retained) 1", "state/b (retained) 2"])
        none = self.tap_of("state/#", "--retained", "no", "-n", 1)
        self.publish(("state/a", b"3"))
        self.assertEqual(self.shown(none), ["state/a 3"])

    def test_rates_are_counted_by_topic(self):
        rates = self.tap_of("r/#", "--rate", "--interval", 30, "-n", 30, "--json")
        table = self.tap_of("r/#", "--rate", "--interval", 30, "-n", 30)
        self.publish(*[(f"r/{i % 3}", b"x" * 10) for i in range(30)])
        result = json.loads(rates.communicate(timeout=PATIENCE)[0])
        self.assertEqual((result["messages"], result["bytes"]), (30, 300))
        self.assertEqual({each["topic"]: each["messages"] for each in result["topics"]}, {"r/0": 10, "r/1": 10, "r/2": 10})
        text = table.communicate(timeout=PATIENCE)[0]
        self.assertIn("3 topics", text)
        self.assertIn("r/2", text)

    def test_it_ends_when_its_time_is_over(self):
        done = self.run_tool("tap", "--at", self.at.url, "nothing", "--seconds", 0.2)
        self.assertEqual((done.returncode, done.stdout), (0, ""))

    def test_help_has_examples_of_its_own(self):
        done = self.run_tool("tap", "--help")
        for word in ("--where", "--decode", "--rate", "mqtts://", "Examples:"):
            self.assertIn(word, done.stdout)


if __name__ == "__main__":
    main()
