"""The broker and a real browser: MQTT.js over ws and wss in Debian's Chromium, heard by a plain client over TCP."""

import base64
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "system"))
from sluice_system.case import SystemCase, main  # noqa: E402
from sluice_system.certificates import Authority  # noqa: E402
from sluice_system.daemons import PATIENCE, free_port  # noqa: E402
from sluice_system.mqtt import Client  # noqa: E402

CHROMIUM = os.environ.get("SLUICE_CHROMIUM", "/usr/bin/chromium")
REFUSED = 3


class Browser(SystemCase):
    def setUp(self):
        super().setUp()
        for needed in (CHROMIUM, "node"):
            if not shutil.which(needed):
                self.skipTest(f"needs {needed} (./dev setup installs it)")
        for needed in ("playwright-core", "mqtt"):
            if not (HERE / "node_modules" / needed).exists():
                self.skipTest(f"needs {needed}: npm ci in tests/web")
        self.authority = Authority(self.folder)
        cert, key = self.authority.issue("server")
        self.port, self.secure_port = free_port(), free_port()
        self.at = self.gateway(rules="rules: []\n", extra="auth: {anonymous: true}\n", listeners=[
            f"ws://127.0.0.1:{self.port}", f"{{url: 'wss://127.0.0.1:{self.secure_port}', cert: {cert}, key: {key}}}"])
        public = subprocess.run(["openssl", "x509", "-in", str(cert), "-pubkey", "-noout"], capture_output=True, check=True).stdout
        der = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "der"], input=public, capture_output=True, check=True).stdout
        self.key = base64.b64encode(hashlib.sha256(der).digest()).decode()

    def browse(self, *arguments) -> subprocess.CompletedProcess:
        return subprocess.run(["node", str(HERE / "broker.mjs"), *arguments], capture_output=True, text=True, timeout=2 * PATIENCE,
                              check=False)

    def round_trip(self, *arguments):
        with Client(self.at.mqtt_port, "plain") as plain:
            plain.subscribe("browser/#", qos=1)
            result = self.browse(*arguments)
            self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
            for version in (4, 5):
                self.assertEqual(plain.next_message(), (f"browser/{version}/qos", b"zero"))
                self.assertEqual(plain.next_message(), (f"browser/{version}/qos", b"one"))
                self.assertEqual(plain.next_message(), (f"browser/{version}/qos", b"two"))
                self.assertEqual(plain.next_message(), (f"browser/{version}/qos", b"x" * 200_000))
                self.assertEqual(plain.next_message(), (f"browser/{version}/will", b"gone"))

    def test_mqtt_js_in_a_browser_over_ws(self):
        self.round_trip(f"ws://127.0.0.1:{self.port}/mqtt")

    def test_mqtt_js_in_a_browser_over_wss(self):
        self.round_trip(f"wss://127.0.0.1:{self.secure_port}/mqtt", self.key)

    def test_a_browser_refuses_a_certificate_that_it_does_not_know(self):
        result = self.browse(f"wss://127.0.0.1:{self.secure_port}/mqtt")
        self.assertEqual(result.returncode, REFUSED, result.stdout + result.stderr)


if __name__ == "__main__":
    main()
