"""Work that crosses shards: clients, keys and subscribers that live on different ones behave as if there were one."""

import json
import signal
import time

from sluice_system.case import SystemCase, main
from sluice_system.daemons import wait_until
from sluice_system.mqtt import Client

SHARDS = 4
CLIENTS = 8
KEYS = 16
ROUNDS = 30

# Keyed by a field that has nothing to do with the client id, so that most readings are evaluated on another shard than they came in on;
# and a chain: the second rule reads what the first publishes.
RULES = """rules:
  - id: average
    sql: "SELECT machine, avg(x) AS mean, count(*) AS n FROM 'in/+' GROUP BY machine, COUNTWINDOW(10)"
    to: [{cloud: aggregate}, {topic: "means/{machine}"}]
  - id: pairs
    sql: "SELECT machine, sum(mean) AS total FROM 'means/+' GROUP BY machine, COUNTWINDOW(2)"
    to: [{cloud: alert}, {topic: "totals/{machine}"}]
"""


class Shards(SystemCase):
    def setUp(self):
        super().setUp()
        self.at = self.gateway(rules=RULES)
        text = self.at.config.read_text(encoding="utf-8").replace("gateway: {", f"gateway: {{shards: {SHARDS}, ", 1)
        self.at.config.write_text(text, encoding="utf-8")
        self.assertEqual(self.at.stop(), 0, self.at.log_tail())
        self.at.start()

    def connect(self, name):
        client = Client(self.at.mqtt_port, name)
        self.addCleanup(client.close)
        return client

    def feed(self, clients, rounds, begin=0):
        """Each round every client sends one reading of every key; returns when all are acknowledged."""
        for number in range(begin, begin + rounds):
            for index, client in enumerate(clients):
                for key in range(KEYS):
                    client.publish(f"in/{index}", json.dumps({"machine": f"m{key}", "x": number}).encode())
            for client in clients:
                client.finish()

    def test_windows_of_one_key_fed_by_many_clients_count_every_reading_once(self):
        watcher = self.connect("watcher")
        watcher.subscribe("totals/#")
        clients = [self.connect(f"client-{index}") for index in range(CLIENTS)]
        self.feed(clients, ROUNDS)
        readings = CLIENTS * ROUNDS  # of each key
        events = self.at.ledger()["events"]
        self.assertEqual(events["aggregate"]["created"], KEYS * (readings // 10))
        self.assertEqual(events["alert"]["created"], KEYS * (readings // 20), "every acknowledged reading's chain is on disk")
        totals = {}
        for _ in range(KEYS * (readings // 20)):
            topic, payload = watcher.next_message()
            machine = json.loads(payload)["machine"]
            self.assertEqual(topic, f"totals/{machine}")
            totals[machine] = totals.get(machine, 0) + 1
        self.assertEqual(set(totals.values()), {readings // 20})
        metrics = self.at.text("/metrics")
        forwarded = sum(float(line.split()[-1]) for line in metrics.splitlines() if line.startswith("sluice_rules_forwarded_total{"))
        self.assertGreater(forwarded, 0, "the test must cross shards to mean anything")

    def test_a_subscription_is_in_force_everywhere_once_it_is_acknowledged(self):
        publishers = [self.connect(f"publisher-{index}") for index in range(CLIENTS)]
        for turn in range(20):
            watcher = self.connect(f"watcher-{turn}")
            watcher.subscribe(f"news/{turn}/#")
            for index, publisher in enumerate(publishers):
                publisher.publish_qos0(f"news/{turn}/{index}", b"now")
            topics = {watcher.next_message()[0] for _ in publishers}
            self.assertEqual(topics, {f"news/{turn}/{index}" for index in range(CLIENTS)})

    def test_a_retained_message_is_found_from_every_shard_once_it_is_acknowledged(self):
        publisher = self.connect("keeper")
        for turn in range(20):
            publisher.publish(f"kept/{turn}", str(turn).encode(), retain=True)
            publisher.finish()
            reader = self.connect(f"reader-{turn}")
            reader.subscribe(f"kept/{turn}")
            self.assertEqual(reader.next_message(), (f"kept/{turn}", str(turn).encode()))

    def test_a_client_id_is_taken_over_wherever_the_new_connection_came_in(self):
        for turn in range(20):
            first = self.connect(f"twin-{turn}")
            self.connect(f"twin-{turn}")
            with self.assertRaises((ConnectionError, OSError)):
                first.read()

    def test_a_will_reaches_subscribers_of_every_shard_when_its_connection_breaks(self):
        watchers = [self.connect(f"watcher-{index}") for index in range(SHARDS * 2)]
        for watcher in watchers:
            watcher.subscribe("wills/#")
        began = time.monotonic()
        for turn in range(CLIENTS):
            Client(self.at.mqtt_port, f"mortal-{turn}", will=(f"wills/{turn}", "gone")).close()  # without a DISCONNECT
            for watcher in watchers:
                self.assertEqual(watcher.next_message(), (f"wills/{turn}", b"gone"))
        # Not with whatever the shard does next: that can be ten seconds away.
        self.assertLess(time.monotonic() - began, 5)

    def test_new_rules_take_over_without_losing_state_or_connections(self):
        clients = [self.connect(f"client-{index}") for index in range(CLIENTS)]
        self.feed(clients, 1)  # 8 readings a key: two short of a window
        extra = "  - {id: all, sql: \"SELECT x FROM 'in/+'\", to: [{cloud: sample}]}\n"
        self.at.config.write_text(self.at.config.read_text(encoding="utf-8") + extra, encoding="utf-8")
        self.at.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "reload: 3 rules in force" in self.at.log_tail(), "the reload is in the log")
        self.feed(clients, 1, begin=1)
        events = self.at.ledger()["events"]
        self.assertEqual(events["aggregate"]["created"], KEYS, "the open windows went on")
        self.assertGreater(events["sample"]["created"], 0, "the new rule works")

    def test_state_is_kept_by_a_restart_with_another_number_of_shards(self):
        self.feed([self.connect(f"client-{index}") for index in range(CLIENTS)], 1)
        self.assertEqual(self.at.stop(), 0, self.at.log_tail())
        text = self.at.config.read_text(encoding="utf-8").replace(f"shards: {SHARDS}", "shards: 3", 1)
        self.at.config.write_text(text, encoding="utf-8")
        self.at.start()
        self.feed([self.connect(f"client-{index}") for index in range(CLIENTS)], 1, begin=1)
        self.assertEqual(self.at.ledger()["events"]["aggregate"]["created"], KEYS)


if __name__ == "__main__":
    main()
