"""Clients that others wrote use the gateway without noticing anything missing: mosquitto_pub/sub, paho, MQTT.js."""

import json
import pathlib
import queue
import shutil
import subprocess
import unittest

import paho.mqtt.client as paho
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from sluice_system.case import SystemCase, main
from sluice_system.daemons import PATIENCE, wait_until
from sluice_system.mqtt import Client

NODE = pathlib.Path(__file__).parent / "node"


class Mosquitto(SystemCase):
    def setUp(self):
        super().setUp()
        if not shutil.which("mosquitto_pub"):
            self.skipTest("needs mosquitto_pub (Debian package mosquitto-clients)")
        self.at = self.gateway()

    def publish(self, *arguments, text=None):
        command = ["mosquitto_pub", "-p", str(self.at.mqtt_port), *arguments]
        result = subprocess.run(command, input=text, capture_output=True, text=True, timeout=PATIENCE, check=False)
        self.assertEqual(result.returncode, 0, f"{command}: {result.stderr}")

    def subscriber(self, *arguments):
        """A running mosquitto_sub whose subscription is active."""
        command = ["stdbuf", "-oL", "mosquitto_sub", "-p", str(self.at.mqtt_port), "-W", str(int(PATIENCE)), "-d", *arguments]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        for line in process.stdout:
            if "Subscribed" in line:
                return process
        self.fail("mosquitto_sub ended before it was subscribed")

    def messages(self, process, number):
        """The next payloads (debug lines left out)."""
        found = []
        noise = ("Client ", "Subscribed")
        for line in process.stdout:
            if not line.startswith(noise):
                found.append(line.rstrip("\n"))
            if len(found) == number:
                return found
        self.fail(f"mosquitto_sub ended after {len(found)} messages, the last ones {found[-3:]}")

    def test_every_quality_of_service_and_version_delivers(self):
        for version in ("311", "5"):
            for qos in ("0", "1", "2"):
                with self.subTest(version=version, qos=qos):
                    reader = self.subscriber("-V", version, "-q", qos, "-t", "a/+/c")
                    self.publish("-V", version, "-q", qos, "-t", "a/b/c", "-m", f"hello {version} {qos}")
                    self.assertEqual(self.messages(reader, 1), [f"hello {version} {qos}"])

    def test_a_retained_message_waits_for_later_subscribers_and_can_be_deleted(self):
        self.publish("-q", "1", "-r", "-t", "state/door", "-m", "open")
        reader = self.subscriber("-t", "state/#", "-v")
        self.assertEqual(self.messages(reader, 1), ["state/door open"])
        self.publish("-q", "1", "-r", "-n", "-t", "state/door")
        late = self.subscriber("-t", "state/#", "-v")
        self.publish("-q", "1", "-t", "state/window", "-m", "shut")
        self.assertEqual(self.messages(late, 1), ["state/window shut"])

    def test_a_will_is_published_when_a_client_dies_but_not_when_it_leaves(self):
        reader = self.subscriber("-t", "wills/#", "-v")
        leaving = subprocess.run(
            ["mosquitto_sub", "-p", str(self.at.mqtt_port), "-t", "nothing", "-E", "--will-topic", "wills/polite", "--will-payload", "bye"],
            timeout=PATIENCE, check=False)
        self.assertEqual(leaving.returncode, 0)
        dying = self.subscriber("-t", "nothing", "--will-topic", "wills/rude", "--will-payload", "gone", "--will-qos", "1")
        dying.kill()
        self.assertEqual(self.messages(reader, 1), ["wills/rude gone"])

    def test_lines_from_standard_input_arrive_in_order(self):
        # No more than limits.queue_messages: a slower reader could rightly lose what is beyond it.
        reader = self.subscriber("-q", "1", "-t", "lines")
        self.publish("-q", "1", "-t", "lines", "-l", text="".join(f"{n}\n" for n in range(1000)))
        self.assertEqual(self.messages(reader, 1000), [str(n) for n in range(1000)])

    def test_a_silent_client_is_closed_after_one_and_a_half_keep_alives(self):
        reader = self.subscriber("-t", "wills/#")
        silent = Client(self.at.mqtt_port, "silent", keep_alive=1)
        self.addCleanup(silent.close)
        with self.assertRaises(ConnectionError):
            silent.read()
        self.publish("-t", "wills/x", "-m", "still here")
        self.assertEqual(self.messages(reader, 1), ["still here"])


