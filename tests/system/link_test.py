"""The link between gateway and cloud breaks, hangs and comes back."""

import json

from sluice_system.case import SystemCase, main
from sluice_system.daemons import Gateway, wait_until
from sluice_system.link import Link
from sluice_system.mqtt import Client

EVERY_READING = """rules:
  - {id: all, sql: "SELECT device, n FROM 'load/+'", to: [{cloud: sample}, {topic: "local/{device}"}]}
  - {id: some, sql: "SELECT device, n FROM 'load/+' WHERE n % 100 = 0", to: [{cloud: alert}]}
"""


def publish(at, name, numbers):
    with Client(at.mqtt_port, name) as client:
        for number in numbers:
            client.publish(f"load/{name}", json.dumps({"device": name, "n": number}).encode())
            if len(client.unacked) >= 200:
                client.next_ack()
        client.finish()


class CutLink(SystemCase):
    def setUp(self):
        super().setUp()
        self.store = self.cloud()
        self.link = Link(self.store.mqtt_port)
        self.addCleanup(self.link.__exit__)
        self.at = self.gateway(uplink_port=self.link.port, rules=EVERY_READING)

    def everything_arrived_once(self, count):
        wait_until(self.at.drained, "the backlog is in the cloud")
        numbers = [event["data"]["n"] for event in self.store.events(rule="all")]
        self.assertEqual(numbers, list(range(count)))
        self.assertEqual(self.store.count(rule="some"), (count + 99) // 100)

    def test_what_happens_while_the_link_is_cut_arrives_later_once_and_in_order(self):
        wait_until(lambda: self.at.status()["uplink"]["connected"], "the uplink connects")
        publish(self.at, "a", range(1000))
        self.link.cut()
        wait_until(lambda: not self.at.status()["uplink"]["connected"], "the gateway notices")
        publish(self.at, "a", range(1000, 6000))
        self.assertGreater(self.at.ledger()["events"]["sample"]["waiting"], 0)
        self.link.restore()
        publish(self.at, "a", range(6000, 7000))
        self.everything_arrived_once(7000)

    def test_a_link_that_breaks_again_and_again_still_delivers_each_event_once(self):
        for begin in range(0, 5000, 500):
            publish(self.at, "a", range(begin, begin + 500))
            self.link.cut()
            self.link.restore()
        self.everything_arrived_once(5000)

    def test_a_gateway_restarted_offline_keeps_its_backlog_and_works_locally(self):
        self.link.cut()
        publish(self.at, "a", range(300))
        self.assertEqual(self.at.stop(), 0, self.at.log_tail())
        self.at.start()
        watcher = Client(self.at.mqtt_port, "watcher")
        self.addCleanup(watcher.close)
        watcher.subscribe("local/#", qos=1)
        publish(self.at, "a", range(300, 600))
        self.assertEqual(json.loads(watcher.next_message()[1])["n"], 300)
        self.assertEqual(self.at.ledger()["events"]["sample"]["waiting"], 600)
        self.link.restore()
        self.everything_arrived_once(600)

    def test_two_gateways_do_not_mix(self):
        other = Gateway(self.folder, gateway_id="plant-8", uplink_port=self.link.port, rules=EVERY_READING)
        self.addCleanup(other.__exit__)
        other.start()
        publish(self.at, "a", range(500))
        publish(other, "b", range(500))
        wait_until(lambda: self.at.drained() and other.drained(), "both are drained")
        for gateway, device in (("plant-7", "a"), ("plant-8", "b")):
            events = self.store.events(gateway=gateway, rule="all")
            self.assertEqual([(event["data"]["device"], event["data"]["n"]) for event in events], [(device, n) for n in range(500)])
        known = {row["id"]: row for row in self.store.get("/api/v1/gateways")}
        self.assertTrue(known["plant-7"]["online"] and known["plant-8"]["online"])


if __name__ == "__main__":
    main()
