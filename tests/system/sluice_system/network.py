"""A cloud on another machine, as far as the kernel can tell: a network namespace at the other end of a virtual cable that can be unplugged
and made slow. Needs root, network namespaces, veth and, for slowness, tbf."""

import os
import subprocess
import unittest

from .mounts import run


class Cable:
    def __init__(self):
        if os.geteuid() != 0:
            raise unittest.SkipTest("needs root, to make network namespaces")
        number = os.getpid() % 16000
        self.namespace, self.near, self.far = f"sluice{number}", f"sn{number}", f"sf{number}"
        # Of 198.18.0.0/15, which is for tests (RFC 2544); four addresses for each process.
        base = 4 * number
        network = f"198.18.{base // 256 % 256}" if base < 65536 else f"198.19.{base // 256 % 256}"
        self.near_address, self.far_address = f"{network}.{base % 256 + 1}", f"{network}.{base % 256 + 2}"
        try:
            run("ip", "netns", "add", self.namespace)
            self.there("true")  # in a changed root it can be made and not entered
            run("ip", "link", "add", self.near, "type", "veth", "peer", "name", self.far, "netns", self.namespace)
        except (RuntimeError, FileNotFoundError) as error:
            self.end()
            raise unittest.SkipTest(f"no network namespaces here: {error}") from error
        run("ip", "address", "add", f"{self.near_address}/30", "dev", self.near)
        run("ip", "link", "set", self.near, "up")
        self.there("ip", "address", "add", f"{self.far_address}/30", "dev", self.far)
        self.there("ip", "link", "set", self.far, "up")
        self.there("ip", "link", "set", "lo", "up")

    def there(self, *command):
        return run(*self.prefix(), *command)

    def prefix(self) -> list:
        return ["ip", "netns", "exec", self.namespace]

    def plug(self, which: str, state: str):
        """`near`: our end goes `down` or `up`, and addresses and routes with it; `far`: only the carrier, as when a switch dies."""
        if which == "near":
            run("ip", "link", "set", self.near, state)
        else:
            self.there("ip", "link", "set", self.far, state)

    def rate(self, value: str | None):
        """Both directions; None: as fast as it goes. Bits beyond a tenth of a second are thrown away."""
        for command, device in ((run, self.near), (self.there, self.far)):
            if value:
                command("tc", "qdisc", "replace", "dev", device, "root", "tbf", "rate", value, "burst", "4kb", "latency", "100ms")
            else:
                command("tc", "qdisc", "del", "dev", device, "root")

    def end(self):
        subprocess.run(["ip", "link", "del", self.near], capture_output=True, check=False)
        subprocess.run(["ip", "netns", "del", self.namespace], capture_output=True, check=False)
