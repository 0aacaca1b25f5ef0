"""What every uplink must do, whichever cloud it is: one suite, each cloud in turn, the real one wherever there is one. What only one kind
of cloud can do wrong is in a file of its own (uplink_*_test.py)."""

from sluice_system import peers
from sluice_system.case import SystemCase, main
from sluice_system.daemons import wait_until
from sluice_system.link import Link
from sluice_system.load import publish

RULES = """rules:
  - {id: all, sql: "SELECT device, n FROM 'load/+'", to: [{cloud: sample}]}
  - {id: loud, sql: "SELECT device, n FROM 'alarm/+'", to: [{cloud: alert}]}
"""


class Suite:
    kind: type  # of peers.Peer

    def setUp(self):
        super().setUp()
        if peers.missing(self.kind):
            self.skipTest(f"needs {peers.missing(self.kind)}")
        self.peer = self.kind(self)
        self.link = Link(self.peer.port)
        self.addCleanup(self.link.__exit__)

    def start(self, more=""):
        return self.gateway(rules=RULES, extra=f"uplink: {{{self.peer.uplink(self.link.port)}{more}}}\n")

    def waiting(self, at, event_class):
        return at.ledger()["events"][event_class]["waiting"]

    def numbers(self, event_class="sample", begin=1):
        """By sequence number, without a hole. Copies are equal, and what arrives for the first time does so in order."""
        first, newest = {}, {}
        for epoch, seq, data in self.peer.arrived(event_class):
            if (epoch, seq) in first:
                self.assertEqual(first[epoch, seq], data, "one number, two events")
                continue
            self.assertGreater(seq, newest.get(epoch, 0), "out of order")
            newest[epoch] = seq
            first[epoch, seq] = data
        self.assertEqual([seq for _, seq in sorted(first)], list(range(begin, begin + len(first))), "nothing is missing")
        return [data["n"] for _, data in sorted(first.items()) if data is not None]

    def all_arrived(self, at, expected, event_class="sample"):
        wait_until(at.drained, f"the backlog is gone: {at.status()['uplink']}\n{at.log_tail()}")
        wait_until(lambda: len(self.numbers(event_class)) >= len(expected), "what was acknowledged is there to be seen")
        self.assertEqual(self.numbers(event_class), expected)

    def test_everything_arrives_in_order_through_a_bad_link_and_a_kill(self):
        at = self.start()
        sent = 0
        for mode in ("refuse", "lose_acks", "reset_inside", "half_open"):
            publish(at, range(sent, sent + 200))
            self.link.become(mode)
            publish(at, range(sent + 200, sent + 400))
            sent += 400
            if mode == "lose_acks":
                at.kill()
                at.start()
            self.link.become("refuse")
            self.link.restore()
        self.all_arrived(at, list(range(sent)))
        self.assertEqual(at.stop(), 0)

    def test_an_alert_does_not_wait_behind_the_backlog(self):
        at = self.start(", drain_rate: 2000")
        self.link.cut()
        publish(at, range(12_000))
        self.link.restore()
        wait_until(lambda: at.ledger()["events"]["sample"]["delivered"] > 0, f"it drains:\n{at.log_tail()}")
        publish(at, [1], topic="alarm/a")
        wait_until(lambda: self.numbers("alert") == [1], "the alert is there")
        self.assertGreater(self.waiting(at, "sample"), 0, "before the backlog is")

    def test_silence_is_noticed_has_a_name_and_ends_without_a_restart(self):
        at = self.start()
        publish(at, range(10))
        self.all_arrived(at, list(range(10)))
        self.link.become("black_hole")
        publish(at, range(10, 20))
        wait_until(lambda: not at.status()["uplink"]["connected"], f"it does not say connected:\n{at.log_tail()}")
        self.assertIn(at.status()["uplink"]["trouble"], ("stalled", "no_answer", "closed", "unreachable"))
        self.link.become("refuse")
        self.link.restore()
        self.all_arrived(at, list(range(20)))
        self.assertTrue(at.status()["uplink"]["connected"])

    def test_numbers_that_will_never_come_are_told(self):
        at = self.start(", classes: {sample: {ttl: 1s}}")
        self.link.cut()
        publish(at, range(50))
        wait_until(lambda: at.ledger()["events"]["sample"]["dropped"].get("ttl") == 50, "they are too old")
        publish(at, range(50, 60), topic="alarm/a")  # the other class has lost nothing
        self.link.restore()
        self.all_arrived(at, list(range(50, 60)), "alert")
        publish(at, range(60, 70))
        wait_until(lambda: [n for n in self.numbers() if n >= 60] == list(range(60, 70)), f"those behind the gap come:\n{at.log_tail()}")


class OnSluice(Suite, SystemCase):
    kind = peers.SluiceCloud


class OnSluiceWithTls(Suite, SystemCase):
    kind = peers.SluiceCloudTls


class OnMqtt5(Suite, SystemCase):
    kind = peers.Broker


class OnMqtt311(Suite, SystemCase):
    kind = peers.OldBroker


class OnAws(Suite, SystemCase):
    kind = peers.BrokerAsAws


class OnNats(Suite, SystemCase):
    kind = peers.JetStream


class OnKafka(Suite, SystemCase):
    kind = peers.KafkaBroker


class OnHttp(Suite, SystemCase):
    kind = peers.HttpReceiver


if __name__ == "__main__":
    main()
