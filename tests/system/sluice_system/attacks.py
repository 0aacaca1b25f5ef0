"""What hostile and broken clients do, each as a function (port, stop) that goes on until stop() is true. For bystander_test.py and
bench/hostile.py: the point is what happens to the others meanwhile."""

import contextlib
import multiprocessing
import os
import random
import resource
import select
import socket
import struct
import warnings

from .mqtt import connect_packet, packet, publish_packet, text

NICE = 19  # an attacker has a machine of its own: it must not take the CPU that the gateway and its clients need
HALF_OPEN = 2000
FILTERS = 100_000
LARGE = 40 * 1024 * 1024


def dial(port: int, data: bytes = b"") -> socket.socket:
    raw = socket.create_connection(("127.0.0.1", port), timeout=30)
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if data:
        raw.sendall(data)
    return raw


def reset(raw: socket.socket):
    """Ends a connection as a crash does."""
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    raw.close()


def pour(raw: socket.socket, data: bytes, stop) -> bool:
    """Sends all of it, reading away what comes; false when the other side has ended the connection."""
    raw.setblocking(False)
    left = memoryview(data)
    while len(left) and not stop():
        readable, writable, _ = select.select([raw], [raw], [], 0.2)
        try:
            if readable and not raw.recv(1 << 20):
                return False
            if writable:
                left = left[raw.send(left[: 1 << 18]):]
        except BlockingIOError:
            pass
        except OSError:
            return False
    return True


def drain(sockets, seconds: float = 0.05) -> list:
    """Reads what is there; returns those that are closed."""
    closed = []
    poll = select.poll()
    by_number = {each.fileno(): each for each in sockets}
    for number in by_number:
        poll.register(number, select.POLLIN)
    for number, _ in poll.poll(int(seconds * 1000)):
        try:
            if not by_number[number].recv(1 << 20):
                closed.append(by_number[number])
        except OSError:
            closed.append(by_number[number])
    return closed


def half_open_connections(port, stop):
    """2,000 connections that never say who they are; each that is closed for it comes again."""
    held = []
    while not stop():
        while len(held) < HALF_OPEN and not stop():
            held.append(dial(port, connect_packet("half")[: len(held) % 12]))
        for each in drain(held):
            each.close()
            held.remove(each)


def slow_bytes(port, stop):
    """300 clients that send a byte at a time, without end."""
    held = [[dial(port), 0] for _ in range(300)]
    streams = [connect_packet(f"slow{number}") + publish_packet(f"slow/{number}", b"x" * 40, qos=1, packet_id=1) * 1000
               for number in range(len(held))]
    while not stop():
        for each, stream in zip(held, streams, strict=True):
            try:
                each[0].sendall(stream[each[1]:each[1] + 1])
                each[1] = (each[1] + 1) % len(stream)
            except OSError:
                each[0].close()
                each[:] = [dial(port), 0]
        drain([each[0] for each in held], 0.01)


PACKETS = (
    connect_packet("cut", will=("cut/will", "gone"), user="somebody", password="secret"),
    publish_packet("cut/topic", b"payload", qos=2, packet_id=7),
    packet(0x82, b"\x00\x01" + text("cut/+/#") + b"\x01" + text("cut/two") + b"\x02"),
    packet(0xA2, b"\x00\x02" + text("cut/two")),
    packet(0x62, b"\x00\x07"),
)


def cut_packets(port, stop):
    """Every kind of packet cut at every byte, and the connection reset there."""
    while not stop():
        for number, whole in enumerate(PACKETS):
            before = connect_packet("cut") if number else b""
            for end in range(len(whole)):
                if stop():
                    return
                reset(dial(port, before + whole[:end]))


def invalid_text(port, stop):
    """Topics, filters, client ids and wills that are no UTF-8."""
    bad = (b"\xff\xfe", b"\xc3\x28", b"\xed\xa0\x80", b"\x00", b"\xf4\x90\x80\x80")
    while not stop():
        for each in bad:
            raw = struct.pack(">H", len(each)) + each
            for data in (packet(0x30, raw + b"x"), packet(0x82, b"\x00\x01" + raw + b"\x00"), packet(0x32, raw + b"\x00\x01x"),
                         packet(0x10, text("MQTT") + b"\x04\x02\x00\x3c" + raw)):
                with contextlib.suppress(OSError), dial(port, (b"" if data[0] == 0x10 else connect_packet("bad")) + data) as raw_socket:
                    raw_socket.settimeout(5)
                    while raw_socket.recv(4096):
                        pass
                if stop():
                    return


def deep_topics(port, stop):
    """Topics of 65,535 slashes and filters of 64 levels, by the thousand, retained and not."""
    raw = dial(port, connect_packet("deep"))
    for levels in range(1, 64):
        raw.sendall(packet(0x82, b"\x00\x01" + text("/".join("+" * levels)) + b"\x00" + text("/".join("+" * levels) + "/#") + b"\x00"))
    number = 0
    while not stop():
        number += 1
        batch = b"".join(publish_packet(name, b"x", retain=bool(number % 2)) for name in
                         ("/" * 65000, "/".join("a" * 64), "a/" * 32 + str(number), "/" * (60000 + number % 5000)))
        if not pour(raw, batch * 4, stop):
            raw.close()
            raw = dial(port, connect_packet("deep"))


