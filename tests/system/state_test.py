"""kill -9 at random moments under QoS 1 load: what rules remember is exactly what acknowledged readings made of it.

Each reading has a number, and nothing is sent twice. One rule puts out a row for each reading, with the number of the reading before it
(lag): the rows name the readings that count, and a reading that counted twice or never breaks the chain. Everything else that the rules put
out must be what `sluice rule test` makes of those readings.

SLUICE_KILLS sets how often the gateway is killed (20); SLUICE_SEED repeats a run's moments as far as an operating system lets one.
"""

import json
import os
import random
import signal
import subprocess
import time

from sluice_system.case import SystemCase, main
from sluice_system.daemons import BINARY, Cloud, Gateway, wait_until
from sluice_system.load import Publisher
from sluice_system.mqtt import Client

KILLS = int(os.environ.get("SLUICE_KILLS", "20"))
SEED = int(os.environ.get("SLUICE_SEED", "0")) or random.SystemRandom().randrange(1, 2**32)
STATE = os.environ.get("SLUICE_STATE", "checkpoint: 1s")
WINDOW = 32
MACHINES = 5
LAST = 1_000_000  # a reading far ahead of all others: windows of event time close

BY = "OVER (PARTITION BY device)"
CHAIN = (f"SELECT device, n, lag(n) {BY} AS before, zscore(v, 20) {BY} AS z, ewma(v, 0.2) {BY} AS e, delta(v) {BY} AS d, "
         f"episode(v > 60, 2, 2) {BY} AS ep, every(7) {BY} AS ev FROM 'load/+'")
COUNT = "SELECT device, count(*) AS k, sum(n) AS s, collect(n) AS c, min(v) AS m FROM 'load/+' GROUP BY device, COUNTWINDOW(10)"
HOP = "SELECT device, collect(n) AS h FROM 'load/+' GROUP BY device, COUNTWINDOW(12, 4)"
# Windows of event time are evaluated on one shard for each rule, whatever the key.
EVENT = {
    "tumbling": "SELECT device, window_start() AS w, collect(n) AS t FROM 'load/{}' GROUP BY device, TUMBLINGWINDOW(ss, 2) "
                "WITH (timestamp = ts, lateness = '300ms')",
    "hopping": "SELECT device, window_start() AS w, collect(n) AS o FROM 'load/{}' GROUP BY device, HOPPINGWINDOW(ss, 2, 1) "
               "WITH (timestamp = ts, lateness = '300ms')",
    "session": "SELECT device, window_start() AS w, collect(n) AS i FROM 'load/{}' GROUP BY device, SESSIONWINDOW(ss, 5, 1) "
               "WITH (timestamp = ts)",
    "sliding": "SELECT device, window_end() AS w, count(*) AS k, sum(n) AS l FROM 'load/{}' GROUP BY device, SLIDINGWINDOW(ss, 1) "
               "WITH (timestamp = ts, lateness = '500ms')",
}
ARRIVAL = "SELECT device, window_start() AS w, collect(n) AS a FROM 'load/+' GROUP BY device, TUMBLINGWINDOW(ms, 200)"
ARRIVAL_SESSION = "SELECT device, window_start() AS w, collect(n) AS b FROM 'load/+' GROUP BY device, SESSIONWINDOW(ms, 1000, 5)"


def rules(names) -> str:
    rows = [("chain", CHAIN, "{cloud: sample}"), ("count", COUNT, '{cloud: alert}, {topic: "sums/{device}"}'),
            ("hop", HOP, "{cloud: aggregate}"), ("arrival", ARRIVAL, "{cloud: aggregate}"),
            ("arrival-session", ARRIVAL_SESSION, "{cloud: alert}"),
            # A rule over what another one publishes, and one whose keys lie on other shards than the clients.
            ("sums", "SELECT device, collect(s) AS g FROM 'sums/+' GROUP BY device, COUNTWINDOW(3)", "{cloud: alert}"),
            ("far", "SELECT machine, device, n, lag(n) OVER (PARTITION BY machine, device) AS before FROM 'load/+'", "{cloud: sample}")]
    for kind, sql in EVENT.items():
        rows += [(f"{kind}-{name}", sql.format(name), "{cloud: aggregate}") for name in names]
    return "rules:\n" + "".join(f'  - {{id: {rule}, sql: "{sql}", to: [{to}]}}\n' for rule, sql, to in rows)


