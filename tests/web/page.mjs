// Drives a gateway's page in Debian's Chromium. usage: node page.mjs PAGE_URL MQTT_PORT [FOLDER for screenshots]
// Prints "stop the gateway" when it wants that, then expects the page to say so. Exits 0 when everything was as it should be.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { chromium } from "playwright-core";

const [url, mqttPort, shots] = process.argv.slice(2);
const HOSTILE = '<img src=x onerror="window.hacked=1">';
const READINGS = 401;
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

const browser = await chromium.launch({
  executablePath: process.env.SLUICE_CHROMIUM ?? "/usr/bin/chromium",
  args: "no-sandbox disable-gpu disable-quic no-first-run disable-background-networking disable-component-update disable-sync"
    .split(" ")
    .map((flag) => `--${flag}`),
});

// Playwright's waitForFunction needs eval, which the page's content security policy rightly forbids.
async function shows(page, selector, text, timeout = 30000) {
  await page.locator(selector, { hasText: text }).waitFor({ timeout });
}

async function open(options) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  const trouble = [];
  page.on("console", (message) => message.type() === "error" && trouble.push(message.text()));
  page.on("pageerror", (error) => trouble.push(error.message));
  page.on("request", (request) => {
    if (new URL(request.url()).origin !== new URL(url).origin) trouble.push(`asks elsewhere: ${request.url()}`);
  });
  await page.goto(url);
  await shows(page, "#live", /^live$/);
  return { page, trouble };
}

function publish(readings) {
  const lines = readings.map((reading) => JSON.stringify(reading)).join("\n") + "\n";
  const result = spawnSync("mosquitto_pub", ["-p", mqttPort, "-q", "1", "-t", "sensors/web/vibration", "-l"], { input: lines });
  assert.equal(result.status, 0, String(result.stderr));
}

async function shot(page, name) {
  if (shots) await page.screenshot({ path: join(shots, `${name}.png`), fullPage: true });
}

async function findingsOfAxe(page) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => window.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"] }));
  return violations.map((each) => `${each.id}: ${each.nodes.map((node) => node.html).join(" ")}`);
}

const { page, trouble } = await open({ viewport: { width: 1200, height: 900 } });
assert.equal(await page.title(), "plant-7 · Sluice");

// One spike among steady readings; its device's name tries to become markup.
const steady = (seq) => 0.5 + 0.01 * (seq % 7);
const vibration = (seq) => (seq === 300 ? 9.5 : steady(seq));
publish([...Array(READINGS).keys()].map((seq) => ({ device: HOSTILE, ts: 1700000000000 + seq, seq, vibration: vibration(seq) })));

await page.waitForSelector("#alerts li");
assert.equal(await page.locator("#alerts li").count(), 1);
const alert = await page.locator("#alerts li").innerText();
assert.ok(alert.includes("vibration-anomaly") && alert.includes(HOSTILE) && alert.includes("9.5"), alert);
assert.equal(await page.locator("#alerts img").count(), 0);
assert.equal(await page.evaluate(() => window.hacked), undefined);

// All events reach the cloud, and the ledger says so: 1 alert, 40 averages, no sample yet.
const cells = (name) => page.locator(`#ledger tr[data-class="${name}"] td`).allInnerTexts();
await shows(page, '#ledger tr[data-class="aggregate"] td:nth-of-type(2)', /^40$/);
assert.deepEqual(await cells("alert"), ["1", "1", "0", "0"]);
assert.deepEqual(await cells("aggregate"), ["40", "40", "0", "0"]);
assert.deepEqual(await cells("sample"), ["0", "0", "0", "0"]);
assert.match(await page.locator("#ledger-words").innerText(), /accounted for/);
assert.equal(await page.locator("#tile-uplink").innerText(), "connected");
assert.match(await page.locator("#tile-dropped").innerText(), /^0 events/);
assert.match(await page.locator("#tile-saved").innerText(), /^\$0\.0\d+$/);
assert.match(await page.locator("#cost-saved").innerText(), /\(\d+(\.\d)? %\)$/);

// Readings per second move while readings come.
publish([...Array(200).keys()].map((seq) => ({ device: "steady", ts: seq, seq, vibration: steady(seq) })));
await shows(page, "#tile-rate", /[1-9]/);
assert.ok((await page.locator(".chart canvas").boundingBox()).width > 300);
await shot(page, "light");
assert.deepEqual(await findingsOfAxe(page), []);

// Dark, and as narrow as a telephone.
const dark = await open({ viewport: { width: 1200, height: 900 }, colorScheme: "dark" });
assert.notEqual(
  await dark.page.evaluate(() => getComputedStyle(document.body).backgroundColor),
  await page.evaluate(() => getComputedStyle(document.body).backgroundColor),
);
assert.deepEqual(await findingsOfAxe(dark.page), []);
await shot(dark.page, "dark");
const narrow = await open({ viewport: { width: 360, height: 740 }, isMobile: true });
assert.equal(await narrow.page.evaluate(() => document.documentElement.scrollWidth), 360);
await shot(narrow.page, "narrow");
assert.deepEqual([...trouble, ...dark.trouble, ...narrow.trouble], []);

// The page notices that the gateway is gone, keeps the last figures and says that they are old.
console.log("stop the gateway");
await shows(page, "#live", /^no answer from the gateway$/);
assert.deepEqual(await cells("alert"), ["1", "1", "0", "0"]);
console.log("start the gateway");
await shows(page, "#live", /^live$/, 60000);
await browser.close();
console.log("ok");
