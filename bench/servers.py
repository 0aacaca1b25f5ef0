"""What the benchmarks measure: gateway, null sink and peers, each as processes in a folder of its own that is gone afterwards."""

import contextlib
import getpass
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "system"))

from sluice_system.daemons import free_port  # noqa: E402

START_SECONDS = 15

# DESIGN §6, word for word.
RULES = """
rules:
  - id: vibration-anomaly
    sql: |
      SELECT device, ts, seq, vibration, zscore(vibration, 100) OVER (PARTITION BY device) AS z
      FROM 'sensors/+/vibration'
      WHERE abs(z) > 3
    to:
      - topic: alerts/{device}
      - cloud: alert
  - id: vibration-average
    sql: |
      SELECT device, avg(vibration) AS average_vibration, count(*) AS samples
      FROM 'sensors/+/vibration' GROUP BY device, COUNTWINDOW(10)
    to: [{cloud: aggregate}]
  - id: raw-sample
    sql: SELECT * FROM 'sensors/+/vibration' WHERE every(1000) OVER (PARTITION BY device)
    to: [{cloud: sample}]
"""

# mosquitto at its best: nothing stored, nothing logged, no window or queue limit of its own, no delay by Nagle.
MOSQUITTO = """allow_anonymous true
persistence false
log_dest none
max_inflight_messages 0
max_queued_messages 0
set_tcp_nodelay true
sys_interval 0
"""

# nats-server needs JetStream for its MQTT listener; nothing else is on, and nothing is logged.
NATS = """server_name: bench
listen: 127.0.0.1:{port}
logtime: false
max_connections: 200000
jetstream {{ store_dir: "./jetstream" }}
mqtt {{ listen: "127.0.0.1:{mqtt}", max_ack_pending: 65535 {tls} }}
"""


def binary_of(name):
    """Path of a daemon that Debian may have put where a user's PATH does not look; None when it is not installed."""
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


def wait_until(ready, process, what):
    """Waits for a started process to be of use."""
    give_up = time.monotonic() + START_SECONDS
    while time.monotonic() < give_up:
        if process.poll() is not None:
            raise SystemExit(f"bench: {what} ended at once with code {process.returncode}")
        if ready():
            return
        time.sleep(0.02)
    raise SystemExit(f"bench: {what} did not start within {START_SECONDS} s")


def http_ok(port):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=1) as answer:
            return answer.status == 200
    except OSError:
        return False


def tcp_open(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def make_certificate(folder):
    """cert.pem and key.pem (P-256) for 127.0.0.1."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                    "-subj", "/CN=bench", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "key.pem", "-out", "cert.pem"],
                   cwd=folder, check=True, capture_output=True)


class Server:
    """Processes under test. `watched` are those whose CPU and memory count; `port` takes MQTT, with TLS when `tls` was asked for."""

    def __init__(self, name, tls=False, hosts=("127.0.0.1",)):
        self.name, self.tls, self.hosts = name, tls, hosts
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="sluice-bench-"))
        self.port = free_port()
        self.processes = []
        self.watched = []

    def start(self, command, ready, what, watch=True):
        log = open(self.folder / f"{what}.log", "wb")
        process = subprocess.Popen([str(c) for c in command], stdout=log, stderr=log, cwd=self.folder)
        self.processes.append(process)
        if watch:
            self.watched.append(process.pid)
        try:
            wait_until(ready, process, what)
        except SystemExit:
            sys.stderr.write((self.folder / f"{what}.log").read_text(errors="replace"))
            raise

    def log_says(self, what, text):
        return text in (self.folder / f"{what}.log").read_text(errors="replace")

    def url(self, host="127.0.0.1"):
        return f"{'mqtts' if self.tls else 'mqtt'}://{host}:{self.port}"

    def __enter__(self):
        try:
            if self.tls:
                make_certificate(self.folder)
            self.open()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for process in reversed(self.processes):
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


class NullSink(Server):
    """`forward`: every so manieth reading is passed on to whoever subscribed: the floor of an alert's latency."""

    def __init__(self, build, forward=0, **options):
        super().__init__("null sink", **options)
        self.binary, self.forward = build / "sluice_null_sink", forward

    def open(self):
        self.start([self.binary, self.port, self.forward], lambda: tcp_open(self.port), "null_sink")


class Gateway(Server):
    """The whole job: three rules on every reading, alerts published, events encrypted on disk. `shards` 0: one for each core."""

    def __init__(self, build, latency="balanced", shards=0, uplink=False, connections=20_000, **options):
        super().__init__("gateway", **options)
        self.binary, self.latency, self.shards, self.uplink, self.connections = build / "sluice", latency, shards, uplink, connections

    def open(self):
        http = free_port()
        scheme, files = ("tls", ", cert: cert.pem, key: key.pem") if self.tls else ("tcp", "")
        listeners = ", ".join(f'{{url: "{scheme}://{host}:{self.port}"{files}}}' for host in self.hosts)
        config = (f"gateway: {{id: bench, data: ./gateway, latency: {self.latency}, shards: {self.shards}}}\n"
                  f"listen: {{mqtt: [{listeners}], http: 127.0.0.1:{http}}}\n"
                  f"limits: {{connections: {self.connections}}}\n")
        if self.uplink:
            cloud_port, cloud_http = free_port(), free_port()
            (self.folder / "cloud.yaml").write_text(
                f"cloud: {{id: bench, data: ./cloud}}\n"
                f"listen: {{mqtt: [tcp://127.0.0.1:{cloud_port}], http: 127.0.0.1:{cloud_http}}}\n")
            self.start([self.binary, "cloud", "-c", "cloud.yaml"], lambda: http_ok(cloud_http), "cloud", watch=False)
            config += f"uplink: {{url: sluice://127.0.0.1:{cloud_port}}}\n"
        (self.folder / "gateway.yaml").write_text(config + RULES)
        self.start([self.binary, "gateway", "-c", "gateway.yaml"], lambda: http_ok(http), "gateway")


class Mosquitto(Server):
    def __init__(self, **options):
        super().__init__("mosquitto", **options)

    def open(self):
        # As root it would become somebody else, who may not read our key.
        config = f"user {getpass.getuser()}\nper_listener_settings false\n"
        for host in self.hosts:
            config += f"listener {self.port} {host}\n" + ("certfile cert.pem\nkeyfile key.pem\n" if self.tls else "")
        (self.folder / "mosquitto.conf").write_text(config + MOSQUITTO)
        self.start([binary_of("mosquitto"), "-c", "mosquitto.conf"], lambda: tcp_open(self.port), "mosquitto")


class MosquittoAndPython(Mosquitto):
    """mosquitto and a Python subscriber that judges each reading and publishes the alerts: the usual way to do the job."""

    def open(self):
        super().open()
        self.name = "mosquitto + Python"
        self.start(["/usr/bin/python3", ROOT / "bench" / "peer_zscore.py", self.port], lambda: self.log_says("python", "ready"), "python")


class Nats(Server):
    def __init__(self, **options):
        super().__init__("nats", **options)

    def open(self):
        tls = ', tls { cert_file: "cert.pem", key_file: "key.pem" }' if self.tls else ""
        (self.folder / "nats.conf").write_text(NATS.format(port=free_port(), mqtt=self.port, tls=tls))
        self.start([binary_of("nats-server"), "-c", "nats.conf"], lambda: tcp_open(self.port), "nats")