def reading(name: str, n: int) -> dict:
    mixed = (n * 2654435761 + hash_of(name)) % 1000
    return {"device": name, "machine": f"m{mixed % MACHINES}", "n": n, "ts": 1_700_000_000_000 + n * 40 + (mixed % 5) * 60
            + (1500 if mixed > 985 else 0), "v": 80 if mixed % 50 < 3 else 40 + mixed % 7}


def hash_of(name: str) -> int:
    return sum(ord(c) * 31 ** i for i, c in enumerate(name))


class State(SystemCase):
    def setUp(self):
        super().setUp()
        print(f"SLUICE_SEED={SEED} SLUICE_KILLS={KILLS}", flush=True)
        self.random = random.Random(SEED)

    def rule_test(self, sql: str, payloads) -> list:
        path = self.folder / "readings.ndjson"
        path.write_text("".join(json.dumps(each) + "\n" for each in payloads), encoding="utf-8")
        topic = "load/" + payloads[0]["device"]
        done = subprocess.run([BINARY, "rule", "test", "--sql", sql, "--topic", topic, str(path)], capture_output=True, text=True,
                              check=True, timeout=120)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def same(self, expected: list, rows: list, what: str, *, open_at_end=False):
        """`open_at_end`: rule test also puts out what is still open."""
        if open_at_end:
            self.assertGreaterEqual(len(expected), len(rows), what)
            expected = expected[:len(rows)]
        self.assertEqual(len(expected), len(rows), what)
        for number, (want, row) in enumerate(zip(expected, rows)):
            self.assertEqual(set(want), set(row), what)
            for key, value in want.items():
                if isinstance(value, (int, float)) and not isinstance(value, bool) and row[key] is not None:
                    self.assertAlmostEqual(value, row[key], 9, f"{what}: row {number}: {row}, expected {want}")
                else:
                    self.assertEqual(value, row[key], f"{what}: row {number}: {row}, expected {want}")

    def test_a_killed_gateway_remembers_exactly_what_was_acknowledged(self):
        self.under_load(shards=1)

    def test_so_does_one_of_several_shards_that_forward_readings(self):
        self.under_load(shards=3)

    def under_load(self, *, shards):
        store = Cloud(self.folder)
        names = [f"p{number}" for number in range(3)]
        at = Gateway(self.folder, uplink_port=store.mqtt_port, rules=rules(names), extra=f"state: {{{STATE}}}\n",
                     extra_gateway=f"shards: {shards}")
        self.addCleanup(store.__exit__)
        self.addCleanup(at.__exit__)
        store.start()
        at.start()
        publishers = [Publisher(at.mqtt_port, name, reading=reading, window=WINDOW, pause=pause)
                      for name, pause in zip(names, (0, 0.001, 0.01))]
        for each in publishers:
            each.start()
        for _ in range(KILLS):
            time.sleep(self.random.uniform(0.0, 0.6))  # the random moment; nothing is waited for here
            at.kill()
            at.start()
        for each in publishers:
            each.stopping = True
        for each in publishers:
            each.join(60)
            self.assertIsNone(each.failure)
        for each in publishers:
            with Client(at.mqtt_port, each.name_, timeout=20) as client:
                client.publish(f"load/{each.name_}", json.dumps(reading(each.name_, LAST)).encode(), LAST)
                each.acked.add(client.next_ack())
        time.sleep(1.2)  # arrival windows close, by the clock
        wait_until(at.drained, "everything is in the cloud")
        self.assertEqual(at.stop(), 0, at.log_tail())
        self.verify(publishers, store, one_shard=shards == 1)

    def verify(self, publishers, store, *, one_shard):
        events = {}
        for name in ("alert", "aggregate", "sample"):
            for event in store.events(**{"class": name}):
                events.setdefault((event["rule"], event["data"]["device"]), []).append(event["data"])
        for each in publishers:
            name = each.name_
            rows = {rule: found for (rule, device), found in events.items() if device == name}
            chain = rows["chain"]
            counted = [row["n"] for row in chain]
            self.assertEqual(each.acked - set(counted), set(), f"{name}: acknowledged, but never counted")
            self.assertEqual([None] + counted[:-1], [row["before"] for row in chain], f"{name}: counted twice, never or out of order")
            payloads = [reading(name, n) for n in counted]
            self.same(self.rule_test(CHAIN, payloads), chain, f"{name}: chain")
            tens = self.rule_test(COUNT, payloads)
            self.same(tens, rows["count"], f"{name}: count window")
            self.same(self.rule_test(HOP, payloads), rows["hop"], f"{name}: hopping count window")
            sums = [row["s"] for row in tens]
            self.assertEqual([sums[i:i + 3] for i in range(0, len(sums) - 2, 3)], [row["g"] for row in rows.get("sums", [])],
                             f"{name}: a rule over what another one publishes")
            for kind, sql in EVENT.items():
                if not one_shard:
                    # What was not acknowledged may count on one shard and not on another.
                    seen = {n for row in rows[f"{kind}-{name}"] for column in "toi" for n in row.get(column, [])} | each.acked
                    payloads = [reading(name, n) for n in [*range(each.sent), LAST] if n in seen]
                    if kind == "sliding":
                        continue
                self.same(self.rule_test(sql.format(name), payloads), rows[f"{kind}-{name}"], f"{name}: {kind}", open_at_end=True)
            for rule, column in (("arrival", "a"), ("arrival-session", "b")):
                in_windows = [n for row in rows[rule] for n in row[column]]
                self.assertEqual(counted, in_windows, f"{name}: {rule}: in no window, or in two")
            self.verify_far(name, each, rows["far"])
            print(f"{name}: {len(each.acked)} acknowledged, {len(counted)} counted, {each.sent} sent", flush=True)

    def verify_far(self, name, publisher, rows):
        """On another shard a reading that was not acknowledged may count where others do not: the chain must hold in itself."""
        self.assertEqual(publisher.acked - {row["n"] for row in rows}, set(), f"{name}: far: acknowledged, but never counted")
        last = {}
        for row in rows:
            self.assertEqual(last.get(row["machine"]), row["before"], f"{name}: far: counted twice or never: {row}")
            last[row["machine"]] = row["n"]

    def test_a_stop_or_reload_while_the_rows_of_a_window_go_out_puts_none_out_twice(self):
        many = 3000
        store = self.cloud()
        at = Gateway(self.folder, uplink_port=store.mqtt_port, extra_gateway="shards: 1", rules="""rules:
  - id: many
    sql: "SELECT device, window_start() AS w, count(*) AS k FROM 'many' GROUP BY device, TUMBLINGWINDOW(ss, 1)"
    to: [{cloud: aggregate}]
""")
        self.addCleanup(at.__exit__)
        at.start()
        acked, sent = 0, 0
        for turn in range(8):
            with Client(at.mqtt_port, "c", timeout=20) as client:
                for device in range(many):
                    client.publish("many", json.dumps({"device": device}).encode(), sent)
                    sent += 1
                    if len(client.unacked) >= 500:
                        client.next_ack()
                        acked += 1
                while client.unacked:
                    client.next_ack()
                    acked += 1
            # Just behind the end of the window: its rows are on their way.
            time.sleep(1 - time.time() % 1 + self.random.uniform(0, 0.012))
            if turn % 2:
                at.process.send_signal(signal.SIGHUP)
            else:
                self.assertEqual(at.stop(), 0, at.log_tail())
                at.start()
        time.sleep(1.2)
        wait_until(at.drained, "everything is in the cloud")
        self.assertEqual(at.stop(), 0, at.log_tail())
        rows = [(event["data"]["device"], event["data"]["w"], event["data"]["k"]) for event in store.events(**{"class": "aggregate"})]
        self.assertEqual(len(rows), len({row[:2] for row in rows}), "a window's row went out twice")
        self.assertEqual(sum(row[2] for row in rows), acked)
        self.assertEqual(acked, sent)


if __name__ == "__main__":
    main()
