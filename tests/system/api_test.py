"""The gateway's HTTP API is what docs/api.md says."""

import json
import re
import urllib.error
import urllib.request

from sluice_system.case import SystemCase, main
from sluice_system.daemons import ROOT, wait_until
from sluice_system.mqtt import Client


def paths(value, prefix=""):
    """All paths to values; names of classes and reasons become <class> and <reason>."""
    if not isinstance(value, dict):
        return {prefix}
    generic = {"spool.classes": "<class>", "ledger.events": "<class>"}.get(prefix)
    if prefix.endswith(".dropped"):
        generic = "<reason>"
    found = set()
    for key, inner in value.items():
        found |= paths(inner, f"{prefix}.{generic or key}".lstrip("."))
    return found


class Api(SystemCase):
    def get(self, at, path, method="GET"):
        request = urllib.request.Request(f"http://127.0.0.1:{at.http_port}{path}", method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, dict(answer.headers), answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, dict(error.headers), error.read()

    def test_every_key_of_the_status_is_documented_and_every_documented_key_is_there(self):
        page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
        documented = set(re.findall(r"^\| `([a-z][^`]*)` \|", page.split("## Status")[1], re.MULTILINE))
        at = self.gateway()
        # `dropped` of a class is empty while nothing is lost.
        self.assertEqual(paths(at.status()) | {"ledger.events.<class>.dropped.<reason>"}, documented)

    def test_the_live_stream_has_the_status_and_alerts(self):
        at = self.gateway()
        with urllib.request.urlopen(f"http://127.0.0.1:{at.http_port}/api/v1/live", timeout=60) as stream:
            self.assertTrue(stream.headers["Content-Type"].startswith("text/event-stream"))
            self.assertEqual(stream.readline(), b"event: status\n")
            self.assertEqual(json.loads(stream.readline().removeprefix(b"data: "))["id"], "plant-7")
            with Client(at.mqtt_port, "s") as sensor:
                for seq in range(102):
                    reading = {"device": "s", "ts": seq, "seq": seq, "vibration": 50 if seq == 101 else 1 + seq % 3}
                    sensor.publish("sensors/s/vibration", json.dumps(reading).encode())
                sensor.finish()
            while stream.readline() != b"event: alert\n":
                pass
            alert = json.loads(stream.readline().removeprefix(b"data: "))
            self.assertEqual((set(alert), alert["rule"], alert["data"]["seq"]), ({"rule", "ts", "data"}, "vibration-anomaly", 101))

    def test_metrics_have_help_type_and_value_for_each_name(self):
        at = self.gateway()
        text = self.get(at, "/metrics")[2].decode()
        values = {re.match(r"[a-z0-9_]+", line).group() for line in text.splitlines() if not line.startswith("#")}
        for kind in ("HELP", "TYPE"):
            self.assertEqual(values - set(re.findall(rf"^# {kind} (\S+) ", text, re.MULTILINE)), set())
        self.assertIn("sluice_readings_in_total", values)

    def test_wrong_requests_get_a_clear_answer_and_nothing_else_happens(self):
        at = self.gateway()
        for path, method, status in (("/nothing", "GET", 404), ("/api/v1/status", "DELETE", 405), ("/../../etc/passwd", "GET", 404)):
            code, _, body = self.get(at, path, method)
            self.assertEqual((code, json.loads(body)["error"]["status"]), (status, status))
        wait_until(at.healthy, "the gateway is as healthy as before")

    def test_the_page_may_load_from_its_own_gateway_only(self):
        at = self.gateway()
        code, headers, _ = self.get(at, "/")
        self.assertEqual(code, 200)
        self.assertIn("default-src 'self'", headers["Content-Security-Policy"])
        self.assertEqual(headers["X-Content-Type-Options"], "nosniff")


if __name__ == "__main__":
    main()
