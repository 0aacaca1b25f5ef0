"""Eclipse paho's C client (paho_c/paho_c_client.c says what it does) over TCP, TLS and WebSocket."""

import os
import pathlib
import subprocess

from sluice_system.case import SystemCase, main
from sluice_system.certificates import Authority
from sluice_system.daemons import BINARY, PATIENCE, free_port

PROGRAM = pathlib.Path(os.environ.get("SLUICE_PAHO_C", pathlib.Path(BINARY).parent / "paho_c_client"))


class PahoC(SystemCase):
    def test_all_that_a_client_does_over_every_transport(self):
        if not PROGRAM.exists():
            self.skipTest(f"needs {PROGRAM.name}, which is built where Debian's libpaho-mqtt-dev is")
        authority = Authority(self.folder)
        cert, key = authority.issue("server")
        tls, ws, wss = free_port(), free_port(), free_port()
        # Such a library sends an origin though it is no browser: docs/listeners.md.
        at = self.gateway(rules="rules: []\n", extra="auth: {anonymous: true}\n", listeners=[
            f"{{url: 'tls://127.0.0.1:{tls}', cert: {cert}, key: {key}}}",
            f"ws://127.0.0.1:{ws}",
            f"{{url: 'wss://127.0.0.1:{wss}', cert: {cert}, key: {key}}}"])
        arguments = {
            "tcp": [f"tcp://127.0.0.1:{at.mqtt_port}"],
            "tls": [f"ssl://127.0.0.1:{tls}", str(authority.cert)],
            "ws": [f"ws://127.0.0.1:{ws}/mqtt"],
            "wss": [f"wss://127.0.0.1:{wss}/mqtt", str(authority.cert)],
        }
        # Side by side: the library takes its time (it looks once a second).
        running = {name: subprocess.Popen([str(PROGRAM), name, *rest], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
                   for name, rest in arguments.items()}
        for each in running.values():
            self.addCleanup(each.wait)
            self.addCleanup(each.kill)
        for name, each in running.items():
            with self.subTest(name):
                said, _ = each.communicate(timeout=4 * PATIENCE)
                self.assertEqual((each.returncode, said), (0, "ok\n"), at.log_tail())
        self.assertEqual(at.stop(), 0)


if __name__ == "__main__":
    main()
