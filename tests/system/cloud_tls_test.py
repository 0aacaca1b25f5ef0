"""A gateway and its cloud over sluices://: by token or by certificate; who is neither stays outside and keeps its events; certificates are
exchanged while both run; a killed cloud and a killed gateway lose nothing."""

import json
import socket
import subprocess

from sluice_system.case import SystemCase, main
from sluice_system.certificates import Authority
from sluice_system.daemons import BINARY, Cloud, wait_until
from sluice_system.link import Link
from sluice_system.mqtt import Client

RULES = "rules:\n  - {id: all, sql: \"SELECT device, n FROM 'load/a'\", to: [{cloud: sample}]}\n"
TOKENS = "auth: {tokens: [{gateway: plant-7, token: secret}]}\n"


class CloudTls(SystemCase):
    def setUp(self):
        super().setUp()
        self.authority = Authority(self.folder)
        self.cert, self.key = self.authority.issue("server")

    def secure_cloud(self, more="", extra="") -> Cloud:
        """Listens for TLS on mqtt_port, and for nothing else."""
        store = Cloud(self.folder, listener=f"{{url: 'tls://HOST:PORT', cert: {self.cert}, key: {self.key}{more}}}", extra=extra)
        return self._running(store)

    def linked(self, port, more="", **options):
        return self.gateway(rules=RULES, uplink_scheme="sluices", uplink_port=port, uplink_host="localhost",
                            uplink_more=f", ca: {self.authority.cert}, retry_max: 1s, ack_timeout: 2s{more}", **options)

    def certificate(self, name) -> str:
        cert, key = self.authority.issue(name)
        return f", cert: {cert}, key: {key}"

    def publish(self, at, numbers):
        with Client(at.mqtt_port, "load") as client:
            for n in numbers:
                client.publish("load/a", json.dumps({"device": "a", "n": n}).encode(), n)
                client.next_ack()

    def all_arrived(self, store, at, count):
        wait_until(at.drained, f"the backlog is gone:\n{at.log_tail()}\n{store.log_tail()}")
        self.assertEqual([event["data"]["n"] for event in store.events(gateway=at.id)], list(range(count)))

    def stays_outside(self, at, said, trouble):
        wait_until(lambda: said in at.log_tail(), f"the log says why:\n{at.log_tail()}")
        self.assertEqual(at.status()["uplink"]["trouble"], trouble)
        self.publish(at, range(5))
        self.assertEqual(at.ledger()["events"]["sample"]["waiting"], 5)

    def test_events_arrive_once_and_in_order_with_a_token_through_kills_and_a_cut_line(self):
        store = self.secure_cloud(extra=TOKENS)
        link = Link(store.mqtt_port)
        self.addCleanup(link.__exit__)
        at = self.linked(link.port, ", token: secret")
        for begin in range(0, 3000, 500):
            self.publish(at, range(begin, begin + 500))
            if begin == 1000:
                store.kill()
                store.start()
            if begin == 2000:
                at.kill()
                at.start()
            link.cut()
            link.restore()
        self.all_arrived(store, at, 3000)
        self.assertIn("sluice_cloud_events_unexplained_total 0\n", store.text("/metrics"))

    def test_a_certificate_with_its_name_needs_no_token_and_another_name_is_refused(self):
        store = self.secure_cloud(f", ca: {self.authority.cert}, require_client_cert: true", TOKENS)
        at = self.linked(store.mqtt_port, self.certificate("plant-7"))
        self.publish(at, range(100))
        self.all_arrived(store, at, 100)
        # plant-8 knows plant-7's token and has a good certificate, but not under that name.
        other = self.linked(store.mqtt_port, ", token: secret" + self.certificate("plant-9"), gateway_id="plant-8")
        self.stays_outside(other, "refuses us", "refused")
        self.assertRegex(store.log_tail(100), r"127.0.0.1:\d+ \(gw:plant-8\) is refused: its certificate has another name")

    def test_a_certificate_that_is_on_the_list_stays_outside(self):
        good, bad = self.certificate("plant-7"), self.certificate("plant-8")
        self.authority.revoke(self.folder / "plant-8.crt")
        store = self.secure_cloud(f", ca: {self.authority.cert}, crl: {self.authority.crl}")
        at = self.linked(store.mqtt_port, good)
        self.publish(at, range(10))
        self.all_arrived(store, at, 10)
        self.stays_outside(self.linked(store.mqtt_port, bad, gateway_id="plant-8"), "TLS", "closed")
        wait_until(lambda: "sluice_cloud_tls_failed_total 0" not in store.text("/metrics"), "and is counted")
        self.assertRegex(store.log_tail(100), r"127.0.0.1:\d+ is refused: TLS: .*certificate revoked")

    def test_a_connection_ends_when_its_certificate_is_revoked_and_the_others_stay(self):
        self.authority.revoke()
        good, bad = self.certificate("plant-7"), self.certificate("plant-8")
        store = self.secure_cloud(f", ca: {self.authority.cert}, crl: {self.authority.crl}")
        at, other = self.linked(store.mqtt_port, good), self.linked(store.mqtt_port, bad, gateway_id="plant-8")
        for each in (at, other):
            wait_until(lambda each=each: each.status()["uplink"]["connected"], f"let in:\n{each.log_tail()}")
        self.authority.revoke(self.folder / "plant-8.crt")
        done = subprocess.run([BINARY, "reload", "-c", store.config], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        wait_until(lambda: not other.status()["uplink"]["connected"], f"it ends:\n{store.log_tail()}")
        self.assertRegex(store.log_tail(100), r"127.0.0.1:\d+: the certificate of plant-8 is revoked: the connection ends")
        wait_until(lambda: "certificate revoked" in store.log_tail(100), f"and stays outside:\n{store.log_tail()}")
        self.assertEqual(other.status()["uplink"]["trouble"], "closed")
        self.publish(at, range(10))
        self.all_arrived(store, at, 10)
        self.assertEqual(at.status()["uplink"]["connections"], 1)

    def test_a_listener_whose_port_the_system_chose_gets_new_certificates(self):
        store = self._running(Cloud(self.folder, listener=f"{{url: 'tls://HOST:0', cert: {self.cert}, key: {self.key}}}"))
        done = subprocess.run([BINARY, "reload", "-c", store.config], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        wait_until(lambda: "in force for new connections" in store.log_tail(), f"it is found:\n{store.log_tail()}")
        self.assertNotIn("restart", store.log_tail())

    def test_who_shows_nothing_or_a_wrong_token_stays_outside(self):
        store = self.secure_cloud(extra=TOKENS)
        at = self.linked(store.mqtt_port, ", token: wrong")
        self.stays_outside(at, "refuses us", "refused")
        wait_until(lambda: at.status()["uplink"]["refusals"] > 3, "it tries again")
        lines = [line for line in store.log_tail(1000).splitlines() if "is refused" in line]
        self.assertEqual(len(lines), 1, "one a minute")
        self.assertRegex(lines[0], r"127.0.0.1:\d+ \(gw:plant-7\) is refused: wrong token$")
        # Plain MQTT at the TLS listener is closed and counted, and hurts nobody.
        with socket.create_connection(("127.0.0.1", store.mqtt_port), timeout=60) as plain:
            plain.sendall(b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01p")
            self.assertFalse(plain.recv(100).startswith(b"\x20"), "no CONNACK")
        wait_until(lambda: "sluice_cloud_tls_failed_total 1" in store.text("/metrics"), "counted")

    def test_a_cloud_that_is_somebody_else_gets_nothing(self):
        store = self.secure_cloud(extra=TOKENS)
        other = Authority(self.folder, "other")
        at = self.gateway(rules=RULES, uplink_scheme="sluices", uplink_port=store.mqtt_port, uplink_host="localhost",
                          uplink_more=f", ca: {other.cert}, token: secret, retry_max: 1s")
        self.stays_outside(at, "cannot be reached (TLS: ", "unreachable")

    def test_new_certificates_are_taken_without_dropping_anybody(self):
        store = self.secure_cloud(extra=TOKENS)
        at = self.linked(store.mqtt_port, ", token: secret")
        self.publish(at, range(100))
        self.all_arrived(store, at, 100)
        old = self.served(store)
        self.authority.issue("server")
        done = subprocess.run([BINARY, "reload", "-c", store.config], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        wait_until(lambda: self.served(store) != old, f"the new one is shown:\n{store.log_tail()}")
        self.publish(at, range(100, 200))
        self.all_arrived(store, at, 200)
        self.assertEqual(at.status()["uplink"]["connections"], 1)
        # A key that is none changes nothing.
        self.key.write_text("broken")
        done = subprocess.run([BINARY, "reload", "-c", store.config], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 2)
        self.assertIn("no key in it", done.stderr)
        store.process.send_signal(1)  # SIGHUP without asking first
        wait_until(lambda: "goes on with the configuration it had" in store.log_tail(), "the daemon refuses it, too")
        self.publish(at, range(200, 210))
        self.all_arrived(store, at, 210)

    def served(self, store) -> str:
        def run(*command, text):
            return subprocess.run(command, input=text, capture_output=True, text=True, timeout=60).stdout

        shown = run("openssl", "s_client", "-connect", f"127.0.0.1:{store.mqtt_port}", text="")
        return run("openssl", "x509", "-noout", "-serial", text=shown)

    def test_what_is_wrong_is_said_at_its_place(self):
        def problems(listener, extra=""):
            path = self.folder / "wrong.yaml"
            path.write_text(f"cloud: {{id: c}}\nlisten: {{mqtt: [{listener}]}}\n{extra}")
            done = subprocess.run([BINARY, "check", "-c", str(path)], capture_output=True, text=True, timeout=60)
            return done.returncode, done.stderr

        code, said = problems("{url: 'tls://127.0.0.1:8884'}")
        self.assertEqual(code, 2)
        self.assertIn("wrong.yaml:2:17: error: missing key `cert`: a tls:// listener needs `cert` and `key`", said)
        code, said = problems(f"{{url: 'tls://127.0.0.1:8884', cert: {self.cert}, key: {self.cert}}}")
        self.assertEqual(code, 2)
        self.assertIn("no key in it", said)
        code, said = problems("{url: 'tcp://127.0.0.1:1884', crl: wrong.yaml}")
        self.assertEqual(code, 2)
        self.assertIn("`crl` belongs to tls:// and wss:// listeners only", said)
        by_certificate = f"{{url: 'tls://0.0.0.0:8884', cert: {self.cert}, key: {self.key}, ca: {self.authority.cert}}}"
        self.assertEqual(problems(by_certificate)[0], 0)


if __name__ == "__main__":
    main()
