#!/usr/bin/python3
"""The peer of the gateway's first rule: a subscriber of any broker that judges each reading by the z-score over the last hundred of its
device and publishes the alerts. As lean as paho and the json module of Debian's Python allow: running sums, QoS 0.

usage: bench/peer_zscore.py PORT

It judges from ten readings on, not from a hundred: at a tenth of the gateway's speed, filling 10,000 windows first would take minutes.
What a reading costs is the same.
"""

import collections
import json
import math
import sys

import paho.mqtt.client as mqtt

WINDOW, JUDGED_FROM, THRESHOLD = 100, 10, 3.0


class Window:
    __slots__ = ("values", "sum", "squares")

    def __init__(self):
        self.values, self.sum, self.squares = collections.deque(), 0.0, 0.0

    def judge(self, value):
        """The z-score of a value against the window before it, or 0; then it joins the window."""
        count, z = len(self.values), 0.0
        if count >= JUDGED_FROM:
            mean = self.sum / count
            variance = (self.squares - self.sum * mean) / (count - 1)
            if variance > 0:
                z = (value - mean) / math.sqrt(variance)
        self.values.append(value)
        self.sum += value
        self.squares += value * value
        if count >= WINDOW:
            old = self.values.popleft()
            self.sum -= old
            self.squares -= old * old
        return z


def main():
    windows = collections.defaultdict(Window)

    def on_message(client, _, message):
        reading = json.loads(message.payload)
        z = windows[reading["device"]].judge(reading["vibration"])
        if abs(z) > THRESHOLD:
            alert = {"device": reading["device"], "ts": reading["ts"], "seq": reading["seq"], "vibration": reading["vibration"], "z": z}
            client.publish("alerts/" + reading["device"], json.dumps(alert))

    client = mqtt.Client("peer-zscore")
    client.on_connect = lambda c, *_: c.subscribe("sensors/+/vibration", 0)
    client.on_subscribe = lambda *_: print("ready", flush=True)
    client.on_message = on_message
    client.connect("127.0.0.1", int(sys.argv[1]), keepalive=300)
    client.loop_forever()


if __name__ == "__main__":
    main()
