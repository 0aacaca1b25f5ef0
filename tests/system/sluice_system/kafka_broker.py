"""One Kafka broker with the rules that librdkafka's own cluster does not keep: producers' sequence numbers, TLS and SASL. It fails as it
is told, before or after it has stored a request. Versions: Produce 3, Metadata 1, InitProducerId 0, SaslHandshake 1, SaslAuthenticate 0.
https://kafka.apache.org/protocol"""

import base64
import hashlib
import hmac
import os
import socketserver
import ssl
import struct
import threading
import zlib

PRODUCE, FETCH, METADATA, SASL_HANDSHAKE, API_VERSIONS, PRODUCER_ID, SASL_AUTHENTICATE = 0, 1, 3, 17, 18, 22, 36
VERSIONS = {PRODUCE: (3, 3), FETCH: (4, 4), METADATA: (0, 1), SASL_HANDSHAKE: (0, 1), API_VERSIONS: (0, 0), PRODUCER_ID: (0, 0),
            SASL_AUTHENTICATE: (0, 0)}
TOO_LARGE, UNSUPPORTED_VERSION, OUT_OF_ORDER, SASL_FAILED, BAD_MECHANISM = 10, 35, 45, 58, 33
STORED = (7, 20)  # REQUEST_TIMED_OUT, NOT_ENOUGH_REPLICAS_AFTER_APPEND: the leader has it, the others may not
MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
CACHED = 5  # batches of a producer that a broker remembers, to tell copies


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, size):
        self.at += size
        return self.data[self.at - size:self.at]

    def number(self, code):
        return struct.unpack(">" + code, self.take(struct.calcsize(">" + code)))[0]

    def text(self):
        size = self.number("h")
        return None if size < 0 else self.take(size).decode()

    def blob(self):
        size = self.number("i")
        return None if size < 0 else self.take(size)

    def varint(self):
        value = shift = 0
        while True:
            byte = self.take(1)[0]
            value |= (byte & 0x7f) << shift
            shift += 7
            if byte < 0x80:
                return (value >> 1) ^ -(value & 1)


def text(value):
    return struct.pack(">h", len(value)) + value.encode()


def array(rows):
    return struct.pack(">i", len(rows)) + b"".join(rows)


def records(batch):
    """Producer (id, epoch), first sequence, and (key, value, headers) of each record of a batch."""
    head = Reader(batch)
    head.take(8 + 4 + 4)
    assert head.number("b") == 2, "a batch of version 2"
    head.take(4)
    compression = head.number("h") & 7
    head.take(4 + 8 + 8)
    producer, sequence, count = (head.number("q"), head.number("h")), head.number("i"), head.number("i")
    body = Reader({0: bytes, 1: lambda data: zlib.decompress(data, 31)}[compression](batch[head.at:]))
    found = []
    for _ in range(count):
        body.varint(), body.take(1), body.varint(), body.varint()
        key, value = body.take(body.varint()), body.take(body.varint())
        headers = {}
        for _ in range(body.varint()):
            name = body.take(body.varint()).decode()
            headers[name] = body.take(body.varint()).decode()
        found.append((key.decode(), value.decode(), headers))
    return producer, sequence, found


