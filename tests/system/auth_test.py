"""Who may do what, on the real binary: users, access lists, back-off, reload, and the commands that go with them."""

import json
import os
import pty
import re
import socket
import subprocess

import paho.mqtt.client as paho
from sluice_system.case import SystemCase, main
from sluice_system.daemons import BINARY, PATIENCE, RULES, Gateway, wait_until
from sluice_system.mqtt import CONNACK, PUBACK, PUBLISH, SUBACK, Client, connect_packet, packet, publish_packet, text

ACL = """
- {who: "*", may_not: [subscribe], topics: ["secret/#"]}
- {who: "user:ana", may: [publish, subscribe], topics: ["sensors/%u/#", "open/#"]}
- {who: "user:bob", may: [publish, subscribe], topics: ["dev/%c/#", "open/#"]}
- {who: "user:root", may: [publish, subscribe], topics: ["#"]}
- {who: anonymous, may: publish, topics: [anonymous]}
"""


def run(*arguments, stdin=""):
    command = [BINARY, *map(str, arguments)]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=PATIENCE, check=False)


class Raw(Client):
    """A connection whose CONNACK is the test's business."""

    def __init__(self, port, client_id, **connect):  # pylint: disable=super-init-not-called
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self._buffer, self._next_id, self.unacked = b"", 0, {}
        self.level = connect.get("level", 4)
        self.send(connect_packet(client_id, **connect))

    def connack(self) -> int:
        kind, _, body = self.read()
        assert kind == CONNACK, kind
        return body[1]

    def expect(self, kind) -> bytes:
        found, _, body = self.read()
        assert found == kind, (found, body)
        return body

    def suback(self, topic_filter: str) -> int:
        properties = b"\x00" if self.level == 5 else b""
        self.send(packet(0x82, b"\x00\x07" + properties + text(topic_filter) + b"\x01"))
        return self.expect(SUBACK)[-1]

    def puback(self, topic: str) -> int:
        properties = b"\x00" if self.level == 5 else b""
        self.send(packet(0x32, text(topic) + b"\x00\x09" + properties + b"x"))
        body = self.expect(PUBACK)
        return body[2] if len(body) > 2 else 0


class Access(SystemCase):
    def start(self, users=("ana", "bob", "root"), acl=ACL, auth="", limits=""):
        self.users = self.folder / "users.yaml"
        self.acl = self.folder / "acl.yaml"
        for user in users:
            self.set_password(user, f"{user}-password")
        self.acl.write_text(acl, encoding="utf-8")
        self.at = self.gateway(extra=f"auth: {{users: users.yaml, acl: acl.yaml{auth}}}\nlimits: {{{limits}}}\n")
        self.port = self.at.mqtt_port

    def set_password(self, user, password):
        result = run("passwd", self.users, user, "--stdin", stdin=password + "\n")
        self.assertEqual(result.returncode, 0, result.stderr)

    def raw(self, user=None, password=None, client_id=None, **connect):
        self.opened = getattr(self, "opened", 0) + 1
        client_id = client_id or f"raw{self.opened}"  # a client id belongs to its user while it is connected
        if user is not None and password is None:
            password = f"{user}-password"
        connection = Raw(self.port, client_id, user=user, password=password or None, **connect)
        self.addCleanup(connection.close)
        return connection

    def signed_in(self, user, client_id="c", **connect):
        connection = self.raw(user, client_id=client_id, **connect)
        self.assertEqual(connection.connack(), 0)
        return connection

    def metric(self, name) -> int:
        values = re.findall(rf"^sluice_{name}(?:{{[^}}]*}})? (\d+)$", self.at.text("/metrics"), re.MULTILINE)
        self.assertTrue(values, name)
        return sum(map(int, values))

    def reload(self):
        result = run("reload", "-c", self.at.config)
        self.assertEqual(result.returncode, 0, result.stderr)


