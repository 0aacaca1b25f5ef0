"""NATS JetStream as the cloud: a cluster of three real servers that are killed, stopped and come back under load."""

import json
import shutil
import time
import unittest

from sluice_system.case import SystemCase, main
from sluice_system.daemons import wait_until
from sluice_system.load import publish
from sluice_system.nats import Cluster

RULES = """rules:
  - {id: all, sql: "SELECT device, n FROM 'load/+'", to: [{cloud: sample}]}
  - {id: some, sql: "SELECT device, n FROM 'load/+' WHERE n % 100 = 0", to: [{cloud: alert}]}
"""


@unittest.skipUnless(shutil.which("nats-server"), "needs nats-server")
class NatsUplink(SystemCase):
    def cluster(self, size, **options):
        cluster = Cluster(self.folder, size, **options)
        self.addCleanup(cluster.end_all)
        return cluster.start()

    def linked(self, cluster, extra=""):
        first, *others = cluster.ports
        servers = ", ".join(f"'127.0.0.1:{port}'" for port in others)
        uplink = (f"uplink: {{url: 'nats://127.0.0.1:{first}', servers: [{servers}], replicas: {len(cluster.ports)}, retry_max: 1s, "
                  f"ack_timeout: 3s{extra}}}\n")
        return self.gateway(rules=RULES, extra=uplink)

    def events(self, cluster, event_class):
        """The numbers by sequence. A copy must be equal to what it copies; message ids are never twice within the stream's window."""
        found, ids = {}, []
        with cluster.connection() as connection:
            for headers, body in connection.stream("SLUICE"):
                ids += [line.split(": ")[1] for line in headers.split("\r\n") if line.startswith("Nats-Msg-Id")]
                message = json.loads(body)
                for event in message.get("events", [message]):
                    if message["class"] == event_class:
                        self.assertEqual(found.setdefault(event["seq"], event["data"]), event["data"], "one number, two events")
        self.assertEqual(len(ids), len(set(ids)), "the stream tells copies by their ids")
        self.assertEqual(sorted(found), list(range(1, len(found) + 1)), "nothing is missing")
        return [found[seq]["n"] for seq in sorted(found)]

    def all_arrived(self, at, cluster, count):
        wait_until(at.drained, f"the backlog is gone: {at.status()}\n{at.log_tail()}", 180)
        self.assertEqual(self.events(cluster, "sample"), list(range(count)))
        self.assertEqual(self.events(cluster, "alert"), list(range(0, count, 100)))

    def test_a_stream_is_made_and_gets_each_event_once(self):
        cluster = self.cluster(1)
        at = self.linked(cluster, ", payload: envelope")
        publish(at, range(400))
        self.all_arrived(at, cluster, 400)
        with cluster.connection() as connection:
            state = connection.ask("$JS.API.STREAM.INFO.SLUICE")
            self.assertEqual(state["state"]["messages"], 404, "one message an event, none twice")
            self.assertEqual(state["config"]["subjects"], ["sluice.*.*"])
        self.assertIn("with NATS JetStream", at.log_tail(50))

    def test_servers_that_die_stop_and_come_back_lose_nothing(self):
        cluster = self.cluster(3)
        at = self.linked(cluster)
        sent = 0
        for turn in range(3):
            publish(at, range(sent, sent + 150))
            sent += 150
            cluster.end(turn)  # among them the one that we are connected to, and the stream's leader
            publish(at, range(sent, sent + 150))
            sent += 150
            wait_until(at.drained, f"two of three are enough: {at.status()}\n{at.log_tail()}", 180)
            cluster.start_one(turn)
            wait_until(cluster.works, "it is back")
        for turn in range(3):
            cluster.pause(turn)
            publish(at, range(sent, sent + 100))
            sent += 100
            time.sleep(1)
            cluster.resume(turn)
        self.all_arrived(at, cluster, sent)

    def test_without_a_majority_everything_waits_and_the_trouble_has_a_name(self):
        cluster = self.cluster(3)
        at = self.linked(cluster)
        publish(at, range(200))
        wait_until(at.drained, "the stream is there")
        cluster.end(0)
        cluster.end(1)
        publish(at, range(200, 600))
        wait_until(lambda: not at.status()["uplink"]["connected"], "that is noticed", 120)
        self.assertIn(at.status()["uplink"]["trouble"], ("unreachable", "refused", "stalled", "not_taken", "closed", "no_answer"))
        at.kill()
        at.start()
        cluster.start_one(0)
        cluster.start_one(1)
        self.all_arrived(at, cluster, 600)

    def test_a_wrong_password_is_a_refusal_with_words(self):
        cluster = self.cluster(1)
        cluster.end(0)
        cluster.extra = "authorization {user: ana, password: secret}\n"
        cluster.start_one(0)
        at = self.linked(cluster, ", user: ana, password: wrong")
        wait_until(lambda: at.status()["uplink"]["trouble"] == "refused", f"it is refused: {at.status()['uplink']}\n{at.log_tail()}")
        self.assertIn("Authorization", at.log_tail(50))


if __name__ == "__main__":
    main()
