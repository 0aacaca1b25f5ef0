// MQTT.js against the gateway named on the command line; exits 0 when everything arrived.
import assert from "node:assert/strict";
import mqtt from "mqtt";

const url = process.argv[2];

function nextMessages(client, number) {
  return new Promise((resolve) => {
    const found = [];
    const take = (topic, payload, packet) => {
      found.push({ topic, payload: payload.toString(), retain: packet.retain });
      if (found.length === number) {
        client.off("message", take);
        resolve(found);
      }
    };
    client.on("message", take);
  });
}

for (const protocolVersion of [4, 5]) {
  const options = { protocolVersion, clean: true, connectTimeout: 30000, reconnectPeriod: 0 };
  const reader = await mqtt.connectAsync(url, { ...options, clientId: `reader-${protocolVersion}` });
  const writer = await mqtt.connectAsync(url, { ...options, clientId: `writer-${protocolVersion}` });
  await reader.subscribeAsync(`js/${protocolVersion}/#`, { qos: 2 });
  const arrived = nextMessages(reader, 300);
  for (let n = 0; n < 300; n += 1) await writer.publishAsync(`js/${protocolVersion}/n`, String(n), { qos: n % 3 });
  // Order holds within a quality of service: MQTT.js hands over QoS 2 only when its handshake ends.
  const numbers = (await arrived).map((each) => Number(each.payload));
  for (const qos of [0, 1, 2]) {
    const expected = [...Array(100).keys()].map((n) => 3 * n + qos);
    assert.deepEqual(numbers.filter((n) => n % 3 === qos), expected);
  }

  await writer.publishAsync(`kept/${protocolVersion}`, "v", { qos: 1, retain: true });
  const late = await mqtt.connectAsync(url, { ...options, clientId: `late-${protocolVersion}` });
  const kept = nextMessages(late, 1);
  await late.subscribeAsync(`kept/${protocolVersion}`);
  assert.deepEqual(await kept, [{ topic: `kept/${protocolVersion}`, payload: "v", retain: true }]);

  await reader.unsubscribeAsync(`js/${protocolVersion}/#`);
  await Promise.all([reader, writer, late].map((client) => client.endAsync()));
}
console.log("ok");