class SigningIn(Access):
    def test_right_wrong_and_missing_credentials_are_answered_in_both_versions(self):
        self.start()
        for level, wrong, missing in ((4, 4, 5), (5, 0x86, 0x87)):
            with self.subTest(level=level):
                self.assertEqual(self.raw("ana", level=level).connack(), 0)
                self.assertEqual(self.raw("ana", "guess", level=level).connack(), wrong)
                self.assertEqual(self.raw("eve", "guess", level=level).connack(), wrong)
                self.assertEqual(self.raw("ana", "", level=level).connack(), wrong, "a name without a password")
                self.assertEqual(self.raw(level=level).connack(), missing)
        wait_until(lambda: self.metric("sign_ins_wrong_total") == 6, "each wrong one is counted")

    def test_anonymous_clients_come_in_where_allowed_but_wrong_credentials_are_never_taken_for_none(self):
        self.start(auth=", anonymous: true")
        anonymous = self.raw(level=5)
        self.assertEqual(anonymous.connack(), 0)
        self.assertEqual(anonymous.puback("anonymous"), 0x10, "permitted; nobody subscribes to it")
        self.assertEqual(anonymous.puback("open/x"), 0x87)
        self.assertEqual(self.raw("ana", "guess", level=5).connack(), 0x86)
        self.assertEqual(self.raw("ana", "", level=5).connack(), 0x86)

    def test_what_is_sent_behind_the_connect_waits_for_the_answer(self):
        self.start()
        watcher = self.signed_in("root", "watcher")
        watcher.suback("sensors/#")
        packets = connect_packet("fast", user="ana", password="ana-password")
        packets += publish_packet("sensors/ana/x", b"early", qos=1, packet_id=3)
        with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE) as fast:
            fast.sendall(packets)
            self.assertEqual(watcher.next_message(), ("sensors/ana/x", b"early"))
        packets = connect_packet("bad", user="ana", password="guess") + publish_packet("sensors/ana/x", b"never", qos=1, packet_id=3)
        with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE) as bad:
            bad.sendall(packets)
            self.assertEqual(bad.recv(100), b"\x20\x02\x00\x04")
        self.signed_in("ana", "after").publish("sensors/ana/x", b"after")
        self.assertEqual(watcher.next_message(), ("sensors/ana/x", b"after"))

    def test_real_clients_sign_in(self):
        self.start()
        subscriber = subprocess.Popen(
            ["stdbuf", "-oL", "mosquitto_sub", "-d", "-p", str(self.port), "-u", "ana", "-P", "ana-password", "-t", "sensors/ana/#",
             "-C", "2"],
            stdout=subprocess.PIPE, text=True)
        self.addCleanup(subscriber.stdout.close)
        self.addCleanup(subscriber.wait)
        self.addCleanup(subscriber.kill)
        for line in subscriber.stdout:
            if "Subscribed" in line:
                break
        publish = ["mosquitto_pub", "-p", str(self.port), "-t", "sensors/ana/x", "-m", "hello", "-q", "1", "-u", "ana", "-P"]
        self.assertEqual(subprocess.run([*publish, "ana-password"], timeout=PATIENCE, check=False).returncode, 0)
        refused = subprocess.run([*publish, "wrong"], capture_output=True, text=True, timeout=PATIENCE, check=False)
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn("bad user name or password", refused.stderr)
        client = paho.Client(client_id="paho")
        self.addCleanup(client.loop_stop)
        client.username_pw_set("ana", "ana-password")
        client.connect("127.0.0.1", self.port)
        client.loop_start()
        client.publish("sensors/ana/x", "hello", qos=1).wait_for_publish(PATIENCE)
        self.assertEqual([line for line in subscriber.stdout if line == "hello\n"], ["hello\n", "hello\n"])
        client.disconnect()

    def test_who_guesses_waits_and_nobody_else_does(self):
        self.start()
        for _ in range(5):
            self.assertEqual(self.raw("ana", "guess").connack(), 4)
        self.assertEqual(self.raw("ana", level=5).connack(), 0x9F, "the right one is not looked at either")
        self.assertEqual(self.raw("ana").connack(), 3)
        self.assertEqual(self.raw("bob").connack(), 0)
        self.assertGreaterEqual(self.metric("sign_ins_paused_total"), 2)
        wait_until(lambda: self.raw("ana").connack() == 0, "the first pause ends after a second")

    def test_many_sign_ins_at_once_do_not_hold_up_those_who_are_in(self):
        # Twelve hashes take a fifth of a second or more (connecting takes milliseconds). Their thread is nice: on a busy machine it can
        # take longer than the five seconds that a sign-in waits by default, which is not what this test is about.
        names = [f"u{i}" for i in range(12)]
        self.start(users=("root", *names), limits="connect_timeout: 2m")
        publisher = self.signed_in("root", "publisher")
        crowd = [self.raw(name, client_id=f"crowd-{name}") for name in names]
        acked_while_waiting = 0
        for _ in range(100_000):
            publisher.publish("open/x", b"x")
            publisher.next_ack()
            if self.metric("sign_ins_verified_total") == 13:  # whoever has not been read yet does not wait yet
                break
            acked_while_waiting += 1
        self.assertGreater(acked_while_waiting, 0, "a publish was acknowledged while hashes were computed")
        crowd += [self.raw(names[i % 12], client_id=f"again-{i}") for i in range(140)]
        self.assertEqual([each.connack() for each in crowd], [0] * 152)
        wait_until(lambda: self.metric("sign_ins_verified_total") == 13, "one hash for each user")
        wait_until(lambda: self.metric("sign_ins_remembered_total") == 140, "the others are remembered")

    def test_a_session_is_not_handed_to_another_user(self):
        self.start()
        ana = self.signed_in("ana", "device", clean=False)
        ana.suback("open/#")
        bob = self.raw("bob", client_id="device")
        self.assertEqual(bob.connack(), 2, "3.1.1: identifier rejected, while ana is connected")
        ana.send(b"\xe0\x00")
        wait_until(lambda: self.metric("hub_connections") == 0, "ana is gone")
        self.signed_in("root", "publisher").publish("open/x", b"for ana")
        bob = self.raw("bob", client_id="device", clean=False)
        kind, _, body = bob.read()
        self.assertEqual((kind, body), (CONNACK, b"\x00\x00"), "no session")
        bob.suback("open/#")
        self.signed_in("root", "publisher2").publish("open/y", b"for bob")
        self.assertEqual(bob.next_message(), ("open/y", b"for bob"))


