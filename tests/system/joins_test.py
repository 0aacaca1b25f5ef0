"""Rules that join files: limits from a CSV file that is changed while readings come."""

import json
import signal
import time

from sluice_system.case import SystemCase, main
from sluice_system.daemons import wait_until
from sluice_system.mqtt import Client

RULES = """
tables:
  - {name: machines, file: machines.csv, key: id}
  - {name: lines, file: lines.json, key: [site, line]}
rules:
  - id: over-limit
    sql: |
      SELECT s.device, s.v, m.limit, l.foreman
      FROM 'sensors/+' AS s JOIN machines AS m ON m.id = s.device
      LEFT JOIN lines AS l ON l.line = m.line AND l.site = 'north'
      WHERE s.v > m.limit
    to: [{topic: "alerts/{device}"}]
"""


class Joins(SystemCase):
    def setUp(self):
        super().setUp()
        self.table = self.folder / "machines.csv"
        self.table.write_text("id,limit,line\na,3,1\nb,5,2\n")
        (self.folder / "lines.json").write_text('[{"site": "north", "line": 1, "foreman": "Nora"}]')
        self.running = self.gateway(rules=RULES)
        self.client = Client(self.running.mqtt_port, "c")
        self.addCleanup(self.client.close)
        self.client.subscribe("alerts/#")

    def metric(self, name: str, table: str = "machines") -> int:
        for line in self.running.text("/metrics").splitlines():
            if line.startswith(f'sluice_{name}{{table="{table}"}} '):
                return int(line.rsplit(" ", 1)[1])
        raise AssertionError(f"no metric {name}")

    def alerts(self, *readings):
        """What comes of these readings, which the last one (beyond every limit) ends."""
        for device, v in readings:
            self.client.publish_qos0(f"sensors/{device}", json.dumps({"device": device, "v": v}).encode())
        got = []
        for _ in readings:
            got.append(json.loads(self.client.next_message()[1]))
            if got[-1]["v"] == readings[-1][1]:
                return got
        raise AssertionError("no end")

    def replace(self, text: str):
        new = self.folder / "new"
        new.write_text(text)
        new.rename(self.table)

    def test_rows_are_found_and_a_changed_file_counts(self):
        first = {"device": "a", "v": 4, "limit": 3, "foreman": "Nora"}
        self.assertEqual(self.alerts(("a", 4), ("b", 4), ("c", 100), ("b", 1000)),
                         [first, {"device": "b", "v": 1000, "limit": 5, "foreman": None}])
        self.replace("line,limit,id\n1,10,a\n1,2,c\n")
        wait_until(lambda: self.metric("table_loads_total") == 2, "the new file is read")
        self.assertEqual(self.alerts(("a", 4), ("b", 999), ("c", 3), ("a", 1001)),
                         [{"device": "c", "v": 3, "limit": 2, "foreman": "Nora"},
                          {"device": "a", "v": 1001, "limit": 10, "foreman": "Nora"}])

    def test_a_bad_file_leaves_the_old_content(self):
        self.replace("id,limit,line\na,3,1\na,4,1\n")
        wait_until(lambda: self.metric("table_failures_total") == 1, "the bad file is counted")
        self.assertEqual(len(self.alerts(("a", 4), ("b", 1000))), 2)
        self.assertIn("machines.csv:3:1: duplicate key a: it stands in line 2 already; it keeps the content it had",
                      self.running.log_tail())
        self.table.unlink()
        wait_until(lambda: self.metric("table_failures_total") == 2, "the file that is gone is counted")
        self.assertEqual(self.metric("table_rows"), 2)
        self.replace("id,limit,line\na,3,1\n")
        wait_until(lambda: self.metric("table_rows") == 1, "a good file is taken")
        self.assertEqual(self.metric("table_failures_total", "lines"), 0)

    def test_reload_reads_tables_and_checks_rules_against_them(self):
        self.running.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "1 rules in force" in self.running.log_tail(), "reloaded")
        self.replace("id,max,line\na,3,1\n")
        self.running.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "has no column limit" in self.running.log_tail(), "the reload is refused")
        self.assertEqual(len(self.alerts(("a", 4), ("b", 1000))), 2)

    def test_readings_under_a_table_that_changes_all_the_time(self):
        end = time.monotonic() + 3
        sent = 0
        while time.monotonic() < end:
            limit = 1 + sent % 7
            self.replace(f"id,limit,line\na,{limit},1\nb,{limit},1\n")
            for _ in range(200):
                self.client.publish("sensors/a", b'{"device":"a","v":50}')
                sent += 1
            seen = 0
            while seen < 200:
                row = json.loads(self.client.next_message()[1])
                self.assertIn(row["limit"], range(1, 8))
                seen += 1
            self.client.unacked.clear()


if __name__ == "__main__":
    main()
