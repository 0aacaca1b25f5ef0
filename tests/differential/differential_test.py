"""The rule engine against other engines: the same queries over the same real data give the same rows. See README.md."""

import csv
import functools
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

from reference import data, generated, generated_windows, postgres, query_file
from reference.comparison import difference
from reference.sqlite import Sqlite

HERE = pathlib.Path(__file__).resolve().parent
BINARY = os.environ.get("SLUICE_BINARY", str(data.ROOT / "build" / "dev" / "sluice"))
ALL_SKIPPED = 77  # ctest shows this as skipped

GENERATED_OVER = ("machining", "valve", "speed", "machine", "wear", "bearing")
GENERATED_EACH = 40
WINDOWS_OVER = ("machine", "speed", "valve", "wear")
WINDOWS_EACH = 30


@unittest.skipUnless(data.available(), "needs the shared data; set SLUICE_SHARED to its folder")
class Differential(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="sluice-differential-")
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        cls.tables = {name: data.load(name, cls.folder / f"{name}.csv") for name in data.DATA}
        cls.engines = {}
        for kind in (Sqlite,) if postgres.missing() else (Sqlite, postgres.Postgres):
            engine = kind()
            cls.addClassCleanup(engine.close)
            cls.engines[kind.name] = engine
            for name, table in cls.tables.items():
                engine.load(name, table)

    def ours(self, name: str, rule: str, tables: tuple) -> list:
        options = [part for table in tables for part in ("--table", self.table_file(name, *table))]
        command = [BINARY, "rule", "test", *options, "--sql", rule, self.folder / f"{name}.csv"]
        done = subprocess.run(command, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, f"{rule}\n{done.stderr}")
        return [json.loads(line) for line in done.stdout.splitlines()]

    def table_file(self, name: str, table: str, key: str, query: str) -> str:
        """The table for a join, as SQLite makes it of the data, in a file: what `--table` takes."""
        rows = self.engines["sqlite"].rows(name, query)
        file = self.folder / f"{name}-{table}.csv"
        with open(file, "w", newline="", encoding="utf-8") as out:
            lines = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
            lines.writeheader()
            lines.writerows(rows)
        return f"{table}={file}:{key}"

    def compare(self, name: str, rule: str, references: dict, tables: tuple = ()):
        """`references`: a query for each engine. Those for engines that are not here are left out; without any, the test is skipped."""
        here = {engine: query for engine, query in references.items() if query is not None and engine in self.engines}
        if not here:
            self.skipTest(postgres.missing())
        ours = self.ours(name, rule, tables)
        for engine, query in here.items():
            with self.subTest(engine=engine):
                found = difference(ours, self.engines[engine].rows(name, query), truth_is_number=engine == "sqlite")
                self.assertFalse(found, f"\n{name}: {rule}\n{engine}: {query}")


def add(test_name: str, function):
    name = "test_" + re.sub(r"\W+", "_", test_name)
    if hasattr(Differential, name):
        raise ValueError(f"two tests are called {name}")
    setattr(Differential, name, function)


def add_written(file: pathlib.Path):
    for query in query_file.read(file):
        for name in query.data:
            add(f"{file.stem} {query.title} {name}", lambda self, name=name, query=query: self.compare(
                name, query.rule, query.references, query.tables))


def add_generated(name: str, number: int):
    def test(self):
        # Each query has a seed of its own: adding some changes no other.
        tells = functools.partial(self.engines["sqlite"].tells, name)
        text = generated.Generator(self.tables[name], f"{name} {number}", tells).query()
        self.compare(name, text.ours, {"sqlite": text.sqlite, "postgres": text.postgres})

    add(f"generated {name} {number:03}", test)


def add_generated_window(name: str, number: int):
    def test(self):
        text = generated_windows.query(self.tables[name], f"window {name} {number}")
        self.compare(name, text.ours, {"postgres": text.postgres})

    add(f"windows {name} {number:03}", test)


for path in sorted((HERE / "queries").glob("*.queries")):
    add_written(path)
for source in GENERATED_OVER:
    for count in range(1, GENERATED_EACH + 1):
        add_generated(source, count)
for source in WINDOWS_OVER:
    for count in range(1, WINDOWS_EACH + 1):
        add_generated_window(source, count)


if __name__ == "__main__":
    program = unittest.main(verbosity=2, exit=False)
    outcome = program.result
    if not outcome.wasSuccessful():
        sys.exit(1)
    skipped = outcome.testsRun == 0 or len(outcome.skipped) == outcome.testsRun
    sys.exit(ALL_SKIPPED if skipped else 0)