class Lists(Access):
    def test_publishing_follows_the_list(self):
        self.start()
        watcher = self.signed_in("root", "watcher")
        self.assertEqual(watcher.suback("sensors/#"), 1)
        modern = self.signed_in("ana", "modern", level=5)
        self.assertEqual(modern.puback("sensors/ana/1"), 0)
        self.assertEqual(modern.puback("sensors/bob/1"), 0x87)
        old = self.signed_in("ana", "old")
        self.assertEqual(old.puback("sensors/bob/2"), 0, "3.1.1 has no other answer")
        old.publish_qos0("sensors/bob/3", b"x")
        old.publish_qos0("sensors/ana/2", b"x")
        odd = self.signed_in("bob", "+/x", level=5)
        self.assertEqual(odd.puback("dev/a/x"), 0x87, "a client id is no wildcard")
        self.assertEqual([watcher.next_message()[0] for _ in range(2)], ["sensors/ana/1", "sensors/ana/2"])
        self.assertEqual(self.metric("hub_publishes_denied_total"), 4)
        self.assertEqual(self.metric("acl_unfit_names_total"), 1)

    def test_subscribing_follows_the_list(self):
        self.start()
        for level, denied in ((4, 0x80), (5, 0x87)):
            with self.subTest(level=level):
                ana = self.signed_in("ana", f"a{level}", level=level)
                self.assertEqual(ana.suback("sensors/ana/+"), 1)
                self.assertEqual(ana.suback("$share/g/open/x"), 1)
                for wide in ("#", "sensors/#", "sensors/+/x", "secret/x", "$share/g/secret/x", "+/ana/#"):
                    self.assertEqual(ana.suback(wide), denied, wide)
        self.assertEqual(self.signed_in("bob", "+", level=5).suback("dev/+/#"), 0x87)

    def test_wills_follow_the_list(self):
        self.start()
        self.assertEqual(self.raw("ana", level=5, will=("secret/x", "boo")).connack(), 0x87)
        watcher = self.signed_in("root", "watcher")
        self.assertEqual(watcher.suback("open/#"), 1)
        self.signed_in("ana", "dying", will=("open/will", "bye")).close()
        self.assertEqual(watcher.next_message(), ("open/will", b"bye"))


