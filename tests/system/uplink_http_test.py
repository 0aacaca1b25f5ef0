"""An HTTP receiver as the cloud: it fails in every way that one can, and nothing is lost or missing."""

import base64
import http.server
import json
import random
import socketserver
import threading
import time

from sluice_system.case import SystemCase, main
from sluice_system.daemons import wait_until
from sluice_system.load import publish

RULES = """rules:
  - {id: all, sql: "SELECT device, n FROM 'load/+'", to: [{cloud: sample}]}
  - {id: some, sql: "SELECT device, n FROM 'load/+' WHERE n % 100 = 0", to: [{cloud: alert}]}
"""
NOTES = """rules:
  - {id: all, sql: "SELECT device, n, note FROM 'load/+'", to: [{cloud: alert}, {cloud: aggregate}]}
"""
FAILURES = [408, 429, 500, 503, "hang up", "reset in the answer", "late", "nonsense", "chunked", None, None, None]


class Receiver(socketserver.ThreadingTCPServer):
    """Keeps what it acknowledged; `fail` says for each request what goes wrong (None: nothing). A body of more than `takes` bytes is too
    large, which ends the connection if `closes`."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, fail=lambda: None, protocol="HTTP/1.1", takes=1 << 30, closes=False):
        self.fail, self.protocol, self.takes, self.closes = fail, protocol, takes, closes
        self.connections = 0
        self.lock = threading.Lock()
        self.stored, self.heads, self.keys, self.paths, self.failures = [], [], [], set(), {}
        super().__init__(("127.0.0.1", 0), Handler)
        self.port = self.server_address[1]
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request, client_address):
        pass  # a client that hangs up is no news

    def stop(self):
        self.shutdown()
        self.server_close()

    def events(self, event_class="alert"):
        with self.lock:
            return [each for body in self.stored if body["class"] == event_class for each in body.get("events", [body])]


class Handler(http.server.BaseHTTPRequestHandler):
    disable_nagle_algorithm = True  # head and body of an answer are two writes

    def setup(self):
        self.protocol_version = self.server.protocol
        with self.server.lock:
            self.server.connections += 1
        super().setup()

    def log_message(self, *_):
        pass

    def answer(self, status, headers=(), body=b""):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_HEAD(self):
        self.answer(200)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        failure = "too large" if len(body) > self.server.takes else self.server.fail()
        with self.server.lock:
            self.server.failures[failure] = self.server.failures.get(failure, 0) + 1
        if failure == "hang up":
            self.close_connection = True
            return
        if failure == "too large":
            return self.answer(413, [("Connection", "close")] if self.server.closes else [])
        if isinstance(failure, int):
            return self.answer(failure, [("Retry-After", "0")])
        if failure == "reset in the answer":
            with self.server.lock:
                self.server.stored.append(json.loads(body))  # stored, but the gateway cannot know
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Le")
            self.close_connection = True
            return
        if failure == "late":
            time.sleep(0.3)
        if failure == "nonsense":
            self.wfile.write(b"\x00\x01\x02\x03 what?\r\n\r\n")
            self.close_connection = True
            return
        with self.server.lock:
            self.server.stored.append(json.loads(body))
            self.server.heads.append(dict(self.headers))
            self.server.keys.append(self.headers["Idempotency-Key"])
            self.server.paths.add(self.path)
        if failure == "chunked":
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"3\r\nyes\r\n0\r\n\r\n")
            return
        self.answer(200, body=b'{"ok":true}')


class HttpUplink(SystemCase):
    def receiver(self, **options):
        receiver = Receiver(**options)
        self.addCleanup(receiver.stop)
        return receiver

    def linked(self, receiver, path="/plants/{gateway}/{class}", extra="", rules=RULES, **options):
        uplink = f"uplink: {{url: 'http://127.0.0.1:{receiver.port}{path}', retry_max: 1s, ack_timeout: 2s{extra}}}\n"
        return self.gateway(rules=rules, extra=uplink, **options)

    def numbers(self, receiver, event_class):
        """In the order of their sequence; a copy must be equal to what it copies."""
        found = {}
        for event in receiver.events(event_class):
            self.assertNotIn("gap", event)
            self.assertEqual(found.setdefault(event["seq"], event["data"]), event["data"], "one number, two events")
        self.assertEqual(sorted(found), list(range(1, len(found) + 1)))
        return [found[seq]["n"] for seq in sorted(found)]

    def told(self, receiver, event_class):
        """Numbers of events and of gaps, sorted."""
        out = []
        for each in receiver.events(event_class):
            first, last = (each["gap"]["first"], each["gap"]["last"]) if "gap" in each else (each["seq"], each["seq"])
            out += range(first, last + 1)
        return sorted(out)

    def test_a_receiver_that_fails_in_every_way_gets_everything_at_least_once(self):
        dice = random.Random(4711)
        receiver = self.receiver(fail=lambda: dice.choice(FAILURES))
        at = self.linked(receiver, extra=", message_bytes: 4KiB")
        publish(at, range(800))
        wait_until(at.drained, f"the backlog is gone: {at.status()}\n{at.log_tail()}")
        self.assertEqual(self.numbers(receiver, "sample"), list(range(800)))
        self.assertEqual(self.numbers(receiver, "alert"), list(range(0, 800, 100)))
        self.assertGreaterEqual(len(receiver.failures), 7, f"the dice have shown what there is: {receiver.failures}")
        self.assertEqual(receiver.paths, {"/plants/plant-7/sample", "/plants/plant-7/alert"})
        ledger = at.status()["ledger"]["events"]["sample"]
        self.assertEqual((ledger["created"], ledger["delivered"], ledger["waiting"]), (800, 800, 0))

    def test_the_key_of_a_message_tells_copies(self):
        receiver = self.receiver()
        at = self.linked(receiver, path="/in", extra=", payload: envelope, token: t0ken")
        publish(at, range(300))
        wait_until(at.drained, f"the backlog is gone: {at.status()}\n{at.log_tail()}")
        self.assertEqual(len(set(receiver.keys)), 303)
        self.assertEqual({head["Authorization"] for head in receiver.heads}, {"Bearer t0ken"})
        self.assertEqual({head["Content-Type"] for head in receiver.heads}, {"application/json"})

    def test_a_receiver_of_http_1_0_and_basic_credentials(self):
        receiver = self.receiver(protocol="HTTP/1.0")
        at = self.linked(receiver, path="/in", extra=", user: ana, password: secret")
        publish(at, range(300))
        wait_until(at.drained, f"the backlog is gone: {at.status()}\n{at.log_tail()}")
        self.assertEqual(self.numbers(receiver, "sample"), list(range(300)))
        basic = "Basic " + base64.b64encode(b"ana:secret").decode()
        self.assertEqual({head["Authorization"] for head in receiver.heads}, {basic})

    def test_a_receiver_that_is_away_and_a_gateway_that_is_killed(self):
        receiver = self.receiver(fail=lambda: 503)
        at = self.linked(receiver)
        publish(at, range(500))
        wait_until(lambda: at.status()["uplink"]["refusal"] == 503, "the refusal is shown")
        self.assertEqual(at.status()["uplink"]["trouble"], "not_taken")
        at.kill()
        at.start()
        publish(at, range(500, 600))
        receiver.fail = lambda: None
        wait_until(at.drained, f"the backlog is gone: {at.status()}\n{at.log_tail()}")
        self.assertEqual(self.numbers(receiver, "sample"), list(range(600)))

    def test_events_that_are_too_large_cost_neither_connections_nor_pauses(self):
        for closes in (False, True):
            with self.subTest(closes=closes):
                receiver = self.receiver(takes=3000, closes=closes)
                at = self.linked(receiver, rules=NOTES, gateway_id=f"plant-{int(closes)}")
                publish(at, range(200), note=lambda n: "x" * (n * 2477 % 5000))
                # An event that was dropped waits no more; the gap in its place comes behind it.
                wait_until(lambda: all(self.told(receiver, each) == list(range(1, 201)) for each in ("alert", "aggregate")),
                           f"each number is told once: {at.status()}\n{at.log_tail()}")
                wait_until(lambda: at.drained() and at.status()["uplink"]["connected"], "the last one is acknowledged")
                small = [n for n in range(200) if n * 2477 % 5000 < 2800]
                status = at.status()
                for event_class in ("alert", "aggregate"):
                    found = [each["data"]["n"] for each in receiver.events(event_class) if "gap" not in each]
                    self.assertLessEqual(set(small), set(found))
                    ledger = status["ledger"]["events"][event_class]
                    self.assertEqual((ledger["delivered"], ledger["dropped"]), (len(found), {"too_large": 200 - len(found)}))
                self.assertEqual((status["uplink"]["connected"], status["uplink"]["failures"]), (True, 0),
                                 f"{status['uplink']}\n{at.log_tail()}")
                if closes:
                    self.assertLessEqual(receiver.connections, receiver.failures["too large"] + 1)
                else:
                    self.assertEqual(receiver.connections, 1)
                at.stop()

    def test_a_token_that_is_known_no_more_is_a_refusal_of_us_and_of_no_event(self):
        receiver = self.receiver(fail=lambda: 401)
        at = self.linked(receiver, extra=", token: t0ken")
        publish(at, range(100))
        wait_until(lambda: at.status()["uplink"]["trouble"] == "refused", "the trouble is shown")
        self.assertEqual(at.status()["uplink"]["refusal"], 401)
        wait_until(lambda: receiver.failures.get(401, 0) > 4, "it is tried again")
        self.assertIn("refuses us: status 401", at.log_tail(100))
        self.assertNotIn("does not take an event", at.log_tail(100))
        self.assertEqual(at.status()["uplink"]["standing"], [])
        receiver.fail = lambda: None
        wait_until(at.drained, f"the backlog is gone: {at.status()}\n{at.log_tail()}")
        self.assertEqual(self.numbers(receiver, "sample"), list(range(100)))


if __name__ == "__main__":
    main()
