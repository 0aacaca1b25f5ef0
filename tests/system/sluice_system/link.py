"""A network link between a gateway and its cloud: a TCP proxy that can be cut and restored, and that knows the other ways in which
networks fail."""

import asyncio
import random
import socket
import struct
import threading

from .daemons import free_port

UP, DOWN = "up", "down"

# What a link can be. Each may begin and end at any moment, inside any message.
MODES = {
    "pass": "honest",
    "refuse": "connections are reset and new ones refused",
    "black_hole": "nothing is passed on, and nothing is read: connections stand and are silent",
    "swallow": "everything is read and thrown away",
    "lose_acks": "what the cloud answers is thrown away: it stores, and nobody learns of it",
    "half_open": "the cloud's end is gone, the gateway's stands and is silent until the next refusal",
    "half_open_far": "the gateway's end is gone, the cloud's stands and is silent until the next refusal",
    "reset_inside": "each connection is reset after a random number of bytes",
    "delay": "everything is late",
    "drip": "one byte a segment",
}
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: a reset instead of a clean end, as a broken link looks
DELAY_S = 0.15
RESET_BYTES_MAX = 6000


class Link:
    """Runs on a thread of its own. What a mode does at random, it does by the seed."""

    def __init__(self, target_port: int, *, seed: int = 1):
        self.port = free_port()
        self.connections = 0  # taken so far
        self._target = target_port
        self._random = random.Random(seed)
        self._mode = "pass"
        self._listener = None
        self._living, self._dead_ends = set(), set()
        self._loop = asyncio.new_event_loop()
        self._changed = None
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.restore()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.cut()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def restore(self):
        self.become("pass")

    def cut(self):
        self.become("refuse")

    def become(self, mode: str):
        """In force when it returns."""
        assert mode in MODES, mode
        self._wait_for(self._become(mode))

    def _wait_for(self, work):
        asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    async def _become(self, mode):
        self._mode = mode
        if self._changed:
            self._changed.set()
        self._changed = asyncio.Event()
        if mode == "refuse":
            if self._listener:
                self._loop.remove_reader(self._listener)
                self._listener.close()
                self._listener = None
        elif not self._listener:
            self._listener = socket.create_server(("127.0.0.1", self.port), reuse_port=False)
            self._listener.setblocking(False)
            self._loop.add_reader(self._listener, self._accept)
        for each in list(self._living):
            each.on_mode(mode)
        if mode == "refuse":
            for end in self._dead_ends:
                reset(end)
            self._dead_ends.clear()
            while self._living:
                await asyncio.sleep(0)

    def _accept(self):
        try:
            client, _ = self._listener.accept()
        except OSError:
            return
        self.connections += 1
        connection = Connection(self, client, self._random.randrange(1, RESET_BYTES_MAX))
        self._living.add(connection)
        connection.task = self._loop.create_task(connection.run())
        connection.task.add_done_callback(connection.gone)


class Connection:
    """One connection of the gateway and the one to the cloud that belongs to it."""

    def __init__(self, link, client, bytes_left):
        client.setblocking(False)
        self.link, self.client, self.server = link, client, None
        self.bytes_left = bytes_left  # until the reset of `reset_inside`
        self.spoiled = set()          # directions in which bytes are missing: honest they can never be again
        self.kept = None              # the end that outlives the other, silent
        self.task = None

    def on_mode(self, mode):
        if mode == "half_open":
            self.kept = self.client
        elif mode == "half_open_far":
            self.kept = self.server
        if self.spoiled or mode in ("refuse", "half_open", "half_open_far"):
            self.task.cancel()

    async def run(self):
        link = self.link
        if link._mode == "half_open":
            self.kept = self.client
            return
        while link._mode == "black_hole":
            await link._changed.wait()
        self.server = socket.socket()
        self.server.setblocking(False)
        await link._loop.sock_connect(self.server, ("127.0.0.1", link._target))
        for each in (self.client, self.server):
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        pumps = [asyncio.ensure_future(self._pump(self.client, self.server, UP)),
                 asyncio.ensure_future(self._pump(self.server, self.client, DOWN))]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)

    def gone(self, task):
        """Called whatever became of run(), even if it never began."""
        if not task.cancelled():
            task.exception()  # a socket that failed is this connection's end and nothing more
        self.link._living.discard(self)
        for end in (self.client, self.server):
            if end is not None and end is self.kept:
                self.link._dead_ends.add(end)
            elif end is not None:
                reset(end)

    async def _pump(self, source, sink, direction):
        loop = self.link._loop
        while True:
            while self.link._mode == "black_hole":
                await self.link._changed.wait()
            chunk = await loop.sock_recv(source, 65536)
            if not chunk:
                return
            mode = self.link._mode
            if mode == "swallow" or (mode == "lose_acks" and direction == DOWN):
                self.spoiled.add(direction)
            elif direction in self.spoiled:
                return  # TCP leaves nothing out: no byte may follow those that are missing
            elif mode == "drip":
                for at in range(len(chunk)):
                    await loop.sock_sendall(sink, chunk[at:at + 1])
                    await asyncio.sleep(0)
            elif mode == "reset_inside":
                part = chunk[:self.bytes_left]
                self.bytes_left -= len(part)
                await loop.sock_sendall(sink, part)
                if not self.bytes_left:
                    return
            else:
                if mode == "delay":
                    await asyncio.sleep(DELAY_S)
                if self.link._mode == "black_hole":
                    await self.link._changed.wait()
                await loop.sock_sendall(sink, chunk)


def reset(end):
    try:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    except OSError:
        pass
    end.close()
