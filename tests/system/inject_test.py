"""Each call to the disk fails once, in turn, in the real process: the n-th fdatasync, write, open, rename, … for n = 1, 2, … until a run
is over before its turn comes. What was acknowledged stays safe, and the gateway goes on by itself, or does not start and says why.

Needs strace, which makes the calls fail. SLUICE_FAULT_STRIDE: every how-manieth n is tried (15; 1: each one);
SLUICE_FAULT_CALLS: only these calls, by comma. A counter is a thread's own: the n-th of each thread fails.
"""

import concurrent.futures
import os
import shutil
import subprocess
import time
import unittest

from sluice_system.case import SystemCase, main
from sluice_system.daemons import Cloud, Gateway, wait_until
from sluice_system.load import RULES, Load, verify

STRIDE = int(os.environ.get("SLUICE_FAULT_STRIDE", "15"))
ONLY = [name for name in os.environ.get("SLUICE_FAULT_CALLS", "").split(",") if name]
WORKERS = 3
READINGS = 24
# A few readings fill a segment, so that files come and go.
SMALL = "spool: {max_bytes: 1MiB}\n"
FAT_RULES = RULES.replace("SELECT device, n FROM", f"SELECT device, n, '{'x' * 1500}' AS padding FROM")

# All that the gateway asks of the disk (strace -e trace=%file,%desc shows it), and how it can fail.
CALLS = [("fdatasync", "EIO"), ("fsync", "EIO"), ("pwrite64", "EIO"), ("pwrite64", "ENOSPC"), ("openat", "EIO"), ("openat", "EMFILE"),
         ("rename", "EIO"), ("fallocate", "ENOSPC"), ("fallocate", "EIO"), ("ftruncate", "EIO"), ("unlink", "EIO"), ("mkdir", "ENOSPC"),
         ("pread64", "EIO"), ("getdents64", "EIO"), ("newfstatat", "EIO"), ("flock", "EIO")]


