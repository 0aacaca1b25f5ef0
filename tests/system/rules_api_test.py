"""Rules are changed while readings come in: none is lost or counted twice, and what was acknowledged is there after kill -9.

SLUICE_RULE_CHANGES sets how often rules are changed and reloaded (100), SLUICE_KILLS how often the gateway is killed (10); SLUICE_SEED
repeats a run's moments as far as an operating system lets one.
"""

import contextlib
import http.client
import json
import os
import random
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

from sluice_system.case import SystemCase, main
from sluice_system.daemons import BINARY, PATIENCE, wait_until
from sluice_system.mqtt import Client

CHANGES = int(os.environ.get("SLUICE_RULE_CHANGES", "100"))
KILLS = int(os.environ.get("SLUICE_KILLS", "10"))
SEED = int(os.environ.get("SLUICE_SEED", "0")) or random.SystemRandom().randrange(1, 2**32)
SHARDS = 4

# `each` and `windows` are never touched. The key of `windows` has nothing to do with the client: most readings cross shards.
RULES = """rules:
  - {id: each, sql: "SELECT c, n FROM 'in/+'", to: [{cloud: sample}]}
  - id: windows
    sql: "SELECT k, min(n) AS first, max(n) AS last, count(*) AS size FROM 'in/+' GROUP BY k, COUNTWINDOW(10)"
    to: [{cloud: aggregate}]
"""