class Broker(socketserver.ThreadingTCPServer):
    """`fail` says for each produce request what goes wrong: None, an error of Kafka, "lost" (not stored), "unanswered" (stored); after
    the last two the connection ends. `bytes_max`: of a batch."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, *, fail=lambda: None, bytes_max=None, users=None, context=None, host="127.0.0.1"):
        self.fail, self.bytes_max, self.users, self.context, self.host = fail, bytes_max, users, context, host
        self.lock = threading.Lock()
        self.stored = {}     # by topic: (key, value, headers, producer), in order: one partition
        self.producers = {}  # by (topic, producer id): epoch, the next sequence, what was stored last
        self.failures, self.versions, self.last_producer, self.repeats = {}, set(), 0, 0
        super().__init__(("127.0.0.1", 0), Connection)
        self.port = self.advertised = self.server_address[1]  # `advertised`: where it says that it is
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request, client_address):
        pass  # a client that hangs up is no news

    def stop(self):
        self.shutdown()
        self.server_close()

    def append(self, topic, batch):
        """As Kafka's ProducerAppendInfo: a copy of one of the last batches is not stored again; a hole is refused, but of an unknown
        producer any first number is taken."""
        if self.bytes_max and len(batch) > self.bytes_max:
            self.failures[TOO_LARGE] = self.failures.get(TOO_LARGE, 0) + 1
            return TOO_LARGE
        (producer, epoch), sequence, found = records(batch)
        known = self.producers.get((topic, producer))
        if known and known[0] == epoch:
            if (sequence, len(found)) in known[2]:
                self.repeats += 1
                return 0
            if sequence != known[1]:
                return OUT_OF_ORDER
        elif known and sequence != 0:
            return OUT_OF_ORDER
        last = (known[2] if known and known[0] == epoch else [])[-CACHED + 1:]
        self.producers[topic, producer] = (epoch, sequence + len(found), [*last, (sequence, len(found))])
        self.stored.setdefault(topic, []).extend((*row, producer) for row in found)
        return 0


class Connection(socketserver.BaseRequestHandler):
    def handle(self):
        if self.server.context:
            self.request = self.server.context.wrap_socket(self.request, server_side=True)
        self.file = self.request.makefile("rb")
        self.signed_in, self.mechanism, self.first = self.server.users is None, "", None
        while head := self.file.read(4):
            request = Reader(self.file.read(struct.unpack(">i", head)[0]))
            api, version, correlation = request.number("h"), request.number("h"), request.number("i")
            request.text()
            if not self.signed_in and api not in (API_VERSIONS, SASL_HANDSHAKE, SASL_AUTHENTICATE):
                return
            answer = self.answer(api, version, request)
            if answer is None:
                return
            self.request.sendall(struct.pack(">ii", len(answer) + 4, correlation) + answer)

    def finish(self):
        if self.server.context:
            self.request.close()

    def answer(self, api, version, request):
        if api == API_VERSIONS:
            if version != 0:
                return struct.pack(">hi", UNSUPPORTED_VERSION, 0)
            return struct.pack(">h", 0) + array([struct.pack(">hhh", key, *both) for key, both in VERSIONS.items()])
        return {PRODUCE: self.produce, METADATA: self.metadata, PRODUCER_ID: self.producer_id, SASL_HANDSHAKE: self.handshake,
                SASL_AUTHENTICATE: self.authenticate}[api](request)

    def metadata(self, request):
        count = request.number("i")
        topics = [request.text() for _ in range(count)]
        partition = array([struct.pack(">hii", 0, 0, 1) + array([struct.pack(">i", 1)]) * 2])
        broker = struct.pack(">i", 1) + text(self.server.host) + struct.pack(">ih", self.server.advertised, -1)
        return (array([broker]) + struct.pack(">i", 1) +
                array([struct.pack(">h", 0) + text(name) + b"\0" + partition for name in topics]))

    def producer_id(self, _):
        with self.server.lock:
            self.server.last_producer += 1
            return struct.pack(">ihqh", 0, 0, self.server.last_producer, 0)

    def produce(self, request):
        failure = self.server.fail()
        with self.server.lock:
            self.server.failures[failure] = self.server.failures.get(failure, 0) + 1
        if failure == "lost":
            return None
        request.text(), request.take(2 + 4)
        topics = []
        for _ in range(request.number("i")):
            name, partitions = request.text(), []
            for _ in range(request.number("i")):
                index, batch = request.number("i"), request.blob()
                with self.server.lock:
                    error = failure if isinstance(failure, int) and failure not in STORED else self.server.append(name, batch)
                    error = error or (failure if failure in STORED else 0)
                partitions.append(struct.pack(">ihqq", index, error, 0 if error == 0 else -1, -1))
            topics.append(text(name) + array(partitions))
        return None if failure == "unanswered" else array(topics) + struct.pack(">i", 0)

    def handshake(self, request):
        self.mechanism, self.first = request.text(), None
        return struct.pack(">h", 0 if self.mechanism in MECHANISMS else BAD_MECHANISM) + array([text(each) for each in MECHANISMS])

    def authenticate(self, request):
        said = request.blob()
        try:
            reply = self.plain(said) if self.mechanism == "PLAIN" else self.scram(said.decode())
        except (KeyError, PermissionError):
            return struct.pack(">h", SASL_FAILED) + text("who are you?") + struct.pack(">i", 0)
        return struct.pack(">hhi", 0, -1, len(reply)) + reply

    def plain(self, said):
        _, user, password = said.decode().split("\0")
        if self.server.users[user] != password:
            raise PermissionError
        self.signed_in = True
        return b""

    def scram(self, said):
        """RFC 5802."""
        kind = self.mechanism[6:].replace("-", "").lower()
        if self.first is None:
            bare = said.split(",", 2)[2]
            user, nonce = (part.split("=", 1)[1] for part in bare.split(",")[:2])
            salt = os.urandom(12)
            self.salted = hashlib.pbkdf2_hmac(kind, self.server.users[user].encode(), salt, 4096)
            challenge = f"r={nonce}ours,s={base64.b64encode(salt).decode()},i=4096"
            self.first = bare + "," + challenge
            return challenge.encode()
        without_proof, proof = said.rsplit(",p=", 1)
        signed = f"{self.first},{without_proof}".encode()
        client_key = hmac.new(self.salted, b"Client Key", kind).digest()
        signature = hmac.new(hashlib.new(kind, client_key).digest(), signed, kind).digest()
        if bytes(a ^ b for a, b in zip(base64.b64decode(proof), signature)) != client_key:
            raise PermissionError
        self.signed_in = True
        server_key = hmac.new(self.salted, b"Server Key", kind).digest()
        return b"v=" + base64.b64encode(hmac.new(server_key, signed, kind).digest())


def tls(cert, key, ca=None):
    """`ca`: clients need a certificate of it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    if ca:
        context.load_verify_locations(ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context
