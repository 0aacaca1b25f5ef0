"""Starts gateways and clouds as a user would: the real binary, a configuration file, free ports, a data folder of its own."""

import fcntl
import json
import os
import pathlib
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[3]
BINARY = os.environ.get("SLUICE_BINARY", str(ROOT / "build" / "dev" / "sluice"))
SHARED = pathlib.Path(os.environ.get("SLUICE_SHARED", ROOT.parent / "shared"))

# Generous: under sanitizers and on a busy machine things take long. Nothing waits this long when it works.
PATIENCE = 60.0

# The three rules of the example configuration.
RULES = """
rules:
  - id: vibration-anomaly
    sql: |
      SELECT device, ts, seq, vibration, zscore(vibration, 100) OVER (PARTITION BY device) AS z
      FROM 'sensors/+/vibration'
      WHERE abs(z) > 3
    to: [{topic: "alerts/{device}"}, {cloud: alert}]
  - id: vibration-average
    sql: |
      SELECT device, avg(vibration) AS average_vibration, count(*) AS samples
      FROM 'sensors/+/vibration' GROUP BY device, COUNTWINDOW(10)
    to: [{cloud: aggregate}]
  - id: raw-sample
    sql: SELECT * FROM 'sensors/+/vibration' WHERE every(1000) OVER (PARTITION BY device)
    to: [{cloud: sample}]
"""


def free_port() -> int:
    """A port that nobody listens on now, outside the range from which the system takes ports for outgoing connections."""
    for port in _candidates():
        if not _reserve(port):
            continue
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError("no free port")


def _reserve(port: int) -> bool:
    """Ours until this process ends: a test that runs beside this one may have chosen it and not listen yet."""
    if not hasattr(_reserve, "file"):
        _reserve.file = open(pathlib.Path(tempfile.gettempdir()) / "sluice-test-ports", "ab")
    try:
        fcntl.lockf(_reserve.file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
        return True
    except OSError:
        return False


def _candidates():
    # Different processes begin at different places, so that tests can run side by side.
    begin = 10000 + (os.getpid() * 37) % 20000
    while True:
        _candidates.next = getattr(_candidates, "next", begin) + 1
        if _candidates.next >= 32000:
            _candidates.next = 10000
        yield _candidates.next


def wait_until(predicate, what: str, patience: float = PATIENCE):
    """Polls until the predicate is true and returns its value."""
    end = time.monotonic() + patience
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {patience:.0f} s: {what}")
        time.sleep(0.02)


class Daemon:
    """One process of the binary. Use as a context manager: it is gone afterwards, whatever happens."""

    command = ""

    def __init__(self, folder: pathlib.Path, name: str, host: str = "127.0.0.1"):
        self.host = host
        self.folder = pathlib.Path(folder)
        self.config = self.folder / f"{name}.yaml"
        self.log = self.folder / f"{name}.log"
        self.mqtt_port = free_port()
        self.http_port = free_port()
        self.process = None
        self.prefix, self.environment = [], {}  # to start it by another program, or with more in its environment

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def spawn(self):
        """Starts without waiting."""
        command = [*self.prefix, BINARY, self.command, "-c", str(self.config)]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env={**os.environ, **self.environment})
        return self

    def start(self):
        self.spawn()
        wait_until(self.healthy, f"{self.command} answers /healthz; its log:\n{self.log_tail()}")
        return self

    def healthy(self) -> bool:
        if self.process.poll() is not None:
            raise AssertionError(f"{self.command} ended with {self.process.returncode} instead of starting:\n{self.log_tail()}")
        return self.answers()

    def answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://{self.host}:{self.http_port}/healthz", timeout=5) as answer:
                return answer.status == 200
        except (OSError, urllib.error.URLError):
            return False

    def log_tail(self, lines: int = 30) -> str:
        text = self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])

    def stop(self) -> int:
        """SIGTERM; returns the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)

    def kill(self):
        """Like a power cut, for the process."""
        self.process.kill()
        self.process.wait()

    def text(self, path: str, **query) -> str:
        url = f"http://{self.host}:{self.http_port}{path}"
        if query:
            url += "?" + urllib.parse.urlencode(query)
        with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
            return answer.read().decode()

    def get(self, path: str, **query):
        return json.loads(self.text(path, **query))


class Gateway(Daemon):
    command = "gateway"

    def __init__(self, folder, *, gateway_id="plant-7", uplink_port=None, uplink_host="127.0.0.1", uplink_more="",
                 uplink_scheme="sluice", rules=RULES, extra="",
                 extra_gateway="", listeners=()):
        """`listeners`: more entries of `listen.mqtt`, as YAML; `uplink_more`: more keys of `uplink`, beginning with a comma."""
        super().__init__(folder, gateway_id)
        self.id = gateway_id
        self.data = self.folder / f"{gateway_id}-data"
        uplink = f"uplink: {{url: '{uplink_scheme}://{uplink_host}:{uplink_port}'{uplink_more}}}\n" if uplink_port else ""
        self.config.write_text(
            f"gateway: {{id: {gateway_id}, data: {self.data}, {extra_gateway}}}\n"
            f"listen:\n  http: '127.0.0.1:{self.http_port}'\n  mqtt:\n    - tcp://127.0.0.1:{self.mqtt_port}\n"
            + "".join(f"    - {each}\n" for each in listeners) +
            f"{uplink}{rules}{extra}",
            encoding="utf-8",
        )

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.mqtt_port}"

    def status(self) -> dict:
        return self.get("/api/v1/status")

    def ledger(self) -> dict:
        return self.status()["ledger"]

    def drained(self) -> bool:
        """Nothing waits for the cloud any more, and every class balances."""
        classes = self.ledger()["events"]
        for name, row in classes.items():
            assert row["created"] == row["delivered"] + row["waiting"] + sum(row["dropped"].values()), (name, row)
        return all(row["waiting"] == 0 for row in classes.values())


class Cloud(Daemon):
    command = "cloud"

    def __init__(self, folder, *, host="127.0.0.1", listener="tcp://HOST:PORT", extra=""):
        """`listener`: the one entry of `listen.mqtt`, as YAML, with the words HOST and PORT in it."""
        super().__init__(folder, "cloud", host)
        self.data = self.folder / "cloud-data"
        entry = listener.replace("HOST", host).replace("PORT", str(self.mqtt_port))
        self.config.write_text(
            f"cloud: {{id: cloud, data: {self.data}}}\n"
            f"listen: {{mqtt: [{entry}], http: '{host}:{self.http_port}'}}\n{extra}",
            encoding="utf-8",
        )

    def count(self, **query) -> int:
        return self.get("/api/v1/events/count", **query)["count"]

    def events(self, **query) -> list:
        """All events that match, page by page, in the cloud's order of storing."""
        found, after = [], 0
        while True:
            page = self.get("/api/v1/events", after=after, limit=10000, **query)
            found.extend(page["events"])
            if page["next"] is None:
                return found
            after = page["next"]
