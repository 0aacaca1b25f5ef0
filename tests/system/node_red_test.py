"""Node-RED's MQTT nodes: a flow (node_red/flow.json) whose nodes talk to each other, and to a plain client, through the gateway."""

import json
import pathlib
import shutil
import subprocess
import struct

from sluice_system.case import SystemCase, main
from sluice_system.daemons import wait_until
from sluice_system.mqtt import Client, packet, text

HERE = pathlib.Path(__file__).resolve().parent / "node_red"


class NodeRed(SystemCase):
    def setUp(self):
        super().setUp()
        if not shutil.which("node") or not (HERE / "node_modules" / "@node-red" / "runtime").exists():
            self.skipTest("needs Node-RED: npm ci in tests/system/node_red")
        self.at = self.gateway(rules="rules: []\n")
        self.watcher = Client(self.at.mqtt_port, "watcher")
        self.addCleanup(self.watcher.close)
        self.watcher.subscribe("node-red/#", qos=1)
        folder = self.folder / "node-red"
        folder.mkdir()
        self.log = self.folder / "node-red.log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(["node", str(HERE / "run.mjs"), str(folder), str(self.at.mqtt_port)], stdout=log, stderr=log)
        self.addCleanup(self.process.wait)
        self.addCleanup(self.process.kill)
        wait_until(lambda: "started" in self.log.read_text() or self.process.poll() is not None, "Node-RED starts")
        self.assertIsNone(self.process.poll(), self.log.read_text())

    def next(self, number: int) -> dict:
        """So many messages by topic: the nodes' order among each other is theirs."""
        return dict(self.watcher.next_message() for _ in range(number))

    def test_what_is_injected_goes_out_and_comes_in_and_a_will_tells_of_the_end(self):
        said = self.next(3)
        self.assertEqual(said["node-red/state"], b"here")  # its birth message
        self.assertEqual(json.loads(said["node-red/tick"]), {"number": 42})  # inject, mqtt out with version 5 and QoS 2
        self.assertEqual(said["node-red/double"], b"84")  # mqtt in with version 3.1.1, a function, mqtt out
        with Client(self.at.mqtt_port, "late") as late:
            late.subscribe("node-red/tick")
            self.assertEqual(json.loads(late.next_message()[1]), {"number": 42})  # it was to be retained
        self.process.kill()
        self.assertEqual(self.watcher.next_message(), ("node-red/state", b"gone"))

    def test_a_request_of_version_5_is_answered_with_its_correlation(self):
        self.next(3)
        with Client(self.at.mqtt_port, "asker", level=5) as asker:
            asker.send(packet(0x82, b"\x00\x01\x00" + text("answers/asker") + b"\x01"))
            self.assertEqual(asker.read(), (9, 0, b"\x00\x01\x00\x01"))
            response = b"\x08" + text("answers/asker") + b"\x09" + struct.pack(">H", 2) + b"\x00\x07"
            asker.send(packet(0x32, text("ask/time") + b"\x00\x02" + bytes([len(response)]) + response + b"now?"))
            self.assertEqual(asker.read()[:2], (4, 0))
            kind, flags, body = asker.read()
            self.assertEqual((kind, flags), (3, 2))
            self.assertTrue(body.startswith(text("answers/asker")) and body.endswith(b"ask/time: now?"), body)
            self.assertIn(b"\x09\x00\x02\x00\x07", body)


if __name__ == "__main__":
    main()
