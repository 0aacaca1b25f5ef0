"""A cluster of nats-server with JetStream, and a reader of what a stream holds, by NATS' text protocol."""

import base64
import json
import signal
import socket
import subprocess

from sluice_system.daemons import PATIENCE, free_port, wait_until


class Cluster:
    """`size` servers on this machine, each with its own store."""

    def __init__(self, folder, size=3, *, extra=""):
        self.ports = [free_port() for _ in range(size)]
        self.routes = [free_port() for _ in range(size)]
        self.folder, self.extra = folder, extra
        self.processes = [None] * size

    def start(self):
        for index in range(len(self.ports)):
            self.start_one(index)
        wait_until(self.works, "the cluster has a leader and answers JetStream's questions")
        return self

    def start_one(self, index):
        store = self.folder / f"nats-{index}"
        store.mkdir(exist_ok=True)
        config = store / "nats.conf"
        routes = ", ".join(f'"nats://127.0.0.1:{port}"' for port in self.routes)
        cluster = ""
        if len(self.ports) > 1:
            cluster = f"cluster {{name: plant, listen: \"127.0.0.1:{self.routes[index]}\", routes: [{routes}]}}\n"
        config.write_text(f"server_name: n{index}\nlisten: \"127.0.0.1:{self.ports[index]}\"\njetstream {{store_dir: \"{store}\"}}\n" +
                          cluster + self.extra)
        with open(store / "log", "ab") as log:
            self.processes[index] = subprocess.Popen(["nats-server", "-c", str(config)], stdout=log, stderr=log)

    def end(self, index, how=signal.SIGKILL):
        process = self.processes[index]
        if process and process.poll() is None:
            process.send_signal(signal.SIGCONT)
            process.send_signal(how)
            process.wait(30)

    def pause(self, index):
        """The others see a server that is there and does not answer."""
        self.processes[index].send_signal(signal.SIGSTOP)

    def resume(self, index):
        self.processes[index].send_signal(signal.SIGCONT)

    def end_all(self):
        for index in range(len(self.ports)):
            self.end(index)

    def works(self):
        for port in self.ports:
            try:
                with Connection(port) as connection:
                    if "error" not in connection.ask("$JS.API.INFO"):
                        return True
            except (OSError, EOFError):
                continue
        return False

    def connection(self):
        """To a server that is alive."""
        for port in self.ports:
            try:
                return Connection(port)
            except (OSError, EOFError):
                continue
        raise AssertionError("no server answers")


class Connection:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self.file = self.socket.makefile("rb")
        self.inbox = 0
        if not self.line().startswith("INFO"):
            raise EOFError("no NATS server")
        self.send('CONNECT {"verbose":false,"headers":true,"no_responders":true}\r\nPING\r\n')
        while self.line() != "PONG":
            pass
        self.send("SUB _INBOX.test.* 1\r\n")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()
        self.socket.close()

    def send(self, text):
        self.socket.sendall(text.encode())

    def line(self):
        text = self.file.readline()
        if not text:
            raise EOFError("the server has gone")
        return text.decode().rstrip("\r\n")

    def message(self):
        """(headers, body) of the next one."""
        while True:
            line = self.line()
            if line == "PING":
                self.send("PONG\r\n")
            elif line.startswith(("MSG", "HMSG")):
                words = line.split()
                total = int(words[-1])
                head = int(words[-2]) if words[0] == "HMSG" else 0
                data = self.file.read(total + 2)[:-2]
                return data[:head].decode(), data[head:]

    def ask(self, subject, body=""):
        self.inbox += 1
        self.send(f"PUB {subject} _INBOX.test.{self.inbox} {len(body)}\r\n{body}\r\n")
        headers, answer = self.message()
        return {"error": headers} if "503" in headers.split("\r\n")[0] else json.loads(answer)

    def stream(self, name):
        """(headers, body) of all messages of a stream, in its order."""
        last = self.ask(f"$JS.API.STREAM.INFO.{name}")["state"]["last_seq"]
        found = []
        for number in range(1, last + 1):
            answer = self.ask(f"$JS.API.STREAM.MSG.GET.{name}", json.dumps({"seq": number}))
            message = answer["message"]
            found.append((base64.b64decode(message.get("hdrs", "")).decode(), base64.b64decode(message.get("data", ""))))
        return found