def take_overs(port, stop):
    """Eight client ids, each taken over as fast as connections can be made; every one that is left behind has a will."""
    held = []
    number = 0
    while not stop():
        number += 1
        held.append(dial(port, connect_packet(f"twin{number % 8}", will=("storm/will", "taken over"), clean=number % 16 < 8)))
        if len(held) > 64:
            for each in drain(held, 0):
                each.close()
                held.remove(each)


def all_filters(port, stop):
    """100,000 filters, in packets as large as they may be, until each is refused; then away with them and again. `#` and `+/+/…` too."""
    batches = [packet(0x82, b"\x00\x01" + b"".join(text(f"b/{n}/+/#") + b"\x02" for n in range(first, first + 10_000)))
               for first in range(0, FILTERS, 10_000)]
    wild = packet(0x82, b"\x00\x01" + text("#") + b"\x00" + b"".join(text("/".join("+" * n)) + b"\x00" for n in range(1, 65)))
    number = 0
    while not stop():
        number += 1
        raw = dial(port, connect_packet(f"bomber{number % 20}", clean=number % 4 != 0))
        for each in (wild, *batches):
            if not pour(raw, each, stop):
                break
        raw.close()


def many_sessions_of_filters(port, stop):
    """100 clients with 1,000 filters each that stay, then all leave at once."""
    while not stop():
        held = []
        for client in range(FILTERS // 1000):
            raw = dial(port, connect_packet(f"subscriber{client}"))
            held.append(raw)
            filters = b"".join(text(f"c/{client}/{n}/+") + b"\x01" for n in range(1000))
            if stop() or not pour(raw, packet(0x82, b"\x00\x01" + filters), stop):
                break
        drain(held, 0.2)
        for each in held:
            reset(each)


def retained_messages(port, stop):
    """Retained messages under ever new topics, and clients that subscribe to all of them again and again."""
    writer = dial(port, connect_packet("retainer"))
    number = 0
    while not stop():
        batch = b"".join(publish_packet(f"kept/{number + n}", b"r" * 600, retain=True) for n in range(500))
        number += 500
        if not pour(writer, batch, stop):
            writer.close()
            writer = dial(port, connect_packet("retainer"))
        with dial(port, connect_packet(f"collector{number % 7}")) as reader:
            pour(reader, packet(0x82, b"\x00\x01" + text("kept/#") + b"\x01"), stop)
            drain([reader], 0.05)


def wills(port, stop):
    """500 clients with a will of 30,000 bytes each that all vanish at once."""
    number = 0
    while not stop():
        held = []
        while len(held) < 500 and not stop():
            number += 1
            held.append(dial(port, connect_packet(f"dying{number % 1000}", will=(f"wills/{number % 50}", "w" * 30_000))))
        for each in held:
            reset(each)


def forty_megabytes_unread(port, stop):
    """Clients that want everything and read nothing, and 40 MB for each of them."""
    deaf = []
    for number in range(8):
        raw = dial(port, connect_packet(f"deaf{number}", clean=number % 2 == 0))
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.sendall(packet(0x82, b"\x00\x01" + text("flood/#") + bytes([number % 3])))
        deaf.append(raw)
    while not stop():
        writer = dial(port, connect_packet("source"))
        payload = b"f" * 100_000
        for _ in range(LARGE // len(payload)):
            if stop() or not pour(writer, publish_packet("flood/x", payload), stop):
                break
        writer.close()


def garbage(port, stop):
    """Random bytes behind a CONNECT."""
    chance = random.Random(1)
    while not stop():
        with contextlib.suppress(OSError), dial(port, connect_packet("noise") + chance.randbytes(chance.randrange(1, 4000))) as raw:
            drain([raw], 0.001)


ALL = (half_open_connections, slow_bytes, cut_packets, invalid_text, deep_topics, take_overs, all_filters, many_sessions_of_filters,
       retained_messages, wills, forty_megabytes_unread, garbage)


def _run(attack, port, stop, nice):
    warnings.simplefilter("ignore", ResourceWarning)  # an attacker does not clean up
    os.nice(nice)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(8192, hard), hard))
    while not stop.is_set():
        with contextlib.suppress(OSError):  # closed while it was being attacked: again
            attack(port, stop.is_set)


@contextlib.contextmanager
def under(attack, port: int, *, nice: int = NICE):
    """An attack by a process of its own while the block runs."""
    context = multiprocessing.get_context("fork")
    stop = context.Event()
    process = context.Process(target=_run, args=(attack, port, stop, nice), daemon=True)
    process.start()
    try:
        yield process
    finally:
        stop.set()
        process.join(20)
        if process.is_alive():
            process.kill()
            process.join()
