"""Clouds of every kind as one sees them from a gateway: what to write under `uplink`, and which events have arrived."""

import http.server
import json
import shutil
import signal
import socketserver
import threading

from . import kafka, kafka_broker
from .brokers import Collector, Mosquitto
from .certificates import Authority
from .daemons import free_port
from .load import gaps
from .nats import Cluster


class Peer:
    """`port`: where it listens; events travel there through whatever stands between. `case`: the test that it ends with."""

    scheme, host, more = "", "127.0.0.1", ""

    def __init__(self, case):
        self.folder = case.folder
        self.authority = None

    def uplink(self, port) -> str:
        """The keys of an uplink that reaches it by this port."""
        return f"url: '{self.scheme}://{self.host}:{port}', retry_max: 1s, ack_timeout: 2s{self.more}"

    def messages(self) -> list:
        """What has arrived, decoded, in its order; copies and all."""
        raise NotImplementedError

    def arrived(self, event_class) -> list:
        """(epoch, seq, data) and (epoch, seq, None) for each number of a gap, in the order of arrival."""
        found = []
        for message in self.messages():
            if message.get("class") != event_class:
                continue
            for event in message.get("events", [message]):
                if "gap" in event:
                    found += [(message["epoch"], n, None) for n in range(event["gap"]["first"], event["gap"]["last"] + 1)]
                else:
                    found.append((message["epoch"], event["seq"], event["data"]))
        return found

    def secure(self):
        """Certificates: of the server, as paths."""
        self.authority = Authority(self.folder)
        return self.authority.issue("server")

    def identity(self, name) -> str:
        cert, key = self.authority.issue(name)
        return f", ca: {self.authority.cert}, cert: {cert}, key: {key}"


class SluiceCloud(Peer):
    scheme = "sluice"

    def __init__(self, case):
        super().__init__(case)
        self.store = case.cloud(**self.options())
        self.port = self.store.mqtt_port

    def options(self) -> dict:
        return {}

    def arrived(self, event_class):
        told = [(epoch, n, None) for name, epoch, first, last, _ in gaps(self.store, "plant-7") if name == event_class
                for n in range(first, last + 1)]
        return told + [(event["epoch"], event["seq"], event["data"]) for event in self.store.events(**{"class": event_class})]


class SluiceCloudTls(SluiceCloud):
    scheme, host = "sluices", "localhost"

    def options(self):
        cert, key = self.secure()
        self.more = self.identity("plant-7")
        return {"listener": f"{{url: 'tls://HOST:PORT', cert: {cert}, key: {key}, ca: {self.authority.cert}, require_client_cert: true}}"}


class Broker(Peer):
    scheme = "mqtt"
    needs = "mosquitto"

    def __init__(self, case):
        super().__init__(case)
        self.broker = Mosquitto(case.folder, **self.options())
        case.addCleanup(self.broker.end, signal.SIGKILL)
        self.broker.start()
        self.port = self.broker.port
        self.collector = Collector(self.plain_port(), "data-centre", "sluice/#")

    def options(self) -> dict:
        return {}

    def plain_port(self):
        return self.port

    def messages(self):
        return [json.loads(text) for text in self.collector.seen]


class OldBroker(Broker):
    more = ", version: 3.1.1"


class BrokerAsAws(Broker):
    """Mutual TLS, its settings as AWS IoT Core's; a second listener lets the test look."""

    scheme, host = "aws", "localhost"

    def options(self):
        cert, key = self.secure()
        self.more = self.identity("plant-7")
        self.look = free_port()
        return {"extra": "per_listener_settings false\nallow_anonymous true\n",
                "tls": f"cafile {self.authority.cert}\ncertfile {cert}\nkeyfile {key}\nrequire_certificate true\n"
                       f"listener {self.look} 127.0.0.1\n"}

    def plain_port(self):
        return self.look


class JetStream(Peer):
    scheme = "nats"
    needs = "nats-server"

    def __init__(self, case):
        super().__init__(case)
        self.cluster = Cluster(case.folder, 1)
        case.addCleanup(self.cluster.end_all)
        self.cluster.start()
        self.port = self.cluster.ports[0]

    def messages(self):
        with self.cluster.connection() as connection:
            if "error" in connection.ask("$JS.API.STREAM.INFO.SLUICE"):
                return []  # nothing was sent yet
            return [json.loads(body) for _, body in connection.stream("SLUICE")]


class HttpReceiver(Peer):
    scheme = "http"

    def __init__(self, case):
        super().__init__(case)
        self.stored, self.lock = [], threading.Lock()
        peer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_HEAD(self):
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                with peer.lock:
                    peer.stored.append(json.loads(body))
                self.do_HEAD()

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = daemon_threads = True

            def handle_error(self, request, client_address):
                pass  # a link that breaks is no news

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        case.addCleanup(self.server.server_close)
        case.addCleanup(self.server.shutdown)

    def messages(self):
        with self.lock:
            return list(self.stored)


class KafkaBroker(Peer):
    """By Kafka's protocol; it says that it is where the link is, or everything would pass the link by."""

    scheme, more = "kafka", ", compression: gzip"

    def __init__(self, case):
        super().__init__(case)
        self.broker = kafka_broker.Broker()
        case.addCleanup(self.broker.stop)
        self.port = self.broker.port

    def uplink(self, port):
        self.broker.advertised = port
        return super().uplink(port)

    def messages(self):
        with self.broker.lock:
            return [json.loads(value) for rows in self.broker.stored.values() for _, value, *_ in rows]


def missing(kind) -> str:
    """What would have to be installed for it; empty: nothing."""
    if kind is KafkaBroker and kafka.not_built():
        return kafka.not_built().removeprefix("needs ")
    needs = getattr(kind, "needs", "")
    return "" if not needs or shutil.which(needs, path="/usr/bin:/usr/sbin:/usr/local/bin") else needs