def can_inject() -> bool:
    if not shutil.which("strace"):
        return False
    command = ["strace", "-f", "--seccomp-bpf", "-e", "inject=fsync:error=EIO:when=1", "true"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


# SQLite's, in the cloud.
CLOUD_CALLS = [("fdatasync", "EIO"), ("pwrite64", "EIO"), ("pwrite64", "ENOSPC"), ("ftruncate", "EIO"), ("openat", "EIO"),
               ("pread64", "EIO"), ("unlink", "EIO"), ("fsync", "EIO")]


class Injecting(SystemCase):
    def setUp(self):
        super().setUp()
        print(f"SLUICE_FAULT_STRIDE={STRIDE}", flush=True)
        self.runs = self.refused = 0

    def calls(self):
        return [each for each in CALLS if not ONLY or each[0] in ONLY]

    def under_strace(self, daemon, call, error, when):
        daemon.trace = daemon.folder / f"{call}-{error}-{when}.strace"
        daemon.prefix = ["strace", "-D", "-f", "--seccomp-bpf", "-o", str(daemon.trace), "-e", f"trace={call}", "-e",
                         f"inject={call}:error={error}:when={when}"]

    def until_clean(self, scenario, suffix, stride):
        """Runs the scenario for n = 1, 1 + stride, … of each call, some at once, until one of them met no fault."""
        with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
            for call, error in self.calls():
                n, clean = 1, False
                while not clean:
                    gateways = [self.new_daemons(call, error, f"{n + i * stride}{suffix}") for i in range(WORKERS)]
                    for at, hit in zip(gateways, pool.map(scenario, gateways)):
                        self.runs += 1
                        clean = clean or not hit
                        shutil.rmtree(at.data, ignore_errors=True)
                    n += WORKERS * stride
                print(f"{call} {error}: clean below n = {n}", flush=True)
        print(f"{self.runs} runs, {self.refused} of them did not start and said why", flush=True)

    def start_or_refuse(self, at):
        """True if it runs. One that does not start must say so by its exit code and in its log, and start when the disk is well."""
        at.spawn()
        while at.process.poll() is None:
            if at.answers():
                return True
            time.sleep(0.02)
        self.assertGreater(at.process.returncode, 0, f"{at.trace.stem} died of a signal:\n{at.log_tail()}")
        self.assertIn("rror", at.log_tail(), f"{at.trace.stem} ended with {at.process.returncode} and said nothing")
        self.refused += 1
        return False

    def was_hit(self, at):
        return at.trace.exists() and "(INJECTED)" in at.trace.read_text(encoding="utf-8", errors="replace")

    def oracle(self, load, at, store=None):
        try:
            verify(self, load, store or self.store, at, may_lose=["disk_full"] if "ENOSPC" in at.id else [],
                   may_count=["corrupt", "disk_full"], acked_min=READINGS - 1, loud=False)
        except AssertionError as failure:
            raise AssertionError(f"{at.id}: {failure}\n{at.log_tail()}\nledger {at.ledger()['events']}") from failure


@unittest.skipUnless(can_inject(), "needs strace, and the right to trace")
class Injected(Injecting):
    """The gateway's disk."""

    def setUp(self):
        super().setUp()
        self.store = self.cloud()

    def new_daemons(self, call, error, when):
        at = Gateway(self.folder, gateway_id=f"{call}-{error}-{when}".replace("+", "on"), uplink_port=self.store.mqtt_port,
                     uplink_more=", retry_max: 1s", rules=FAT_RULES, extra=SMALL)
        self.addCleanup(at.__exit__)
        self.under_strace(at, call, error, when)
        return at

    def once(self, at):
        """One fault; everything else works."""
        if not self.start_or_refuse(at):
            at.prefix = []
            at.start()
        load = Load(at.mqtt_port, publishers=1, window=3, pause=0.002)
        wait_until(lambda: load.acked_count() >= READINGS, f"{at.id}: acknowledgements\n{at.log_tail()}")
        load.stop()
        wait_until(at.drained, f"{at.id}: everything is in the cloud\n{at.log_tail()}")
        self.oracle(load, at)
        self.assertEqual(at.stop(), 0, f"{at.id}\n{at.log_tail()}")
        at.prefix = []
        at.start()
        wait_until(at.drained, f"{at.id}: after a restart\n{at.log_tail()}")
        self.oracle(load, at)
        at.kill()
        return self.was_hit(at)

    def for_ever(self, at):
        """A disk that is dead from the n-th call on, and well after the machine was switched off and on."""
        if not self.start_or_refuse(at):
            at.prefix = []
            at.start()
        load = Load(at.mqtt_port, publishers=1, window=3, pause=0.002)
        end = time.monotonic() + 2
        wait_until(lambda: load.acked_count() >= READINGS or time.monotonic() > end, "some readings")
        self.assertIsNone(at.process.poll(), f"{at.id} ended:\n{at.log_tail()}")
        self.assertTrue(at.healthy())
        for each in load.publishers:
            each.stopping = True
        at.kill()
        load.stop()
        at.prefix = []
        at.start()
        wait_until(at.drained, f"{at.id}: everything is in the cloud\n{at.log_tail()}")
        with_more = Load(at.mqtt_port, publishers=1, name="q", window=3, pause=0.002)
        wait_until(lambda: with_more.acked_count() >= READINGS, f"{at.id}: works again\n{at.log_tail()}")
        with_more.stop()
        wait_until(at.drained, f"{at.id}: everything is in the cloud\n{at.log_tail()}")
        load.publishers += with_more.publishers
        self.oracle(load, at)
        at.kill()
        return self.was_hit(at)

    def test_the_nth_call_fails_once(self):
        self.until_clean(self.once, "", STRIDE)

    def test_all_calls_from_the_nth_on_fail(self):
        self.until_clean(self.for_ever, "+", 3 * STRIDE)


@unittest.skipUnless(can_inject(), "needs strace, and the right to trace")
class InjectedCloud(Injecting):
    """The cloud's disk."""

    def calls(self):
        return [each for each in CLOUD_CALLS if not ONLY or each[0] in ONLY]

    def new_daemons(self, call, error, when):
        folder = self.folder / f"{call}-{error}-{when}"
        folder.mkdir()
        store = Cloud(folder)
        self.addCleanup(store.__exit__)
        self.under_strace(store, call, error, when)
        at = Gateway(folder, gateway_id=f"{call}-{error}-{when}", uplink_port=store.mqtt_port, rules=RULES,
                     uplink_more=", retry_max: 1s, ack_timeout: 5s")
        self.addCleanup(at.__exit__)
        at.store = store
        return at

    def once(self, at):
        store = at.store
        if not self.start_or_refuse(store):
            store.prefix = []
            store.start()
        at.start()
        load = Load(at.mqtt_port, publishers=1, window=3, pause=0.02)
        wait_until(lambda: load.acked_count() >= READINGS, f"{at.id}: acknowledgements\n{at.log_tail()}")
        load.stop()
        wait_until(at.drained, f"{at.id}: everything is in the cloud\n{at.log_tail()}\n{store.log_tail()}")
        self.oracle(load, at, store)
        self.assertEqual(store.stop(), 0, f"{at.id}\n{store.log_tail()}")
        store.prefix = []
        store.start()
        self.oracle(load, at, store)
        at.kill()
        store.kill()
        return self.was_hit(store)

    def test_the_nth_call_fails_once(self):
        self.until_clean(self.once, "", 3 * STRIDE)


if __name__ == "__main__":
    main()