class Reloading(Access):
    def test_users_and_lists_change_under_running_connections(self):
        self.start()
        ana = self.signed_in("ana", "ana", level=5)
        ana.suback("open/#")
        root = self.signed_in("root", "root")
        away = self.signed_in("ana", "away", clean=False)
        away.suback("sensors/ana/#")
        away.send(b"\xe0\x00")
        wait_until(lambda: self.metric("hub_connections") == 2, "the third is away")
        self.acl.write_text(ACL.replace("\"sensors/%u/#\", \"open/#\"", "\"sensors/%u/#\""), encoding="utf-8")
        self.set_password("new", "new-password")
        self.reload()
        kind, _, body = ana.read()
        self.assertEqual((kind, body[0]), (14, 0x87), "what ana subscribed to is no longer permitted")
        root.ping()
        wait_until(lambda: self.raw("new", client_id="new").connack() == 0, "the new user can sign in")
        self.assertEqual(self.metric("hub_sessions"), 2 + 1, "root, away, new")
        again = self.signed_in("ana", "ana", level=5)
        self.assertEqual(again.suback("open/#"), 0x87)
        # A user who is removed loses connections and sessions.
        self.assertEqual(run("passwd", self.users, "ana", "--delete").returncode, 0)
        self.reload()
        kind, _, body = again.read()
        self.assertEqual((kind, body[0]), (14, 0x87))
        self.assertEqual(self.raw("ana", level=5).connack(), 0x86)
        wait_until(lambda: self.metric("hub_sessions") == 2, "those of root and new are left")
        root.ping()

    def test_a_changed_password_asks_to_sign_in_again_and_keeps_the_session(self):
        self.start()
        ana = self.signed_in("ana", "ana", clean=False)
        ana.suback("open/#")
        self.set_password("ana", "fresh")
        self.reload()
        self.assertRaises(ConnectionError, ana.read)
        self.signed_in("root", "root").publish("open/x", b"kept")
        self.assertEqual(self.raw("ana", client_id="ana", clean=False).connack(), 4)
        back = self.raw("ana", "fresh", client_id="ana", clean=False)
        self.assertEqual(back.connack(), 0)
        self.assertEqual(back.expect(PUBLISH)[-4:], b"kept")

    def test_broken_files_leave_everything_as_it_was(self):
        self.start()
        root = self.signed_in("root", "root")
        good = self.users.read_text(encoding="utf-8")
        self.users.write_text(good + "eve: secret\n", encoding="utf-8")
        result = run("reload", "-c", self.at.config)
        self.assertEqual(result.returncode, 2)
        self.assertRegex(result.stderr, r"users\.yaml:4:6: error: expected the hash of a password")
        self.at.process.send_signal(1)
        wait_until(lambda: "goes on with the configuration it had" in self.at.log_tail(), "the daemon says so")
        root.ping()
        self.assertEqual(self.raw("ana").connack(), 0)

    def test_auth_comes_and_goes_on_a_local_listener(self):
        self.start()
        with_auth = self.at.config.read_text(encoding="utf-8")
        self.at.config.write_text(with_auth.replace("auth:", "#"), encoding="utf-8")
        self.reload()
        wait_until(lambda: self.raw(client_id="any").connack() == 0, "everybody may come")
        anonymous = self.raw(client_id="anonymous")
        self.assertEqual(anonymous.connack(), 0)
        self.at.config.write_text(with_auth, encoding="utf-8")
        self.reload()
        self.assertRaises(ConnectionError, anonymous.read)
        self.assertEqual(self.raw().connack(), 5)

    def test_auth_is_not_taken_away_from_a_listener_that_others_can_reach(self):
        self.start()
        self.at.stop()
        local = self.at.config.read_text(encoding="utf-8")
        self.at.config.write_text(local.replace("tcp://127.0.0.1", "tcp://0.0.0.0"), encoding="utf-8")
        self.at.start()
        self.at.config.write_text(local.replace("auth:", "#"), encoding="utf-8")
        self.reload()
        wait_until(lambda: "`auth` changed, which needs a restart" in self.at.log_tail(), "the daemon says so")
        self.assertEqual(self.raw().connack(), 5)
        self.assertEqual(self.raw("ana").connack(), 0)


