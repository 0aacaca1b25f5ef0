"""Other brokers, and who listens to them."""

import collections
import signal
import socket
import struct
import subprocess
import threading
import time

from sluice_system.daemons import PATIENCE, free_port, wait_until
from sluice_system.mqtt import PUBLISH, SUBACK, Client, packet, subscribe_packet


class Mosquitto:
    """Another broker, with sessions that outlive it."""

    def __init__(self, folder, *, extra="", tls=None):
        self.port = free_port()
        self.folder = folder / f"mosquitto-{self.port}"
        self.folder.mkdir()
        self.config = self.folder / "mosquitto.conf"
        self.config.write_text(
            f"user root\nlistener {self.port} 127.0.0.1\npersistence true\npersistence_location {self.folder}/\nautosave_interval 1\n"
            f"max_queued_messages 0\nlog_type all\n" +
            (extra or "allow_anonymous true\n") + (tls or ""))
        self.log = self.folder / "log"
        self.process = None

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(["mosquitto", "-c", str(self.config)], stdout=log, stderr=log)
        wait_until(self.answers, f"mosquitto listens:\n{self.log.read_text()[-2000:]}")
        return self

    def answers(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=5).close()
            return True
        except OSError:
            return False

    def end(self, how=signal.SIGTERM):
        if self.process and self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(30)


class Collector(threading.Thread):
    """Subscribes with a session that is kept (QoS 1 at most), and remembers all payloads that come, however often the broker goes away.
    Once made it is there: the broker has acknowledged the subscription on the connection that it listens on, so QoS 0 arrives, too."""

    def __init__(self, port, name, topic_filter, qos=1):
        super().__init__(daemon=True)
        self.port, self.name_, self.filter, self.qos = port, name, topic_filter, qos
        self._lock, self._seen, self._topics = threading.Lock(), collections.Counter(), collections.Counter()
        self.stopping, self.ready = False, threading.Event()
        self.start()
        if not self.ready.wait(PATIENCE):
            raise AssertionError(f"{name} has no subscription to {topic_filter}")

    @property
    def seen(self):
        """How often each payload has come, as of now: the thread goes on counting."""
        with self._lock:
            return self._seen.copy()

    @property
    def topics(self):
        with self._lock:
            return self._topics.copy()

    def run(self):
        while not self.stopping:
            try:
                with Client(self.port, self.name_, clean=False, timeout=300) as client:
                    if client.session_present:
                        self.ready.set()
                    else:
                        client.send(subscribe_packet(self.filter, self.qos, packet_id=1))
                    while not self.stopping:
                        self.take(client, *client.read())
            except OSError:
                time.sleep(0.05)

    def take(self, client, kind, flags, body):
        if kind == SUBACK and body[2] != 0x80:
            self.ready.set()
        if kind != PUBLISH:
            return
        size = struct.unpack(">H", body[:2])[0]
        topic, rest = body[2:2 + size].decode(), body[2 + size:]
        if flags & 6:
            client.send(packet(0x40, rest[:2]))
            rest = rest[2:]
        payload = rest.decode()
        if flags & 8 and self._seen[payload]:
            return  # the same delivery once more, as our acknowledgement was lost: no second copy
        with self._lock:
            self._seen[payload] += 1
            self._topics[topic] += 1
