import assert from "node:assert/strict";
import { test } from "node:test";

import { readAlert } from "../src/api/alert";
import { balances, droppedTotal, readStatus } from "../src/api/status";

const row = (delivered: number) => ({ created: 10, delivered, waiting: 3, dropped: { ttl: 1, spool_full: 1 } });

test("a status is read in full", () => {
  const status = readStatus({
    id: "plant-7",
    uptime_s: 12,
    uplink: { connected: true, url: "sluice://h:1" },
    spool: { events: 3, bytes: 400 },
    ledger: { readings_in: 100, bytes_in: 1000, bytes_up: 50, events: { alert: row(5) } },
    rates: { readings_per_s: 7.5 },
    cost: { price_per_million: 1.93, sent_all: 2, sent: 0.5, saved: 1.5 },
  });
  assert.equal(status.id, "plant-7");
  assert.equal(status.uplink.connected, true);
  assert.equal(status.readingsPerSecond, 7.5);
  assert.equal(status.classes.get("alert")?.delivered, 5);
  assert.equal(status.cost.saved, 1.5);
});

test("anything missing or of another type reads as nothing and does not throw", () => {
  for (const odd of [null, undefined, 1, "x", [], { ledger: 7, uplink: [], spool: null, rates: { readings_per_s: "fast" } }]) {
    const status = readStatus(odd);
    assert.equal(status.readingsPerSecond, 0);
    assert.equal(status.uplink.connected, false);
    assert.equal(status.classes.size, 0);
  }
});

test("a ledger that loses an event does not balance", () => {
  const classes = readStatus({ ledger: { events: { good: row(5), bad: row(4) } } }).classes;
  assert.equal(droppedTotal(classes.get("good")!), 2);
  assert.equal(balances(classes.get("good")!), true);
  assert.equal(balances(classes.get("bad")!), false);
});

test("an alert without a rule or a time is not an alert", () => {
  assert.equal(readAlert({ ts: 1, data: {} }), null);
  assert.equal(readAlert({ rule: "r", ts: "1" }), null);
  assert.equal(readAlert(undefined), null);
  assert.deepEqual(readAlert({ rule: "r", ts: 5, data: { device: "a" } }), { rule: "r", at: 5, data: { device: "a" } });
  assert.deepEqual(readAlert({ rule: "r", ts: 5, data: 7 })?.data, { value: 7 });
});
