"""A test case with a folder of its own, and the runner of a test file."""

import pathlib
import sys
import tempfile
import unittest

from .daemons import SHARED, Cloud, Gateway

ALL_SKIPPED = 77  # ctest shows this as skipped


class SystemCase(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="sluice-system-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def gateway(self, **options) -> Gateway:
        """A running gateway that ends with the test."""
        return self._running(Gateway(self.folder, **options))

    def cloud(self, **options) -> Cloud:
        return self._running(Cloud(self.folder, **options))

    def _running(self, daemon):
        self.addCleanup(daemon.__exit__)
        return daemon.start()

    def shared(self, name: str) -> pathlib.Path:
        """A file of the optional shared data; without it the test is skipped and says so."""
        file = SHARED / name
        if not file.exists():
            self.skipTest(f"needs {name} of the shared data; set SLUICE_SHARED to its folder")
        return file


def main():
    program = unittest.main(module="__main__", verbosity=2, exit=False)
    result = program.result
    if not result.wasSuccessful():
        sys.exit(1)
    sys.exit(ALL_SKIPPED if result.testsRun and len(result.skipped) == result.testsRun else 0)