class Calls:
    """The API of one gateway."""

    def __init__(self, gateway):
        self.gateway = gateway

    def __call__(self, method, path, body=None, **headers):
        data = body.encode() if isinstance(body, str) else None if body is None else json.dumps(body).encode()
        url = f"http://127.0.0.1:{self.gateway.http_port}/api/v1/rules{path}"
        request = urllib.request.Request(url, data=data, method=method, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.loads(error.read())

    def put(self, name, sql, *to):
        return self("PUT", f"/{name}", {"sql": sql, "to": list(to) or [{"cloud": "alert"}]})


class Publisher(threading.Thread):
    """Numbered readings at speed; remembers how many were acknowledged (all of them, in order)."""

    def __init__(self, port, name, key):
        super().__init__(daemon=True)
        self.port, self.name_, self.key, self.sent, self.stopping, self.failure = port, name, key, 0, False, None

    def run(self):
        try:
            with Client(self.port, self.name_, timeout=PATIENCE) as client:
                while not self.stopping:
                    while len(client.unacked) < 64:
                        client.publish(f"in/{self.name_}", json.dumps({"c": self.name_, "k": self.key, "n": self.sent}).encode())
                        self.sent += 1
                    client.next_ack()
                client.finish()
        except Exception as error:  # a broken connection must not look like a quiet publisher
            self.failure = error


class RulesUnderLoad(SystemCase):
    def setUp(self):
        super().setUp()
        print(f"SLUICE_SEED={SEED} SLUICE_RULE_CHANGES={CHANGES} SLUICE_KILLS={KILLS}", flush=True)
        self.random = random.Random(SEED)
        self.store = self.cloud()
        self.at = self.gateway(uplink_port=self.store.mqtt_port, rules=RULES, extra_gateway=f"shards: {SHARDS}")
        self.call = Calls(self.at)

    def reload(self):
        def reloads():
            return self.at.log.read_text(encoding="utf-8").count("reload: 2 rules in force")

        before = reloads()
        self.at.process.send_signal(signal.SIGHUP)
        return lambda: wait_until(lambda: reloads() > before, "the reload is through")

    def good(self, answer, status=200):
        self.assertEqual(answer[0], status, answer[1])
        return answer[1]

    def test_no_reading_is_lost_or_counted_twice(self):
        publishers = [Publisher(self.at.mqtt_port, f"p{i}", f"k{i}") for i in range(3)]
        for each in publishers:
            each.start()
        # What the changed rule must say of each reading of ours: its version, and the number before that it saw; nothing where it is not.
        expected, number, version, running, seen_before = [], 0, 0, False, None
        with Client(self.at.mqtt_port, "main") as client:
            for turn in range(CHANGES):
                wait = self.reload() if turn % 2 else None  # at the same time as the change
                action = self.random.choice(["put", "put", "pause", "resume", "remove"])
                there = version != 0
                if action == "put" or not there:
                    version += 1
                    sql = f"SELECT c, n, {version} AS v, lag(n) OVER (PARTITION BY c) AS before FROM 'in/+'"
                    self.good(self.call.put("changed", sql), 200 if there else 201)
                    if not there:
                        running, seen_before = True, None
                elif action == "remove":
                    self.good(self.call("DELETE", "/changed"))
                    version, running, seen_before = 0, False, None
                else:
                    self.good(self.call("POST", f"/changed/{action}"))
                    running = action == "resume"
                for _ in range(20):
                    client.publish("in/main", json.dumps({"c": "main", "k": "km", "n": number}).encode())
                    if running:
                        expected.append({"c": "main", "n": number, "v": version, "before": seen_before})
                        seen_before = number
                    number += 1
                client.finish()
                (wait or self.reload())()
        for each in publishers:
            each.stopping = True
        for each in publishers:
            each.join(PATIENCE)
            self.assertIsNone(each.failure)
        wait_until(self.at.drained, "everything is in the cloud")
        sent = {each.name_: each.sent for each in publishers} | {"main": number}
        self.assertGreater(min(each.sent for each in publishers), 500, "the load must have got somewhere")
        self.verify_untouched(sent)
        self.verify_changed(expected, sent)
        counters = self.call("GET", "/each")[1]["counters"]
        self.assertEqual((counters["evaluated"], counters["rows"]), (sum(sent.values()),) * 2, "counters go on over changes")
        print(f"{CHANGES} changes and reloads, {sum(sent.values())} readings", flush=True)

    def verify_untouched(self, sent):
        seen = [(event["data"]["c"], event["data"]["n"]) for event in self.store.events(**{"class": "sample"})]
        self.assertEqual(len(seen), len(set(seen)), "a reading was evaluated twice")
        self.assertEqual(set(seen), {(name, n) for name, count in sent.items() for n in range(count)}, "a reading was lost")
        following = {}
        for event in self.store.events(**{"class": "aggregate"}):
            row = event["data"]
            first = following.get(row["k"], 0)
            self.assertEqual((row["first"], row["last"], row["size"]), (first, first + 9, 10), row)
            following[row["k"]] = first + 10
        keys = {"main": "km"} | {f"p{i}": f"k{i}" for i in range(3)}
        self.assertEqual(following, {keys[name]: count // 10 * 10 for name, count in sent.items()})

    def verify_changed(self, expected, sent):
        by_client = {name: [] for name in sent}
        for event in self.store.events(**{"class": "alert"}):
            by_client[event["data"]["c"]].append(event["data"])
        self.assertEqual(by_client["main"], expected, "each reading by the version in force, none while paused or removed")
        for name, rows in by_client.items():
            numbers = [row["n"] for row in rows]
            self.assertEqual(numbers, sorted(set(numbers)), f"{name}: once, in order")

    def test_acknowledged_changes_survive_kill_9(self):
        done, tried = {}, {}
        for kill in range(KILLS):
            stop = threading.Event()

            def change_on(kill=kill, stop=stop):
                count = 0
                while not stop.is_set():
                    name = f"r{count % 7}"
                    text = f"SELECT {kill} AS kill, {count} AS n FROM 'secret/topic'"
                    tried.setdefault(name, []).append(text)
                    try:
                        if self.call.put(name, text)[0] in (200, 201):
                            done[name] = text
                            del tried[name][:-1]
                    except (OSError, ValueError, http.client.HTTPException):  # it dies in the middle of an answer
                        return
                    count += 1

            worker = threading.Thread(target=change_on)
            worker.start()
            time.sleep(self.random.uniform(0.05, 0.4))  # the random moment; nothing is waited for here
            self.at.kill()
            stop.set()
            worker.join(PATIENCE)
            self.at.start()
            rules = {rule["id"]: rule["sql"] for rule in self.call("GET", "")[1]["rules"]}
            for name, text in done.items():
                self.assertIn(rules.get(name), {text, *tried[name]}, "an acknowledged change is gone")
                done[name] = rules[name]
        self.assertGreater(len(done), 0)
        for file in self.at.data.rglob("*"):
            if file.is_file():
                self.assertNotIn(b"secret/topic", file.read_bytes(), "nothing readable at rest")


class RulesApi(SystemCase):
    def setUp(self):
        super().setUp()
        self.at = self.gateway(rules="rules:\n  - {id: hot, sql: \"SELECT t FROM 's/+' WHERE t > 80\", to: [{topic: alerts}]}\n")
        self.call = Calls(self.at)

    def feed(self, *values, topic="s/a"):
        with Client(self.at.mqtt_port, "feeder") as client:
            for value in values:
                client.publish(topic, json.dumps({"t": value}).encode())
            client.finish()

    def test_a_rule_shows_its_text_state_counters_and_memory(self):
        self.feed(70, 90)
        status, rule = self.call("GET", "/hot")
        self.assertEqual(status, 200)
        self.assertEqual([rule[key] for key in ("id", "sql", "to", "origin", "state")],
                         ["hot", "SELECT t FROM 's/+' WHERE t > 80", [{"topic": "alerts"}], "file", "running"])
        none = dict.fromkeys(("gated", "malformed", "bad_value", "late", "state_full", "keys_forgotten", "windows_forgotten"), 0)
        self.assertEqual(rule["counters"], none | {"evaluated": 2, "rows": 1})
        status, created = self.call.put("mean", "SELECT avg(t) AS m FROM 's/+' GROUP BY topic(2), COUNTWINDOW(2)", {"topic": "means"})
        self.assertEqual((status, created), (201, {"id": "mean", "state": "running"}))
        self.feed(1, topic="s/a")
        self.feed(1, topic="s/b")
        status, listed = self.call("GET", "?" + urllib.parse.urlencode({"search": "ea"}))
        self.assertEqual((listed["total"], listed["rules"][0]["origin"], listed["rules"][0]["keys"]), (1, "api", 2))
        self.assertGreater(listed["rules"][0]["state_bytes"], 0)
        metrics = self.at.text("/metrics")
        self.assertIn('sluice_rule_evaluated_total{rule="mean"} 2\n', metrics)
        self.assertIn('sluice_rule_keys{rule="mean"} 2\n', metrics)

    def test_a_paused_rule_takes_up_where_it_was(self):
        sql = "SELECT t, lag(t) OVER (PARTITION BY topic(2)) AS before FROM 's/+'"
        with Client(self.at.mqtt_port, "watcher") as watcher:
            watcher.subscribe("out")
            self.call.put("lags", sql, {"topic": "out"})
            self.feed(1)
            self.assertEqual(self.call("POST", "/lags/pause")[1]["state"], "paused")
            self.feed(2)
            self.assertEqual(self.at.stop(), 0)
            self.at.start()
        with Client(self.at.mqtt_port, "watcher") as watcher:
            watcher.subscribe("out")
            self.feed(3)
            self.assertEqual(self.call("GET", "/lags")[1]["state"], "paused", "also after a restart")
            self.assertEqual(self.call("POST", "/lags/resume")[1]["state"], "running")
            self.feed(4)
            self.assertEqual(json.loads(watcher.next_message()[1]), {"t": 4, "before": 1})

    def test_windows_that_ended_during_a_pause_go_out_when_it_ends(self):
        with Client(self.at.mqtt_port, "watcher") as watcher:
            watcher.subscribe("out")
            self.call.put("sums", "SELECT sum(t) AS s FROM 's/+' GROUP BY TUMBLINGWINDOW(ms, 300)", {"topic": "out"})
            self.feed(1)
            self.call("POST", "/sums/pause")
            first = time.monotonic()
            self.feed(10)
            while time.monotonic() < first + 0.5:  # the window's end passes
                time.sleep(0.05)
            self.call("POST", "/sums/resume")
            self.assertEqual(json.loads(watcher.next_message()[1]), {"s": 1})

    def test_a_rule_that_is_full_is_named_and_takes_nothing_from_others(self):
        sql = "SELECT lag(t) OVER (PARTITION BY d) AS before FROM 'full'"
        body = {"sql": sql, "to": [{"topic": "x"}], "state": {"max_bytes": "64KiB"}}
        self.assertEqual(self.call("PUT", "/bounded", body)[0], 201)
        self.assertEqual(self.call.put("free", sql, {"topic": "x"})[0], 201)
        with Client(self.at.mqtt_port, "feeder") as client:
            for number in range(3000):
                client.publish("full", json.dumps({"d": f"device-{number}", "t": 1}).encode())
                if number % 500 == 499:
                    client.finish()
            client.finish()
        bounded, free = self.call("GET", "/bounded")[1], self.call("GET", "/free")[1]
        self.assertLessEqual(bounded["state_bytes"], 1 << 16)
        self.assertEqual((bounded["state_max_bytes"], bounded["state_bytes_max"], bounded["state_rules"]), (1 << 16, 1 << 16, 1))
        self.assertEqual(bounded["counters"]["evaluated"] + bounded["counters"]["state_full"], 3000)
        self.assertGreater(bounded["counters"]["state_full"], 0)
        self.assertEqual((free["counters"]["evaluated"], free["counters"]["state_full"], free["keys"]), (3000, 0, 3000))
        wait_until(lambda: "rule bounded: no room for new keys" in self.at.log.read_text(encoding="utf-8"), "the log names it")

    def test_a_rule_that_forgets_takes_new_keys_and_says_what_it_gave_up_also_after_it_was_killed(self):
        sql = "SELECT d, t, lag(t) OVER (PARTITION BY d) AS before FROM 'full'"
        body = {"sql": sql, "to": [{"topic": "out"}], "state": {"max_bytes": "64KiB", "when_full": "forget_oldest"}}
        self.assertEqual(self.call("PUT", "/forgetful", body)[0], 201)
        with Client(self.at.mqtt_port, "feeder") as client:
            for number in range(3000):
                client.publish("full", json.dumps({"d": f"device-{number}", "t": number}).encode())
                if number % 500 == 499:
                    client.finish()
            client.finish()
        forgetful = self.call("GET", "/forgetful")[1]
        self.assertEqual((forgetful["state_when_full"], forgetful["counters"]["state_full"]), ("forget_oldest", 0))
        self.assertLessEqual(forgetful["state_bytes"], 1 << 16)
        self.assertEqual(forgetful["counters"]["evaluated"], 3000)
        self.assertEqual(forgetful["counters"]["keys_forgotten"] + forgetful["keys"], 3000)
        wait_until(lambda: "keys were forgotten" in self.at.log.read_text(encoding="utf-8"), "the log names it")
        self.at.process.kill()
        self.at.process.wait()
        self.at.start()
        again = self.call("GET", "/forgetful")[1]
        self.assertEqual((again["state_when_full"], again["keys"]), ("forget_oldest", forgetful["keys"]))
        with Client(self.at.mqtt_port, "watcher") as watcher, Client(self.at.mqtt_port, "feeder") as client:
            watcher.subscribe("out")
            for number, before in ((2999, 2999), (0, None)):
                client.publish("full", json.dumps({"d": f"device-{number}", "t": -1}).encode())
                client.finish()
                self.assertEqual(json.loads(watcher.next_message()[1]), {"d": f"device-{number}", "t": -1, "before": before})

    def test_the_file_and_the_api(self):
        self.call.put("hot", "SELECT t FROM 's/+' WHERE t > 90", {"topic": "alerts"})
        rule = self.call("GET", "/hot")[1]
        self.assertEqual((rule["origin"], rule["file"]["sql"]), ("api", "SELECT t FROM 's/+' WHERE t > 80"))
        checked = subprocess.run([BINARY, "check", "-c", self.at.config], capture_output=True, text=True, check=True)
        self.assertIn("note: rules put at run time: hot", checked.stderr)
        self.assertEqual(self.at.stop(), 0)
        self.at.start()
        self.assertIn("rules put at run time: hot", self.at.log_tail())
        text = self.at.config.read_text(encoding="utf-8")
        self.at.config.write_text(text.replace("t > 80", "t > 85"), encoding="utf-8")
        self.at.process.send_signal(signal.SIGHUP)
        wait_until(lambda: self.call("GET", "/hot")[1]["origin"] == "file", "the file has the last word")
        self.assertIn("what was changed at run time is given up", self.at.log_tail())
        self.assertEqual(self.call("DELETE", "/hot")[1], {"id": "hot", "state": "removed"})
        self.assertEqual(self.call("GET", "")[1]["rules"][0]["state"], "removed")
        self.assertEqual(self.call("DELETE", "/hot?revert")[1], {"id": "hot", "state": "running"})

    def test_mistakes_and_what_is_not_allowed(self):
        status, answer = self.call.put("new", "SELECT t,\n  nosuch(t) AS x FROM 's/+'", {"topic": "x"})
        self.assertEqual((status, answer["error"]["status"]), (422, 422))
        problem = answer["problems"][0]
        self.assertEqual((problem["key"], problem["severity"], problem["sql_line"], problem["sql_column"]), ("sql", "error", 2, 3))
        self.assertEqual(self.call("PUT", "/new", "{")[0], 422)
        self.assertEqual(self.call("PUT", "/new", {"sql": "SELECT t FROM 's'", "to": [{"cloud": "nosuch"}]})[0], 422)
        self.assertEqual(self.call("PUT", "/a%20b", {"sql": "SELECT t FROM 's'", "to": [{"topic": "x"}]})[0], 422)
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.at.http_port, timeout=PATIENCE)) as connection:
            connection.putrequest("PUT", "/api/v1/rules/new")
            connection.putheader("Content-Length", str((1 << 20) + 1))
            connection.endheaders()
            self.assertEqual(connection.getresponse().status, 413)
        for method, path in (("GET", "/nosuch"), ("DELETE", "/nosuch"), ("POST", "/nosuch/pause"), ("DELETE", "/nosuch?revert")):
            self.assertEqual(self.call(method, path)[0], 404, (method, path))
        for method, path in (("POST", ""), ("PUT", ""), ("POST", "/hot"), ("POST", "/hot/stop"), ("GET", "/hot/pause"), ("PATCH", "/hot")):
            self.assertEqual(self.call(method, path)[0], 405, (method, path))
        self.assertEqual(self.call("DELETE", "/hot?revrt")[0], 400)
        self.assertEqual(self.call("GET", "?serch=a")[0], 400)
        self.assertEqual(self.call("DELETE", "/hot", Origin="http://evil.example")[0], 403)
        self.assertEqual(self.call("DELETE", "/hot", Host="evil.example")[0], 403)
        self.assertEqual(self.call("GET", "/hot")[1]["state"], "running")

    def test_a_disk_that_fails_changes_nothing(self):
        in_the_way = self.at.data / "state" / "rule-changes.new"
        (in_the_way / "full").mkdir(parents=True)
        status, answer = self.call("POST", "/hot/pause")
        self.assertEqual(status, 503, answer)
        self.assertEqual(self.call("GET", "/hot")[1]["state"], "running")
        (in_the_way / "full").rmdir()
        in_the_way.rmdir()
        self.assertEqual(self.call("POST", "/hot/pause")[0], 200)

    def run_rule(self, *arguments, code=0, given=None):
        command = [BINARY, "rule", *map(str, arguments), "--at", f"http://127.0.0.1:{self.at.http_port}"]
        done = subprocess.run(command, capture_output=True, text=True, input=given, timeout=PATIENCE, check=False)
        self.assertEqual(done.returncode, code, done.stderr)
        return done

    def test_the_command_line(self):
        put = self.run_rule("put", "cold", "--sql", "SELECT t FROM 's/+' WHERE t < 3", "--to", "topic:cold")
        self.assertIn("cold: running", put.stdout)
        self.assertIn("cold: paused", self.run_rule("pause", "cold").stdout)
        listed = self.run_rule("list").stdout.splitlines()
        self.assertEqual([line.split()[:3] for line in listed[1:]], [["hot", "running", "file"], ["cold", "paused", "api"]])
        self.assertEqual(json.loads(self.run_rule("list", "co", "--json").stdout)["total"], 1)
        self.run_rule("resume", "cold")
        self.assertIn("there is no rule", self.run_rule("pause", "cld", code=1).stderr)
        wrong = self.run_rule("put", "cold", "--sql", "SELECT t FROM 's/+'\nWHERE nosuch(t)", "--to", "topic:x", code=2).stderr
        self.assertIn("sql:2:7: error:", wrong)
        self.assertIn("  WHERE nosuch(t)\n        ^", wrong)
        self.assertIn("expected --sql and --to", self.run_rule("put", "cold", code=2).stderr)
        unknown = self.run_rule("put", "cold", "--sql", "SELECT t FROM 's/+'", "--to", "cloud:nope", code=2).stderr
        self.assertIn("nope", unknown)
        self.assertRegex(unknown, "^rule: error: [^\n]+\n$", "no place in a document that nobody has written")
        in_file = self.folder / "cold.yaml"
        in_file.write_text("sql: SELECT t FROM 's/b'\nto:\n  - {cloud: nope}\n", encoding="utf-8")
        self.assertIn(f"{in_file}:3:13: error: ", self.run_rule("put", "cold", in_file, code=2).stderr)
        for command in (["put", "a b/c", in_file], ["put", "", in_file], ["pause", "a b/c"], ["rm", "a b/c"]):
            self.assertIn("cannot be the id of a rule: expected 1 to 64", self.run_rule(*command, code=2).stderr)
        self.run_rule("put", "cold", "-", given="sql: SELECT t FROM 's/b'\nto: {cloud: sample}\n", code=2)
        self.run_rule("put", "cold", "-", given="sql: SELECT t FROM 's/b'\nto: [{cloud: sample}]\n")
        self.run_rule("rm", "cold")
        self.run_rule("rm", "hot")
        self.assertIn("hot: running", self.run_rule("rm", "hot", "--revert").stdout)
        by_config = subprocess.run([BINARY, "rule", "list", "-c", self.at.config, "--json"], capture_output=True, text=True, check=True)
        self.assertEqual(json.loads(by_config.stdout)["rules"][0]["id"], "hot")


if __name__ == "__main__":
    main()
