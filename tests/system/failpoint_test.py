"""Dying at each place that has a name (src/base/fail_point.hpp), under load with rule state, kept sessions and rules that change: what was
acknowledged is there once and in order afterwards."""

import json
import os
import re
import subprocess
import time
import urllib.request

from sluice_system.case import SystemCase, main
from sluice_system.daemons import BINARY, Cloud, Gateway, wait_until
from sluice_system.load import RULES, Load, verify
from sluice_system.mqtt import Client

CHAIN = RULES.replace("SELECT device, n FROM 'load/+'\", to: [{cloud: alert}",
                      "SELECT device, n, lag(n) OVER (PARTITION BY device) AS before FROM 'load/+'\", to: [{cloud: alert}")
# Small segments that are soon full; checkpoints every second.
EXTRA = "spool: {max_bytes: 8MiB}\nstate: {checkpoint: 1s}\nlimits: {queue_messages: 1000000, queue_bytes: 64MiB}\n"
VISITS = [int(each) for each in os.environ.get("SLUICE_VISITS", "2").split(",")]


def places(tier) -> list:
    said = subprocess.run([BINARY, tier, "-c", "none.yaml"], env={**os.environ, "SLUICE_FAILPOINT": "?"}, capture_output=True, text=True,
                          timeout=60)
    assert said.returncode == 2, said
    return re.findall(rf"^  (\S+) \({tier}\)", said.stderr, re.MULTILINE)


class FailPoints(SystemCase):
    def change_a_rule(self, at, number):
        """As somebody would who changes rules while it runs; the gateway may die of it."""
        body = json.dumps({"sql": f"SELECT n FROM 'nothing' WHERE n > {number}", "to": [{"topic": "nowhere"}]}).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{at.http_port}/api/v1/rules/changing", data=body, method="PUT")
        try:
            urllib.request.urlopen(request, timeout=10).close()
        except OSError:
            pass

    def visited(self, daemon, at):
        """It has died, and of this."""
        begin = time.monotonic()
        number = 0
        while daemon.process.poll() is None:
            if time.monotonic() - begin > 60:
                self.fail(f"never got there:\n{daemon.log_tail()}")
            self.change_a_rule(at, number)
            number += 1
            time.sleep(0.2)
        self.assertEqual(daemon.process.returncode, -9)
        self.assertIn("SLUICE_FAILPOINT: ends here, as asked", daemon.log_tail(5))

    def pair(self, name):
        folder = self.folder / name.replace(":", "-")
        folder.mkdir()
        store = Cloud(folder)
        self.addCleanup(store.__exit__)
        at = Gateway(folder, uplink_port=store.mqtt_port, uplink_more=", retry_max: 1s, ack_timeout: 5s", rules=CHAIN, extra=EXTRA)
        self.addCleanup(at.__exit__)
        return store, at

    def die(self, name, of):
        store, at = self.pair(name)
        daemon = at if of == "gateway" else store
        store.start()
        at.start()
        with Client(at.mqtt_port, "keeps", clean=False) as keeps:
            keeps.subscribe("load/#", qos=1)
        # Armed when everything is there, so that it dies of work and not of the start.
        daemon.stop()
        daemon.environment = {"SLUICE_FAILPOINT": name}
        daemon.spawn()
        load = Load(at.mqtt_port, window=32, reading=lambda device, n: {"device": device, "n": n, "fat": "x" * 1000})
        self.visited(daemon, at)
        daemon.environment = {}
        daemon.start()
        begin = load.acked_count()
        wait_until(lambda: load.acked_count() > begin + 100, f"{name}: it works again:\n{at.log_tail()}")
        load.stop()
        wait_until(at.drained, f"{name}: everything is in the cloud:\n{at.log_tail()}")
        verify(self, load, store, at, loud=False)
        self.kept(at, load, name)
        at.stop()
        store.stop()
        return len(load.acked())

    def kept(self, at, load, name):
        """What was acknowledged waits for the session that is kept."""
        missing = load.acked()
        with Client(at.mqtt_port, "keeps", clean=False) as keeps:
            self.assertTrue(keeps.session_present)
            try:
                while missing:
                    data = json.loads(keeps.next_message()[1])
                    missing.discard((data["device"], data["n"]))
            except TimeoutError:
                pass  # then the next line says what is missing
        self.assertEqual(missing, set(), f"{name}: acknowledged, and does not wait for the subscriber")

    def test_each_place_of_the_gateway_is_visited_and_survived(self):
        for place in places("gateway"):
            for visit in VISITS:
                with self.subTest(place=place, visit=visit):
                    acked = self.die(f"{place}:{visit}", "gateway")
                    print(f"{place}:{visit}: {acked} acknowledged", flush=True)

    def test_each_place_of_the_cloud_is_visited_and_survived(self):
        for place in places("cloud"):
            for visit in VISITS:
                with self.subTest(place=place, visit=visit):
                    acked = self.die(f"{place}:{visit}", "cloud")
                    print(f"{place}:{visit}: {acked} acknowledged", flush=True)

    def test_a_name_that_is_none_is_refused_with_all_that_there_are(self):
        said = subprocess.run([BINARY, "gateway", "-c", "none.yaml"], env={**os.environ, "SLUICE_FAILPOINT": "here:x"}, capture_output=True,
                              text=True, timeout=60)
        self.assertEqual(said.returncode, 2)
        self.assertIn("expected NAME or NAME:VISIT of a place in a gateway, found `here:x`", said.stderr)
        self.assertGreaterEqual(len(places("gateway")) + len(places("cloud")), 15)


if __name__ == "__main__":
    main()
