import assert from "node:assert/strict";
import { test } from "node:test";

import { bytes, dollars, duration, field, shortCount, timeOfDay } from "../src/text/format";

test("bytes change the unit at powers of 1024", () => {
  assert.equal(bytes(0), "0 B");
  assert.equal(bytes(1023), "1023 B");
  assert.equal(bytes(1024), "1 KiB");
  assert.equal(bytes(5.5 * 1024 * 1024), "5.5 MiB");
});

test("small savings are not shown as nothing", () => {
  assert.equal(dollars(0), "$0");
  assert.equal(dollars(0.000123), "$0.00012");
  assert.equal(dollars(12.345), "$12.35");
  assert.equal(dollars(-2), "-$2.00");
});

test("durations show their two largest units", () => {
  assert.equal(duration(59.9), "59 s");
  assert.equal(duration(61), "1 min 1 s");
  assert.equal(duration(3600), "1 h 0 min");
  assert.equal(duration(90000), "1 d 1 h");
});

test("large counts are shortened, small ones are exact", () => {
  assert.equal(shortCount(99999), (99999).toLocaleString());
  assert.equal(shortCount(123456), "123 k");
  assert.equal(shortCount(12345678), "12.3 M");
});

test("fields of an alert are short, whatever they are", () => {
  assert.equal(field("sensor-1"), "sensor-1");
  assert.equal(field(3.14159265), "3.1416");
  assert.equal(field(42), "42");
  assert.equal(field(null), "null");
  assert.equal(field({ a: [1] }), '{"a":[1]}');
});

test("an impossible time does not throw", () => {
  assert.equal(timeOfDay(Number.NaN), "?");
  assert.match(timeOfDay(1700000000123), /^\d\d:\d\d:\d\d\.123$/);
});
