"""A small MQTT 3.1.1 client on a plain socket. Unlike a full client it never sends anything twice by itself, so that a test knows exactly
what was sent and what was acknowledged; and it can send nonsense."""

import select
import socket
import struct

CONNACK, PUBLISH, PUBACK, SUBACK, PINGRESP = 2, 3, 4, 9, 13


def remaining(length: int) -> bytes:
    out = bytearray()
    while True:
        length, low = divmod(length, 128)
        out.append(low | (128 if length else 0))
        if not length:
            return bytes(out)


def packet(first: int, body: bytes) -> bytes:
    return bytes([first]) + remaining(len(body)) + body


def text(value: str) -> bytes:
    raw = value.encode()
    return struct.pack(">H", len(raw)) + raw


def connect_packet(client_id: str, *, keep_alive: int = 60, clean: bool = True, level: int = 4, user=None, password=None,
                   will=None) -> bytes:
    """`will`: topic and payload."""
    properties = b"\x00" if level == 5 else b""
    flags = (2 if clean else 0) | (4 if will else 0) | (128 if user is not None else 0) | (64 if password is not None else 0)
    body = text("MQTT") + bytes([level, flags]) + struct.pack(">H", keep_alive) + properties + text(client_id)
    if will:
        body += properties + text(will[0]) + text(will[1])
    for each in (user, password):
        if each is not None:
            body += text(each)
    return packet(0x10, body)


def publish_packet(topic: str, payload: bytes, *, qos: int = 0, packet_id: int = 0, retain: bool = False) -> bytes:
    number = struct.pack(">H", packet_id) if qos else b""
    return packet(0x30 | qos << 1 | int(retain), text(topic) + number + payload)


def subscribe_packet(topic_filter: str, qos: int, *, packet_id: int) -> bytes:
    return packet(0x82, struct.pack(">H", packet_id) + text(topic_filter) + bytes([qos]))


class Client:
    """Blocking. Raises ConnectionError when the server ends the connection."""

    def __init__(self, port: int, client_id: str, *, timeout: float = 60, over: socket.socket | None = None, **connect):
        """`over`: a connection that stands already (TLS, a Unix socket), instead of one to `port`."""
        self.socket = over or socket.create_connection(("127.0.0.1", port), timeout=timeout)
        if not over:
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = b""
        self._next_id = 0
        self.unacked = {}
        self.send(connect_packet(client_id, **connect))
        kind, _, body = self.read()
        if kind != CONNACK or body[1] != 0:
            self.close()
            raise ConnectionError(f"refused: packet {kind}, {body!r}")
        self.session_present = body[0] == 1

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, data: bytes):
        self.socket.sendall(data)

    def read(self):
        """The next packet as (type, flags, body)."""
        while True:
            found = self._take()
            if found:
                return found
            chunk = self.socket.recv(65536)
            if not chunk:
                raise ConnectionError("closed by the server")
            self._buffer += chunk

    def _take(self):
        length, shift, at = 0, 0, 1
        while True:
            if at >= len(self._buffer):
                return None
            byte = self._buffer[at]
            length |= (byte & 127) << shift
            at, shift = at + 1, shift + 7
            if byte < 128:
                break
        if len(self._buffer) < at + length:
            return None
        first, body = self._buffer[0], self._buffer[at:at + length]
        self._buffer = self._buffer[at + length:]
        return first >> 4, first & 15, body

    def publish(self, topic: str, payload: bytes, tag=None, *, retain: bool = False) -> int:
        """QoS 1 without waiting; `tag` comes back when it is acknowledged."""
        self._next_id = self._next_id % 65535 + 1
        self.unacked[self._next_id] = tag
        self.send(publish_packet(topic, payload, qos=1, packet_id=self._next_id, retain=retain))
        return self._next_id

    def publish_qos0(self, topic: str, payload: bytes):
        self.send(publish_packet(topic, payload))

    def has_more(self) -> bool:
        """Something was read or can be read without waiting."""
        return bool(self._buffer) or bool(select.select([self.socket], [], [], 0)[0])

    def next_ack(self):
        """Waits for one PUBACK and returns its tag."""
        while True:
            kind, _, body = self.read()
            if kind == PUBACK:
                return self.unacked.pop(struct.unpack(">H", body[:2])[0])

    def finish(self):
        """Waits until everything published is acknowledged."""
        while self.unacked:
            self.next_ack()

    def ping(self):
        """Returns when the server has read everything sent before."""
        self.send(b"\xc0\x00")
        while self.read()[0] != PINGRESP:
            pass

    def subscribe(self, topic_filter: str, qos: int = 0):
        self._next_id = self._next_id % 65535 + 1
        self.send(subscribe_packet(topic_filter, qos, packet_id=self._next_id))
        while True:
            kind, _, body = self.read()
            if kind == SUBACK:
                if body[2] == 0x80:
                    raise ConnectionError(f"subscription to {topic_filter} refused")
                return

    def next_message(self):
        """The next PUBLISH as (topic, payload); QoS 1 is acknowledged."""
        while True:
            kind, flags, body = self.read()
            if kind == PUBLISH:
                size = struct.unpack(">H", body[:2])[0]
                topic, rest = body[2:2 + size].decode(), body[2 + size:]
                if flags & 6:
                    self.send(packet(0x40, rest[:2]))
                    rest = rest[2:]
                return topic, rest
