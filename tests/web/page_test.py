"""The page of a real gateway, in a real browser, with readings from a real client."""

import os
import pathlib
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "system"))
from sluice_system.case import SystemCase, main  # noqa: E402
from sluice_system.daemons import PATIENCE, wait_until  # noqa: E402

CHROMIUM = os.environ.get("SLUICE_CHROMIUM", "/usr/bin/chromium")


class Page(SystemCase):
    def setUp(self):
        super().setUp()
        for needed in (CHROMIUM, "node", "mosquitto_pub"):
            if not shutil.which(needed):
                self.skipTest(f"needs {needed} (./dev setup installs it)")
        if not (HERE / "node_modules" / "playwright-core").exists():
            self.skipTest("needs playwright-core: npm ci in tests/web")

    def test_the_page_shows_readings_alerts_ledger_and_cost_and_survives_a_restart(self):
        cloud = self.cloud()
        gateway = self.gateway(uplink_port=cloud.mqtt_port)
        wait_until(lambda: gateway.status()["uplink"]["connected"], "the uplink connects")
        command = ["node", str(HERE / "page.mjs"), f"http://127.0.0.1:{gateway.http_port}/", str(gateway.mqtt_port)]
        command += [os.environ["SLUICE_WEB_SHOTS"]] if "SLUICE_WEB_SHOTS" in os.environ else []
        browser = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.addCleanup(browser.stdout.close)
        self.addCleanup(browser.wait)
        self.addCleanup(browser.kill)
        said = []
        for line in browser.stdout:
            said.append(line.strip())
            if said[-1] == "stop the gateway":
                self.assertEqual(gateway.stop(), 0)
            elif said[-1] == "start the gateway":
                gateway.start()
        self.assertEqual((browser.wait(PATIENCE), said[-1:]), (0, ["ok"]))


if __name__ == "__main__":
    main()
