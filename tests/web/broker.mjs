// MQTT.js in Debian's Chromium against a WebSocket listener. usage: node broker.mjs URL [KEY of the certificate: SHA-256, base64]
// Exits 0 when everything arrived. Without the right key a wss listener must be refused: exits 3.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { chromium } from "playwright-core";

const [url, key] = process.argv.slice(2);
const bundle = readFileSync(join(dirname(createRequire(import.meta.url).resolve("mqtt/package.json")), "dist/mqtt.esm.js"));
const PAGE = `<!doctype html><meta charset="utf-8"><title>MQTT.js</title>
<script type="module">import mqtt from "./mqtt.js"; window.mqtt = mqtt;</script>`;

// The page comes from a host of its own port, as a dashboard's would: its origin is another than the listener's.
const server = createServer((request, response) => {
  const script = request.url === "/mqtt.js";
  response.writeHead(200, { "Content-Type": script ? "text/javascript" : "text/html" }).end(script ? bundle : PAGE);
});
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const home = `http://127.0.0.1:${server.address().port}/`;

const flags = "no-sandbox disable-gpu disable-quic no-first-run disable-background-networking disable-component-update disable-sync"
  .split(" ");
if (key) flags.push(`ignore-certificate-errors-spki-list=${key}`); // this certificate and no other
const browser = await chromium.launch({
  executablePath: process.env.SLUICE_CHROMIUM ?? "/usr/bin/chromium",
  args: flags.map((flag) => `--${flag}`),
});

async function tab() {
  const page = await browser.newPage();
  await page.goto(home);
  await page.waitForFunction(() => window.mqtt);
  return page;
}

/// In a tab: connects a client that is then `window.clients[name]`, with what it hears in `window.heard[name]`.
function connect(page, name, options) {
  return page.evaluate(
    async ({ url, name, options }) => {
      const client = await window.mqtt.connectAsync(url, { clientId: name, reconnectPeriod: 0, connectTimeout: 30000, ...options }, false);
      (window.clients ??= {})[name] = client;
      const heard = ((window.heard ??= {})[name] = []);
      client.on("message", (topic, payload, packet) => {
        const { responseTopic, userProperties } = packet.properties ?? {};
        heard.push({ topic, text: new TextDecoder().decode(payload), retain: packet.retain, responseTopic, ...userProperties });
      });
    },
    { url, name, options },
  );
}
const subscribe = (page, name, filter, qos) =>
  page.evaluate(([name, filter, qos]) => window.clients[name].subscribeAsync(filter, { qos }), [name, filter, qos]);
const publish = (page, name, topic, text, options) =>
  page.evaluate(([name, topic, text, options]) => window.clients[name].publishAsync(topic, text, options), [name, topic, text, options]);

/// What a client has heard, once it is so many messages.
async function heard(page, name, number) {
  await page.waitForFunction(([name, number]) => window.heard[name].length >= number, [name, number], { timeout: 60000 });
  return page.evaluate((name) => window.heard[name].splice(0), name);
}

const page = await tab();
if (url.startsWith("wss:")) {
  const opens = await page.evaluate(
    (url) =>
      new Promise((resolve) => {
        const socket = new WebSocket(url, "mqtt");
        socket.onopen = () => resolve(true);
        socket.onerror = () => resolve(false);
      }),
    url,
  );
  if (!opens) process.exit(3);
}

for (const protocolVersion of [4, 5]) {
  const reader = `reader-${protocolVersion}`;
  const writer = `writer-${protocolVersion}`;
  const base = `browser/${protocolVersion}`;
  await connect(page, reader, { protocolVersion });
  await connect(page, writer, { protocolVersion });
  await subscribe(page, reader, `${base}/#`, 2);

  // Every quality of service, and a message of several frames.
  const large = "x".repeat(200_000);
  for (const [qos, text] of ["zero", "one", "two", large].entries()) {
    await publish(page, writer, `${base}/qos`, text, { qos: qos % 3 });
    const [{ topic, text: arrived }] = await heard(page, reader, 1);
    assert.equal(topic, `${base}/qos`);
    assert.ok(arrived === text, `${arrived.length} bytes arrived instead of ${text.length}`);
  }

  // A retained message meets a later subscription.
  await publish(page, writer, `kept/${protocolVersion}`, "v", { qos: 1, retain: true });
  await subscribe(page, reader, `kept/${protocolVersion}`, 1);
  const [kept] = await heard(page, reader, 1);
  assert.deepEqual([kept.text, kept.retain], ["v", true]);

  // A will is published when its tab is closed, without a goodbye.
  const other = await tab();
  await connect(other, `dying-${protocolVersion}`, { protocolVersion, will: { topic: `${base}/will`, payload: "gone", qos: 1 } });
  await other.close();
  const [will] = await heard(page, reader, 1);
  assert.deepEqual([will.topic, will.text], [`${base}/will`, "gone"]);
}

// What only version 5 has.
const properties = { responseTopic: "answer", userProperties: { a: "1" } };
await publish(page, "writer-5", "browser/5/properties", "p", { qos: 1, properties });
const [{ responseTopic, a }] = await heard(page, "reader-5", 1);
assert.deepEqual([responseTopic, a], ["answer", "1"]);

await page.evaluate(() => Promise.all(Object.values(window.clients).map((client) => client.endAsync())));
await browser.close();
server.close();
console.log("ok");
