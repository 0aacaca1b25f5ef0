"""Commands as a user runs them."""

import json
import signal
import subprocess
import time

from sluice_system.case import SystemCase, main
from sluice_system.daemons import BINARY, PATIENCE, free_port, wait_until
from sluice_system.link import Link
from sluice_system.mqtt import Client

ROWS = 3000


class Commands(SystemCase):
    def table(self, rows=ROWS, step_ms=1):
        """A file of numbered rows, measured `step_ms` apart."""
        file = self.folder / "rows.csv"
        lines = "".join(f"{1700000000000 + i * step_ms};{i};\n" for i in range(rows))
        file.write_text("ts;n;empty\n" + lines, encoding="utf-8")
        return file

    def start(self, *arguments, stdout=subprocess.PIPE):
        process = subprocess.Popen([BINARY, *map(str, arguments)], stdout=stdout, stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.wait)
        if process.stdout:
            self.addCleanup(process.stdout.close)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.kill)
        return process

    def tap(self, gateway, *arguments):
        """A tap that has begun to listen."""
        process = self.start("tap", "--at", gateway.url, *arguments)
        self.assertIn("listening", process.stderr.readline())
        return process

    def fails(self, code, words, *arguments):
        result = subprocess.run([BINARY, *map(str, arguments)], capture_output=True, text=True, timeout=PATIENCE, check=False)
        self.assertEqual(result.returncode, code, result.stderr)
        self.assertEqual(result.stderr.count("\n"), 1, "one line an error")
        self.assertIn(words, result.stderr)

    def test_tap_shows_any_payload_and_ends_after_its_count(self):
        gateway = self.gateway()
        lines = self.tap(gateway, "a/#", "-n", "2")
        objects = self.tap(gateway, "a/#", "-n", "2", "--json")
        with Client(gateway.mqtt_port, "publisher") as client:
            client.publish("a/b", b'{"x":1}')
            client.publish("a/c", b"\x1b[2J\xff")
            client.finish()
        printed, _ = lines.communicate(timeout=PATIENCE)
        self.assertEqual([line.split(" ", 1)[1] for line in printed.splitlines()], ['a/b {"x":1}', "a/c (5 bytes) 1b 5b 32 4a ff"])
        self.assertEqual(lines.returncode, 0)
        first, second = map(json.loads, objects.communicate(timeout=PATIENCE)[0].splitlines())
        self.assertEqual((first["topic"], json.loads(first["payload"])), ("a/b", {"x": 1}))
        self.assertEqual(second["payload_base64"], "G1sySv8=")

    def output(self, *arguments, code=0, given=""):
        result = subprocess.run([BINARY, *map(str, arguments)], capture_output=True, text=True, timeout=PATIENCE, check=False, input=given)
        self.assertEqual(result.returncode, code, result.stderr)
        return result

    def commands(self, *path):
        """All commands, those of groups as pairs."""
        lines = self.output(*path, "--help").stdout.split("Subcommands:\n")
        if len(lines) == 1:
            return [path]
        names = [line.split()[0] for line in lines[1].split("\n\n")[0].splitlines() if line.startswith("  ") and line[2] != " "]
        return [path, *(below for name in names for below in self.commands(*path, name))]

    def test_every_help_ends_with_examples_of_its_own(self):
        found = self.commands()
        self.assertIn(("spool", "cat"), found)
        for path in found[1:]:
            with self.subTest(" ".join(path)):
                examples = self.output(*path, "--help").stdout.split("Examples:\n")[1]
                self.assertIn("sluice " + " ".join(path), examples)

    def test_results_can_be_had_as_json(self):
        written = json.loads(self.output("init", "gateway", self.folder / "plant", "--id", "p7", "--json").stdout)
        self.assertEqual((written["tier"], written["id"], written["config"]), ("gateway", "p7", str(self.folder / "plant/gateway.yaml")))
        users = self.folder / "users.yaml"
        done = json.loads(self.output("passwd", users, "ana", "--stdin", "--json", given="secret\n").stdout)
        self.assertEqual(done, {"user": "ana", "done": "set"})
        right = json.loads(self.output("passwd", users, "ana", "--stdin", "--check", "--json", given="secret\n").stdout)
        self.assertEqual(right, {"user": "ana", "right": True, "disabled": False})
        wrong = json.loads(self.output("passwd", users, "ana", "--stdin", "--check", "--json", given="x\n", code=1).stdout)
        self.assertFalse(wrong["right"])
        rows = self.folder / "rows.ndjson"
        rows.write_text('{"v": 1}\n{"v": "x"}\n[1\n{"v": 3}\n', encoding="utf-8")
        tested = self.output("rule", "test", "--json", "--sql", "SELECT v * 2 AS w FROM 'x' WHERE v > 2", rows)
        warning, counts = map(json.loads, tested.stderr.splitlines())
        self.assertEqual((tested.stdout, warning["line"], counts["rows"], counts["malformed"]), ('{"w":6}\n', 3, 1, 1))
        array = self.output("rule", "test", "--sql", "SELECT a FROM 'x'", "-", given='[{"a":1},{"a":2}]\n[3]\n')
        self.assertEqual(array.stdout, '{"a":null}\n{"a":null}\n')
        self.assertEqual(array.stderr, "<stdin>:1: warning: a JSON array is one reading without fields; "
                                       "expected one JSON object a line, as jq -c '.[]' makes them of an array\n")
        wrong = json.loads(self.output("rule", "test", "--json", "--sql", "SELECT nosuch(v) FROM 'x'", rows, code=2).stderr)
        self.assertEqual((wrong["severity"], wrong["line"], wrong["column"]), ("error", 1, 8))
        gateway = self.gateway(rules="rules: []\n")
        self.assertEqual(json.loads(self.output("reload", "-c", gateway.config, "--json").stdout), {"process": gateway.process.pid})

    def test_rules_can_be_explained(self):
        zscore = "zscore(v, 100) OVER (PARTITION BY topic(2))"
        found = json.loads(self.output("rule", "explain", "--json", "--sql", f"SELECT v FROM 's/+' WHERE {zscore} > 1 + 2",
                                       "--sql", f"SELECT {zscore} AS z FROM 's/+'").stdout)["rules"]
        self.assertEqual([rule["runs"] for rule in found], ["by key", "by key"])
        self.assertEqual(found[0]["where"], f"{zscore} > 3", "constants are computed once")
        self.assertEqual(found[0]["states"][0]["shared_with"], ["rule-2"])
        self.assertGreater(found[0]["bytes_a_key"], 800, "a hundred values of 8 bytes")
        self.assertEqual(found[1]["bytes_a_key"], 0, "it keeps nothing of its own")
        text = self.output("rule", "explain", "--sql", "SELECT max(v) AS m FROM 's/+' GROUP BY HOPPINGWINDOW(ss, 10, 5)").stdout
        self.assertIn("window of 10 s, each 5 s, panes of 5 s", text)
        self.assertIn("new keys are refused", text)
        forgetful = self.gateway(rules="rules:\n  - {id: f, sql: \"SELECT lag(v) OVER (PARTITION BY d) AS l FROM 's'\", to: [{topic: t}], "
                                       "state: {when_full: forget_oldest}}\n")
        self.assertIn("the key that was not seen for longest is forgotten", self.output("rule", "explain", "-c", forgetful.config).stdout)
        self.assertIn("expected -c FILE or --sql SQL", self.output("rule", "explain", code=2).stderr)

    def test_functions_are_listed_searched_and_explained(self):
        everything = [json.loads(line) for line in self.output("rule", "functions", "--json").stdout.splitlines()]
        names = {function["name"] for function in everything}
        self.assertTrue({"abs", "date_trunc", "zscore", "percentile", "unnest"} <= names)
        self.assertIn("regexp_replace", self.output("rule", "functions", "regexp").stdout)
        self.assertNotIn("zscore", self.output("rule", "functions", "regexp").stdout)
        one = self.output("rule", "functions", "DATEPART").stdout  # an alias, in any case
        self.assertIn("date_part(unit, ts[, offset])", one)
        self.assertIn("gives     14", one)
        self.fails(1, "did you mean regexp_matches?", "rule", "functions", "regexp_matchs")

    def test_bash_completes_commands_options_and_functions(self):
        script = self.output("completion", "bash").stdout

        def completed(*words):
            line = " ".join(f"'{word}'" for word in words)
            asked = f"{script}\nCOMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; _sluice; echo ${{COMPREPLY[@]}}"
            result = subprocess.run(["bash", "-c", asked], capture_output=True, text=True, timeout=PATIENCE, check=True)
            self.assertEqual(result.stderr, "")
            return result.stdout.split()

        self.assertEqual(completed("sluice", "comp"), ["completion"])
        self.assertEqual(completed("sluice", "rule", "te"), ["test"])
        self.assertIn("--sql", completed("sluice", "rule", "test", "--topic", "a", "--"))
        self.assertEqual(completed("sluice", "rule", "functions", "regexp_m"), ["regexp_matches"])
        self.assertEqual(completed("sluice", "no-such", "x"), [])

    def test_a_folder_where_no_gateway_has_run_is_the_wrong_one(self):
        config = self.folder / "g.yaml"
        config.write_text(f"gateway: {{id: g, data: {self.folder}/never}}\nlisten: {{mqtt: ['tcp://127.0.0.1:1883']}}\nrules: []\n",
                          encoding="utf-8")
        self.fails(2, "no gateway with this configuration has run yet", "spool", "cat", "-c", config)
        config.write_text(config.read_text().replace(f"{self.folder}/never", "/proc/nope").replace("1883", str(free_port())))
        refused = self.output("gateway", "-c", config, code=2)
        self.assertIn("/proc/nope does not exist and cannot be made there", refused.stderr)

    def test_a_command_that_does_not_exist_is_named(self):
        self.fails(2, "there is no command `keys`; did you mean `key`?", "keys", "--help")
        self.fails(2, "there is no command `nosuch`", "nosuch")
        self.fails(2, "sluice spool: there is no command `stats`; did you mean `stat`?", "spool", "stats", "-c", "g.yaml")

    def test_ctrl_c_ends_tap_well_and_replay_as_unfinished(self):
        gateway = self.gateway()
        tap = self.tap(gateway, "#")
        replay = self.start("replay", self.table(step_ms=60_000), "--to", gateway.url, "--topic", "t")
        self.assertIn('"n":0', tap.stdout.readline())
        tap.send_signal(signal.SIGINT)
        replay.send_signal(signal.SIGINT)
        self.assertEqual(tap.wait(PATIENCE), 0)
        printed, errors = replay.communicate(timeout=PATIENCE)
        self.assertEqual(replay.returncode, 1)
        self.assertIn("stopped before the end", errors)
        self.assertIn("1 rows", printed)

    def test_replay_keeps_the_pace_of_the_file(self):
        gateway = self.gateway()
        start = time.monotonic()
        replay = self.start("replay", self.table(rows=11, step_ms=1000), "--to", gateway.url, "--topic", "t", "--speed", "10", "--json")
        summary = json.loads(replay.communicate(timeout=PATIENCE)[0])
        self.assertEqual(replay.returncode, 0)
        self.assertEqual(summary["acknowledged"], 11)
        self.assertGreaterEqual(time.monotonic() - start, 1.0)  # ten seconds, ten times as fast

    def test_replay_over_a_cut_line_loses_no_row_and_keeps_their_order(self):
        gateway = self.gateway()
        # Into a file: a pipe that nobody reads would make tap a slow subscriber, which may lose messages.
        file = self.folder / "seen.ndjson"
        with open(file, "wb") as out:
            tap = self.start("tap", "--at", gateway.url, "t/#", "--json", "--qos", "1", stdout=out)
            self.assertIn("listening", tap.stderr.readline())
        with Link(gateway.mqtt_port) as link:
            replay = self.start("replay", self.table(), "--to", f"mqtt://127.0.0.1:{link.port}", "--topic", "t/{n}", "--json")
            wait_until(lambda: file.read_bytes().count(b"\n") > ROWS // 3, "a third of the rows")
            link.cut()
            link.restore()
            printed, errors = replay.communicate(timeout=2 * PATIENCE)
        self.assertEqual(replay.returncode, 0, errors)
        summary = json.loads(printed)
        self.assertEqual((summary["rows"], summary["acknowledged"], summary["refused"]), (ROWS, ROWS, 0))
        self.assertIn("connected again", errors)
        wait_until(lambda: f'"t/{ROWS - 1}"'.encode() in file.read_bytes(), "the last row")
        tap.send_signal(signal.SIGINT)
        self.assertEqual(tap.wait(PATIENCE), 0)
        seen = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        rows = [json.loads(message["payload"]) for message in seen]
        self.assertEqual(rows[0], {"ts": 1700000000000, "n": 0, "empty": None})
        self.assertEqual([message["topic"] for message in seen], [f"t/{row['n']}" for row in rows])
        first_seen = list(dict.fromkeys(row["n"] for row in rows))
        self.assertEqual(first_seen, list(range(ROWS)))
        self.assertLessEqual(len(rows) - ROWS, summary["resent"])

    def test_what_goes_wrong_is_said_in_one_line(self):
        nobody = f"mqtt://127.0.0.1:{free_port()}"
        table = self.table(rows=3)
        self.fails(1, "nothing listens at", "tap", "--at", nobody, "#")
        self.fails(2, "is no topic filter", "tap", "a/#/b")
        self.fails(2, "expected mqtt://HOST:PORT", "tap", "--at", "http://x", "#")
        self.fails(1, "nothing listens at", "replay", table, "--to", nobody, "--topic", "t")
        self.fails(2, "does not exist", "replay", self.folder / "none.csv", "--topic", "t")
        self.fails(2, 'no column "device"; it has "ts", "n", "empty"', "replay", table, "--topic", "t/{device}")
        self.fails(2, "no + or #", "replay", table, "--topic", "t/+")
        self.fails(2, "expected a number above 0, or max", "replay", table, "--topic", "t", "--speed", "fast")
        self.fails(2, "'' is no time", "replay", table, "--topic", "t", "--time-column", "empty")


if __name__ == "__main__":
    main()
