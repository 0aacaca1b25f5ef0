"""Real data through the real binary: z-score counts and failure modes as the data's README gives them, by two publishers."""

import csv
import json
import shutil
import subprocess

from sluice_system.case import SystemCase, main
from sluice_system.daemons import BINARY, PATIENCE, wait_until

# file, column, topic, readings that the rule must flag (window of 100 before the reading, sample deviation, flat windows flagged)
SERIES = [
    ("data/nab/realKnownCause/machine_temperature_system_failure.csv", "value", "machine", 818),
    ("data/nab/realAWSCloudwatch/ec2_disk_write_bytes_1ef3de.csv", "value", "disk", 113),
    ("data/nab/artificialNoAnomaly/art_flatline.csv", "value", "flat", 0),
    ("data/skab/valve1/0.csv", "Volume Flow RateRMS", "flow", 12),
    ("data/skab/valve1/0.csv", "Accelerometer1RMS", "accelerometer", 1),
]

ZSCORE_RULES = "rules:\n" + "".join(
    f"""  - id: {name}
    sql: |
      SELECT "{column}" AS value, zscore("{column}", 100) AS z FROM 'data/{name}' WHERE abs(z) > 3
    to: [{{topic: "alerts/{name}"}}, {{cloud: alert}}]
"""
    for _, column, name, _ in SERIES
)

FAILURE_RULES = """rules:
  - id: HDF
    sql: |
      SELECT UDI FROM 'jobs'
      WHERE "Process temperature [K]" - "Air temperature [K]" < 8.6 AND "Rotational speed [rpm]" < 1380
    to: [{cloud: alert}]
  - id: PWF
    sql: |
      SELECT UDI, "Torque [Nm]" * "Rotational speed [rpm]" * 2 * 3.141592653589793 / 60 AS power FROM 'jobs'
      WHERE power < 3500 OR power > 9000
    to: [{cloud: alert}]
  - id: OSF
    sql: |
      SELECT UDI FROM 'jobs'
      WHERE "Tool wear [min]" * "Torque [Nm]" > CASE WHEN Type = 'L' THEN 11000 WHEN Type = 'M' THEN 12000 ELSE 13000 END
    to: [{cloud: alert}]
"""


class RealData(SystemCase):
    def start(self, rules):
        self.store = self.cloud()
        self.at = self.gateway(uplink_port=self.store.mqtt_port, rules=rules)

    def replay(self, file, topic):
        command = [BINARY, "replay", str(file), "--to", self.at.url, "--topic", topic, "--speed", "max"]
        result = subprocess.run(command, capture_output=True, text=True, timeout=4 * PATIENCE, check=False)
        self.assertEqual(result.returncode, 0, result.stderr)

    def flagged(self, rule):
        return self.store.count(rule=rule)

    def test_z_scores_over_replayed_files_give_the_published_counts(self):
        files = [(self.shared(name), topic) for name, _, topic, _ in SERIES]
        self.start(ZSCORE_RULES)
        for file, topic in files:
            self.replay(file, f"data/{topic}")
        wait_until(self.at.drained, "everything is in the cloud")
        self.assertEqual({name: self.flagged(name) for _, _, name, _ in SERIES}, {name: count for _, _, name, count in SERIES})

    def test_z_scores_over_mosquitto_pub_give_the_published_counts(self):
        files = [(self.shared(name), topic) for name, _, topic, _ in SERIES]
        if not shutil.which("mosquitto_pub"):
            self.skipTest("needs mosquitto_pub (Debian package mosquitto-clients)")
        self.start(ZSCORE_RULES)
        for file, topic in files:
            with open(file, newline="", encoding="utf-8") as table:
                rows = list(csv.DictReader(table, delimiter=";" if "skab" in str(file) else ","))
            # Numbers as they are written in the file: no digit changes on the way.
            lines = "".join(json_line(row) for row in rows)
            command = ["mosquitto_pub", "-p", str(self.at.mqtt_port), "-q", "1", "-t", f"data/{topic}", "-l"]
            subprocess.run(command, input=lines, text=True, timeout=4 * PATIENCE, check=True)
        wait_until(self.at.drained, "everything is in the cloud")
        self.assertEqual({name: self.flagged(name) for _, _, name, _ in SERIES}, {name: count for _, _, name, count in SERIES})

    def test_failure_modes_of_milling_jobs_are_found_exactly(self):
        file = self.shared("data/ai4i/ai4i_a.csv")
        self.start(FAILURE_RULES)
        self.replay(file, "jobs")
        wait_until(self.at.drained, "everything is in the cloud")
        self.assertEqual({rule: self.flagged(rule) for rule in ("HDF", "PWF", "OSF")}, {"HDF": 62, "PWF": 54, "OSF": 54})
        with open(file, newline="", encoding="utf-8") as table:
            labelled = {mode: set() for mode in ("HDF", "PWF", "OSF")}
            for row in csv.DictReader(table):
                for mode, rows in labelled.items():
                    if row[mode] == "1":
                        rows.add(int(row["UDI"]))
        for mode, rows in labelled.items():
            self.assertEqual({event["data"]["UDI"] for event in self.store.events(rule=mode)}, rows)


def json_line(row):
    return "{" + ", ".join(f"{json.dumps(key)}: {number_or_text(value)}" for key, value in row.items()) + "}\n"


def number_or_text(value):
    try:
        float(value)
        return value
    except ValueError:
        return json.dumps(value)


if __name__ == "__main__":
    main()
