"""Kafka as the cloud: a cluster of brokers that go and come, refuse and lie, under load and over kill -9 of the gateway."""

import json
import random
import socket
import subprocess
import time
import unittest

from sluice_system import kafka
from sluice_system.case import SystemCase, main
from sluice_system.daemons import BINARY, free_port, wait_until
from sluice_system.kafka import RULES
from sluice_system.load import publish

# Kafka's error codes
NOT_LEADER, TOO_LARGE, NOT_ENOUGH_REPLICAS, FORBIDDEN, OUT_OF_ORDER, FENCED = 6, 10, 19, 29, 45, 90


@unittest.skipIf(kafka.missing(), kafka.missing())
class KafkaUplink(SystemCase):
    def cluster(self, *arguments, **options):
        cluster = kafka.Cluster(*arguments, **options)
        self.addCleanup(cluster.end)
        return cluster

    def linked(self, addresses, extra="", **options):
        uplink = f"uplink: {{url: 'kafka://{addresses}', retry_max: 1s, ack_timeout: 3s{extra}}}\n"
        return self.gateway(rules=RULES, extra=uplink, **options)

    def events(self, cluster, event_class):
        """The numbers in the order in which they were first there. A copy must be equal to what it copies, and all of a class are in one
        partition."""
        found, partitions = {}, set()
        for row in cluster.messages(f"sluice-{event_class}"):
            message = json.loads(row["payload"])
            self.assertEqual(row["key"], f"plant-7/{event_class}")
            self.assertEqual((message["gateway"], message["class"]), ("plant-7", event_class))
            partitions.add(row["partition"])
            for event in message.get("events", [message]):
                self.assertNotIn("gap", event)
                each = (message["epoch"], event["seq"])
                self.assertEqual(found.setdefault(each, event["data"]), event["data"], "one number, two events")
        self.assertEqual(list(found), sorted(found), "in order, once copies are dropped")
        self.assertEqual([seq for _, seq in found], list(range(1, len(found) + 1)), "nothing is missing")
        self.assertLessEqual(len(partitions), 1)
        return [row["n"] for row in found.values()]

    def all_arrived(self, at, cluster, count):
        wait_until(at.drained, f"the backlog is gone: {at.status()}\n{at.log_tail()}", 180)
        self.assertEqual(self.events(cluster, "sample"), list(range(count)))
        self.assertEqual(self.events(cluster, "alert"), list(range(0, count, 100)))

    def trouble(self, at, name, patience=60):
        try:
            wait_until(lambda: at.status()["uplink"].get("trouble") == name, f"the trouble is {name}", patience)
        except AssertionError as late:
            raise AssertionError(f"{at.status()['uplink']}\n{at.log_tail()}") from late
        self.assertFalse(at.status()["uplink"]["connected"])

    def test_events_arrive_in_order_with_a_key_and_an_id(self):
        cluster = self.cluster()
        at = self.linked(cluster.addresses, ", payload: envelope")
        publish(at, range(400))
        self.all_arrived(at, cluster, 400)
        rows = cluster.messages("sluice-sample")
        self.assertEqual(len(rows), 400, "one message an event, none twice")
        ids = [dict(zip(row["headers"][::2], row["headers"][1::2]))["Sluice-id"] for row in rows]
        self.assertEqual(len(set(ids)), 400)
        self.assertTrue(ids[0].startswith("plant-7/") and ids[0].endswith("/sample/1-1"), ids[0])
        self.assertIn("with Kafka", at.log_tail(50))
        status = at.status()["uplink"]
        self.assertTrue(status["connected"])
        self.assertEqual(at.stop(), 0)

    def test_bare_rows_have_their_numbers_beside_them_whatever_the_compression(self):
        cluster = self.cluster(1)
        for number, compression in enumerate(("none", "gzip", "lz4", "zstd")):
            with self.subTest(compression):
                topic = f"rows-{compression}"
                at = self.linked(cluster.addresses, f", payload: data, topic: '{topic}-{{class}}-{{rule}}', compression: {compression}",
                                 gateway_id=f"g{number}")
                publish(at, range(100))
                wait_until(at.drained, f"the backlog is gone: {at.status()}\n{at.log_tail()}")
                rows = cluster.messages(f"{topic}-sample-all")
                self.assertEqual([json.loads(row["payload"])["n"] for row in rows], list(range(100)))
                heads = [dict(zip(row["headers"][::2], row["headers"][1::2])) for row in rows]
                self.assertEqual([int(head["Sluice-seq"]) for head in heads], list(range(1, 101)))
                self.assertEqual({head["Sluice-class"] for head in heads}, {"sample"})
                self.assertEqual({head["Sluice-rule"] for head in heads}, {"all"})
                self.assertLessEqual({"Sluice-gateway", "Sluice-epoch", "Sluice-ts"}, set(heads[0]))
                self.assertEqual(at.stop(), 0)

    def test_brokers_that_go_and_come_back_under_load_lose_nothing(self):
        cluster = self.cluster(3)
        at = self.linked(cluster.addresses, ", message_bytes: 2KiB")
        dice, sent = random.Random(4711), 0
        for _ in range(8):
            broker = dice.choice([1, 2, 3, -1])
            cluster.tell(f"down {broker}")
            publish(at, range(sent, sent + 150))
            sent += 150
            cluster.tell(f"up {broker}")
            publish(at, range(sent, sent + 100))
            sent += 100
        self.all_arrived(at, cluster, sent)

    def test_kill_9_while_it_sends_gives_only_copies_with_the_same_numbers(self):
        cluster = self.cluster(3)
        cluster.tell("rtt -1 200")  # what it has stored is not yet acknowledged
        at = self.linked(cluster.addresses, ", message_bytes: 1KiB, drain_rate: 0")
        sent = 0
        for _ in range(4):
            wait_until(lambda: at.status()["uplink"]["connected"], "it sends")
            publish(at, range(sent, sent + 400))
            sent += 400
            at.kill()
            at.start()
        cluster.tell("rtt -1 0")
        self.all_arrived(at, cluster, sent)
        copies = sum(len(json.loads(row["payload"])["events"]) for row in cluster.messages("sluice-sample")) - sent
        self.assertGreater(copies, 0, "it was killed with messages on their way")

    def test_errors_that_mend_are_waited_for(self):
        cluster = self.cluster(3)
        # One message of a class at a time: this cluster does not check sequences as Kafka does, and would store the second when it refuses
        # the first.
        at = self.linked(cluster.addresses, ", in_flight: 2, message_bytes: 2KiB")
        dice, sent = random.Random(4712), 0
        for _ in range(6):
            cluster.errors(kafka.PRODUCE, dice.choice([NOT_ENOUGH_REPLICAS, NOT_LEADER, kafka.DISCONNECT]), dice.randint(1, 4))
            publish(at, range(sent, sent + 100))
            sent += 100
            time.sleep(0.3)
        wait_until(at.drained, f"the backlog is gone: {at.status()}\n{at.log_tail()}", 180)
        self.assertEqual(self.events(cluster, "sample"), list(range(sent)))

    def test_a_producer_that_can_go_on_no_more_is_replaced(self):
        cluster = self.cluster(1)
        at = self.linked(cluster.addresses, ", in_flight: 2, message_bytes: 2KiB")
        publish(at, range(100))
        wait_until(at.drained, "it works")
        sent = 100
        for code in (OUT_OF_ORDER, FENCED, FORBIDDEN):
            with self.subTest(code):
                before = at.status()["uplink"]["refusals"]
                cluster.errors(kafka.PRODUCE, code, 1)
                publish(at, range(sent, sent + 100))
                sent += 100
                wait_until(lambda: at.status()["uplink"]["refusals"] > before and at.drained(),
                           f"it goes on with a new one: {at.status()}\n{at.log_tail()}")
                self.assertEqual(at.status()["uplink"]["refusal"], code)
                self.assertIn(f"Kafka's error {code}", at.log_tail(50))
        self.assertEqual(self.events(cluster, "sample"), list(range(sent)))

    def test_a_batch_that_is_too_large_comes_in_parts(self):
        cluster = self.cluster(1)
        at = self.linked(cluster.addresses, ", in_flight: 2, message_bytes: 16KiB")
        cluster.tell("down -1")
        publish(at, range(400))
        cluster.errors(kafka.PRODUCE, TOO_LARGE, 2)
        cluster.tell("up -1")
        wait_until(at.drained, f"the backlog is gone: {at.status()}\n{at.log_tail()}")
        self.assertEqual(self.events(cluster, "sample"), list(range(400)))
        self.assertEqual(at.status()["uplink"]["refusal"], TOO_LARGE)
        sizes = [len(row["payload"]) for row in cluster.messages("sluice-sample")]
        self.assertLess(max(sizes), 8 * 1024, "halved")

    def test_a_cluster_that_says_nothing_any_more_is_a_stall(self):
        cluster = self.cluster(1)
        at = self.linked(cluster.addresses)
        publish(at, range(100))
        wait_until(at.drained, "it works")
        cluster.pause()
        publish(at, range(100, 200))
        self.trouble(at, "stalled")
        self.trouble(at, "no_answer")
        begin = time.monotonic()
        self.assertEqual(at.stop(), 0)
        self.assertLess(time.monotonic() - begin, 10, "nobody waits for it at the end")
        cluster.resume()
        at.start()
        self.all_arrived(at, cluster, 200)

    def test_who_is_not_there_is_unreachable(self):
        for address, what in ((f"127.0.0.1:{free_port()}", "refused"), ("no.such.host.invalid:9092", "resolve")):
            with self.subTest(address):
                at = self.linked(address, gateway_id=what)
                self.trouble(at, "unreachable")
                self.assertIn(what, at.log_tail(50))
                publish(at, range(10))
                self.assertEqual(at.ledger()["events"]["sample"]["waiting"], 10)
                begin = time.monotonic()
                self.assertEqual(at.stop(), 0)
                self.assertLess(time.monotonic() - begin, 10)

    def test_something_else_that_listens_is_named_too(self):
        with socket.create_server(("127.0.0.1", 0)) as silent:
            at = self.linked(f"127.0.0.1:{silent.getsockname()[1]}", gateway_id="silent")
            self.trouble(at, "no_answer")
        cluster = self.cluster(1)
        secure = self.gateway(gateway_id="secure", rules=RULES, extra=f"uplink: {{url: 'kafkas://{cluster.addresses}', retry_max: 1s}}\n")
        self.trouble(secure, "unreachable")
        self.assertIn("SSL_HANDSHAKE", secure.log_tail(50))
        # It never heard of passwords.
        named = self.linked(cluster.addresses, ", user: ana, password: secret", gateway_id="named")
        self.trouble(named, "refused")

    def test_a_topic_that_is_missing_or_forbidden_is_a_refusal_with_its_name(self):
        cluster = self.cluster(1)
        for code, words in ((3, "UNKNOWN_TOPIC_OR_PART"), (FORBIDDEN, "TOPIC_AUTHORIZATION_FAILED")):
            with self.subTest(words):
                cluster.tell(f"topic_error sluice-sample {code}")
                at = self.linked(cluster.addresses, gateway_id=f"g{code}")
                self.trouble(at, "refused")
                self.assertEqual(at.status()["uplink"]["refusal"], code)
                self.assertIn(words, at.log_tail(50))
                self.assertIn("sluice-sample", at.log_tail(50))
                cluster.tell("topic_error sluice-sample 0")
                wait_until(lambda: at.status()["uplink"]["connected"], f"it is there: {at.log_tail()}")
                self.assertEqual(at.stop(), 0)

    def test_a_partition_without_a_leader_holds_up_its_own_class_only(self):
        cluster = self.cluster(2, 1)
        at = self.linked(cluster.addresses)
        publish(at, range(100))
        wait_until(at.drained, "it works")
        cluster.tell("leader sluice-sample 0 -1")
        publish(at, range(100, 300))
        wait_until(lambda: at.ledger()["events"]["alert"]["waiting"] == 0, f"alerts go: {at.status()}\n{at.log_tail()}")
        self.trouble(at, "stalled")
        self.assertGreater(at.ledger()["events"]["sample"]["waiting"], 0)
        for topic in ("alert", "aggregate"):
            cluster.tell(f"leader sluice-{topic} 0 -1")
        self.trouble(at, "refused")
        self.assertEqual(at.status()["uplink"]["refusal"], 5)
        for topic in ("alert", "aggregate", "sample"):
            cluster.tell(f"leader sluice-{topic} 0 2")
        self.all_arrived(at, cluster, 300)

    def test_a_wrong_configuration_is_said_before_it_starts(self):
        config = self.folder / "wrong.yaml"
        config.write_text(f"gateway: {{id: x, data: {self.folder}}}\nuplink: {{url: 'kafka://a,b:99999', topic: 'a b'}}\n")
        done = subprocess.run([BINARY, "check", "-c", str(config)], capture_output=True, text=True, check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("a port is at most 65535", done.stdout + done.stderr)


if __name__ == "__main__":
    main()