class Commands(Access):
    def test_passwd_writes_changes_checks_and_removes_users(self):
        users = self.folder / "users.yaml"
        self.assertEqual(run("passwd", users, "ana", "--stdin", stdin="one\n").returncode, 0)
        self.assertEqual(users.stat().st_mode & 0o777, 0o600)
        users.write_text("# people\n" + users.read_text(encoding="utf-8"), encoding="utf-8")
        users.chmod(0o640)
        self.assertEqual(run("passwd", users, "bob b", "--stdin", stdin="two").returncode, 0)
        lines = users.read_text(encoding="utf-8").splitlines()
        self.assertEqual(run("passwd", users, "ana", "--stdin", stdin="three\n").returncode, 0)
        after = users.read_text(encoding="utf-8").splitlines()
        self.assertEqual((after[0], after[2]), (lines[0], lines[2]))
        self.assertNotEqual(after[1], lines[1])
        self.assertEqual(users.stat().st_mode & 0o777, 0o640)
        self.assertNotRegex("".join(after), "one|two|three")
        for password, code in (("three", 0), ("one", 1)):
            self.assertEqual(run("passwd", users, "ana", "--check", "--stdin", stdin=password).returncode, code)
        self.assertEqual(run("passwd", users, "ana", "--delete").returncode, 0)
        self.assertEqual(run("passwd", users, "ana", "--delete").returncode, 1)
        self.assertEqual(users.read_text(encoding="utf-8").splitlines(), [lines[0], lines[2]])
        self.assertEqual([each.name for each in self.folder.iterdir()], ["users.yaml"], "nothing is left beside it")

    def test_passwd_refuses_what_it_cannot_do(self):
        users = self.folder / "users.yaml"
        self.assertEqual(run("passwd", users, "ana", "--stdin", stdin="").returncode, 2)
        self.assertEqual(run("passwd", users, "ana", "--stdin", stdin="x" * 1025).returncode, 2)
        self.assertEqual(run("passwd", users, "", "--stdin", stdin="x").returncode, 2)
        self.assertEqual(run("passwd", users, "ana", stdin="x").returncode, 2, "no terminal, no --stdin")
        users.write_text("ana: secret\n", encoding="utf-8")
        broken = run("passwd", users, "bob", "--stdin", stdin="x")
        self.assertEqual(broken.returncode, 2)
        self.assertIn("users.yaml:1:6: error:", broken.stderr)
        self.assertEqual(users.read_text(encoding="utf-8"), "ana: secret\n")

    def test_passwd_asks_twice_without_echo(self):
        users = self.folder / "users.yaml"
        for again, code in (("hidden", 0), ("other", 2)):
            parent, child = pty.openpty()
            process = subprocess.Popen([BINARY, "passwd", str(users), "ana"], stdin=child, stdout=child, stderr=child)
            os.close(child)
            shown = self.read_until(parent, b"Password for ana: ")
            os.write(parent, b"hidden\n")
            shown += self.read_until(parent, b"Again: ")
            os.write(parent, again.encode() + b"\n")
            self.assertEqual(process.wait(PATIENCE), code)
            self.assertNotIn(b"hidden", shown)
            os.close(parent)
        self.assertEqual(run("passwd", users, "ana", "--check", "--stdin", stdin="hidden").returncode, 0)

    def read_until(self, descriptor, words) -> bytes:
        shown = b""
        while words not in shown:
            shown += os.read(descriptor, 1000)
        return shown

    def test_passwd_of_many_at_the_same_time_loses_nobody(self):
        users = self.folder / "users.yaml"
        names = [f"u{i}" for i in range(12)]
        processes = [subprocess.Popen([BINARY, "passwd", str(users), name, "--stdin"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
                     for name in names]
        for process in processes:
            process.communicate(b"x\n", timeout=PATIENCE)
            self.assertEqual(process.returncode, 0)
        self.assertEqual(sorted(line.split(":")[0] for line in users.read_text(encoding="utf-8").splitlines()), sorted(names))

    def test_acl_test_names_the_row(self):
        self.start()
        test = ("acl", "test", "-c", self.at.config)
        allowed = run(*test, "--user", "ana", "publish", "sensors/ana/x")
        self.assertEqual((allowed.returncode, allowed.stdout), (0, f"allowed: {self.acl}:3: sensors/%u/# is allowed by this row\n"))
        denied = run(*test, "--user", "ana", "subscribe", "#", "--json")
        self.assertEqual(denied.returncode, 1)
        self.assertEqual(json.loads(denied.stdout)["line"], 2)
        self.assertEqual(run(*test, "--user", "bob", "--client", "d1", "subscribe", "dev/d1/#").returncode, 0)
        self.assertEqual(run(*test, "--user", "bob", "subscribe", "dev/d1/#").returncode, 1)
        self.assertEqual(run(*test, "--user", "bob", "publish", "a/#").returncode, 2)

    def test_check_and_the_daemon_refuse_broken_files(self):
        at = Gateway(self.folder, rules=RULES, extra="auth: {users: users.yaml, acl: acl.yaml}\n")
        (self.folder / "users.yaml").write_text("ana: $argon2id$v=19$m=4194304,t=1,p=1$c29tZXNhbHRzYWx0$AAECAwQFBgcICQoLDA0ODw\n",
                                                encoding="utf-8")
        (self.folder / "acl.yaml").write_text("- {who: \"*\", may: [publsh], topics: [a]}\n", encoding="utf-8")
        result = run("check", "-c", at.config)
        self.assertEqual(result.returncode, 2)
        self.assertRegex(result.stderr, r"users\.yaml:1:6: error: verifying this hash would cost too much")
        self.assertRegex(result.stderr, r"acl\.yaml:1:20: error: expected publish or subscribe, found `publsh`; did you mean `publish`\?")
        self.assertEqual(run("gateway", "-c", at.config).returncode, 2)
        self.assertFalse(at.data.exists(), "nothing was touched")


if __name__ == "__main__":
    main()
