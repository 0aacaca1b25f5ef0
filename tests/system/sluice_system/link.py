"""A network link between a gateway and its cloud that can be cut and restored."""

import selectors
import socket
import threading

from .daemons import free_port


class Link:
    """A TCP proxy on a thread of its own. While cut, existing connections are reset and new ones are refused."""

    def __init__(self, target_port: int):
        self.port = free_port()
        self._target = target_port
        self._lock = threading.Lock()
        self._pairs = {}
        self._listener = None
        self._selector = selectors.DefaultSelector()
        self._wake, self._waker = socket.socketpair()
        self._selector.register(self._wake, selectors.EVENT_READ)
        self._running = True
        self.restore()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._running = False
        self._waker.send(b"x")
        self._thread.join()
        self.cut()
        self._selector.close()

    def restore(self):
        with self._lock:
            if self._listener:
                return
            self._listener = socket.create_server(("127.0.0.1", self.port), reuse_port=False)
            self._selector.register(self._listener, selectors.EVENT_READ)
        self._waker.send(b"x")

    def cut(self):
        with self._lock:
            if self._listener:
                self._selector.unregister(self._listener)
                self._listener.close()
                self._listener = None
            for each in list(self._pairs):
                self._drop(each)
        self._waker.send(b"x")

    def _drop(self, one):
        other = self._pairs.pop(one, None)
        for each in (one, other):
            if each is not None and each.fileno() >= 0:
                self._pairs.pop(each, None)
                self._selector.unregister(each)
                # A reset instead of a clean end, as a broken link looks.
                each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
                each.close()

    def _accept(self):
        client, _ = self._listener.accept()
        try:
            server = socket.create_connection(("127.0.0.1", self._target), timeout=5)
        except OSError:
            client.close()
            return
        server.settimeout(None)
        self._pairs[client], self._pairs[server] = server, client
        self._selector.register(client, selectors.EVENT_READ)
        self._selector.register(server, selectors.EVENT_READ)

    def _run(self):
        while self._running:
            ready = self._selector.select()
            with self._lock:
                for key, _ in ready:
                    self._handle(key.fileobj)

    def _handle(self, ready):
        if ready is self._wake:
            self._wake.recv(4096)
        elif ready is self._listener:
            self._accept()
        elif ready in self._pairs:
            try:
                chunk = ready.recv(65536)
                if chunk:
                    self._pairs[ready].sendall(chunk)
                    return
            except OSError:
                pass
            self._drop(ready)