class Paho(SystemCase):
    def client(self, at, name, protocol=paho.MQTTv5, **options):
        got = queue.Queue()
        client = paho.Client(client_id=name, protocol=protocol, **options)
        client.on_message = lambda _client, _data, message: got.put(message)
        connected = queue.Queue()
        client.on_connect = lambda *arguments: connected.put(arguments)
        subscribed = queue.Queue()
        client.on_subscribe = lambda *arguments: subscribed.put(arguments)
        client.connect("127.0.0.1", at.mqtt_port)
        client.loop_start()
        self.addCleanup(client.loop_stop)
        self.addCleanup(client.disconnect)
        self.assertEqual(str(connected.get(timeout=PATIENCE)[3]), "Success" if protocol == paho.MQTTv5 else "0")

        def subscribe(*arguments, **more):
            client.subscribe(*arguments, **more)
            return subscribed.get(timeout=PATIENCE)

        return client, subscribe, got

    def test_properties_of_version_5_reach_the_subscriber(self):
        at = self.gateway()
        _, subscribe, got = self.client(at, "reader")
        subscribe("answers/#", qos=1)
        writer, _, _ = self.client(at, "writer")
        properties = Properties(PacketTypes.PUBLISH)
        properties.ResponseTopic = "answers/here"
        properties.CorrelationData = b"\x00\x01"
        properties.ContentType = "application/json"
        properties.UserProperty = [("a", "1"), ("a", "2")]
        writer.publish("answers/q", b"{}", qos=1, properties=properties).wait_for_publish(PATIENCE)
        message = got.get(timeout=PATIENCE)
        self.assertEqual(message.properties.ResponseTopic, "answers/here")
        self.assertEqual(message.properties.CorrelationData, b"\x00\x01")
        self.assertEqual(message.properties.ContentType, "application/json")
        self.assertEqual(message.properties.UserProperty, [("a", "1"), ("a", "2")])

    def test_a_publisher_with_no_local_does_not_hear_itself(self):
        at = self.gateway()
        client, subscribe, got = self.client(at, "both")
        subscribe("echo/#", options=paho.SubscribeOptions(qos=1, noLocal=True))
        other, _, _ = self.client(at, "other")
        client.publish("echo/mine", b"1", qos=1).wait_for_publish(PATIENCE)
        other.publish("echo/other", b"2", qos=1).wait_for_publish(PATIENCE)
        self.assertEqual(got.get(timeout=PATIENCE).topic, "echo/other")

    def test_a_thousand_messages_of_each_quality_arrive_once_and_in_order(self):
        at = self.gateway()
        _, subscribe, got = self.client(at, "reader", protocol=paho.MQTTv311)
        subscribe("many/#", qos=2)
        writer, _, _ = self.client(at, "writer", protocol=paho.MQTTv311)
        writer.max_queued_messages_set(0)
        for qos in (1, 2):
            for number in range(1000):
                last = writer.publish(f"many/{qos}", str(number), qos=qos)
            last.wait_for_publish(PATIENCE)
            payloads = [int(got.get(timeout=PATIENCE).payload) for _ in range(1000)]
            self.assertEqual(payloads, list(range(1000)))

    def test_a_second_connection_with_the_same_name_takes_over(self):
        at = self.gateway()
        first = Client(at.mqtt_port, "twin")
        self.addCleanup(first.close)
        second = Client(at.mqtt_port, "twin")
        self.addCleanup(second.close)
        with self.assertRaises(ConnectionError):
            first.read()
        second.ping()


class MqttJs(SystemCase):
    def test_mqtt_js_publishes_subscribes_and_retains_in_both_versions(self):
        if not (NODE / "node_modules" / "mqtt").exists():
            self.skipTest("needs MQTT.js: npm ci in tests/system/node")
        at = self.gateway()
        command = ["node", str(NODE / "roundtrip.mjs"), at.url]
        result = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)


class Rules(SystemCase):
    def test_a_spike_of_a_real_client_becomes_one_local_alert(self):
        at = self.gateway()
        alerts = Client(at.mqtt_port, "watcher")
        self.addCleanup(alerts.close)
        alerts.subscribe("alerts/#", qos=1)
        with Client(at.mqtt_port, "m1") as sensor:
            for seq in range(201):
                value = 0.5 + 0.01 * (seq % 7) if seq != 150 else 9.5
                reading = {"device": "m1", "ts": 1700000000000 + seq, "seq": seq, "vibration": value}
                sensor.publish("sensors/m1/vibration", json.dumps(reading).encode())
            sensor.finish()
        topic, payload = alerts.next_message()
        alert = json.loads(payload)
        self.assertEqual((topic, alert["seq"], alert["vibration"]), ("alerts/m1", 150, 9.5))
        wait_until(lambda: at.ledger()["readings_in"] == 201, "the ledger counts 201 readings")
        events = at.ledger()["events"]
        self.assertEqual((events["alert"]["created"], events["aggregate"]["created"], events["sample"]["created"]), (1, 20, 0))


if __name__ == "__main__":
    main()
