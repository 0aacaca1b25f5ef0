"""The gateway's HTTP API is what docs/api.md says."""

import contextlib
import json
import re
import subprocess
import urllib.error
import urllib.request

from sluice_system.case import SystemCase, main
from sluice_system.daemons import ROOT, wait_until
from sluice_system.mqtt import Client


def paths(value, prefix=""):
    """All paths to values; names of classes and reasons become <class> and <reason>."""
    if not isinstance(value, dict):
        return {prefix}
    generic = {"spool.classes": "<class>", "ledger.events": "<class>", "keys.needed": "<number>",
               "keys.needed.<number>": "<holder>"}.get(prefix)
    if prefix.endswith(".dropped"):
        generic = "<reason>"
    found = set()
    for key, inner in value.items():
        found |= paths(inner, f"{prefix}.{generic or key}".lstrip("."))
    return found


class Api(SystemCase):
    def get(self, at, path, method="GET", **headers):
        request = urllib.request.Request(f"http://127.0.0.1:{at.http_port}{path}", method=method, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, dict(answer.headers), answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, dict(error.headers), error.read()

    def test_every_key_of_the_status_is_documented_and_every_documented_key_is_there(self):
        page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
        documented = set(re.findall(r"^\| `([a-z][^`]*)` \|", page.split("## Status")[1].split("\n## ")[0], re.MULTILINE))
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

    def test_clients_are_listed_from_all_shards_and_can_be_sent_away(self):
        at = self.gateway()
        names = [f"c-{i}" for i in range(20)]
        with contextlib.ExitStack() as stack:
            clients = {name: stack.enter_context(Client(at.mqtt_port, name)) for name in names}
            clients["c-3"].publish("t", b"x")
            clients["c-3"].finish()

            def listed(query=""):
                code, _, body = self.get(at, f"/api/v1/clients?{query}")
                self.assertEqual(code, 200)
                return json.loads(body)

            everybody = listed("sort=client")
            self.assertEqual((sorted(row["client"] for row in everybody["clients"]), everybody["total"]), (sorted(names), 20))
            self.assertTrue(all(row["online"] and row["address"].startswith("127.0.0.1:") for row in everybody["clients"]))
            page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8").split("## Clients")[1].split("\n## ")[0]
            self.assertEqual(set(everybody["clients"][0]), set(re.findall(r"^\| `([a-z_]+)` \|", page, re.MULTILINE)))
            busiest = listed("sort=in&limit=1")
            self.assertEqual([(row["client"], row["messages_in"]) for row in busiest["clients"]], [("c-3", 1)])
            self.assertEqual(busiest["total"], 20)

            own = f"127.0.0.1:{at.http_port}"
            for strange in ({"Host": "evil.example.com"}, {"Host": own, "Origin": "http://evil.example.com"},
                            {"Host": "evil.example.com", "Origin": "http://evil.example.com"}):
                self.assertEqual(self.get(at, "/api/v1/clients/c-7", "DELETE", **strange)[0], 403, strange)
            self.assertEqual(self.get(at, "/api/v1/clients/c-7", "DELETE", Origin=f"http://{own}")[0], 200)
            self.assertEqual(listed("search=c-7"), {"clients": [], "total": 0})
            self.assertEqual(self.get(at, "/api/v1/clients/c-7", "DELETE")[0], 404)
            self.assertEqual(listed()["total"], 19)
            for query in ("sort=shoe+size", "limit=0", "limit=x", "colour=red"):
                self.assertEqual(self.get(at, f"/api/v1/clients?{query}")[0], 400)
            self.assertEqual(self.get(at, "/api/v1/clients", "POST")[0], 405)

    def test_a_tool_for_mosquitto_finds_the_sys_topics(self):
        at = self.gateway(extra_gateway="sys_interval: 1s")
        found = subprocess.run(
            ["mosquitto_sub", "-p", str(at.mqtt_port), "-t", "$SYS/broker/uptime", "-C", "2", "-W", "30", "-F", "%r %p"],
            capture_output=True, text=True, check=True).stdout
        # First what was retained, then the next one.
        self.assertRegex(found, r"^1 \d+ seconds\n0 \d+ seconds\n$")

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
