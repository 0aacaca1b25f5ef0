// What GET /api/v1/status answers (see docs/api.md), and a reader that trusts nothing: a page must not break on a newer or older gateway.

export interface ClassLedger {
  created: number;
  delivered: number;
  waiting: number;
  dropped: Record<string, number>;
}

export interface Status {
  id: string;
  uptimeSeconds: number;
  uplink: { connected: boolean; url: string };
  spool: { events: number; bytes: number; degraded: boolean; bytesByClass: Map<string, number> };
  readingsIn: number;
  bytesIn: number;
  bytesUp: number;
  readingsPerSecond: number;
  /** By class, in the gateway's order of priority. */
  classes: Map<string, ClassLedger>;
  /** Readings that were not processed, by reason. */
  readingsDropped: Record<string, number>;
  cost: Cost;
}

/** In US dollars, for the readings so far; `sendAll`: what it would have cost to send every reading as a message. */
export interface Cost {
  pricePerMillion: number;
  sendAll: number;
  sent: number;
  saved: number;
}

type Json = Record<string, unknown>;

function object(value: unknown): Json {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Json) : {};
}

function number(value: unknown): number {
  return typeof value === "number" && Number.isFinite(value) ? value : 0;
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function counts(value: unknown): Record<string, number> {
  return Object.fromEntries(Object.entries(object(value)).map(([reason, count]) => [reason, number(count)]));
}

export function readStatus(value: unknown): Status {
  const status = object(value);
  const ledger = object(status["ledger"]);
  const spool = object(status["spool"]);
  const uplink = object(status["uplink"]);
  const cost = object(status["cost"]);
  const bytesByClass = new Map(Object.entries(object(spool["classes"])).map(([name, row]) => [name, number(object(row)["bytes"])]));
  const classes = new Map<string, ClassLedger>();
  for (const [name, row] of Object.entries(object(ledger["events"]))) {
    const fields = object(row);
    classes.set(name, {
      created: number(fields["created"]),
      delivered: number(fields["delivered"]),
      waiting: number(fields["waiting"]),
      dropped: counts(fields["dropped"]),
    });
  }
  return {
    id: text(status["id"]),
    uptimeSeconds: number(status["uptime_s"]),
    uplink: { connected: uplink["connected"] === true, url: text(uplink["url"]) },
    spool: { events: number(spool["events"]), bytes: number(spool["bytes"]), degraded: spool["degraded"] === true, bytesByClass },
    readingsIn: number(ledger["readings_in"]),
    bytesIn: number(ledger["bytes_in"]),
    bytesUp: number(ledger["bytes_up"]),
    readingsPerSecond: number(object(status["rates"])["readings_per_s"]),
    classes,
    readingsDropped: counts(object(status["readings"])["dropped"]),
    cost: {
      pricePerMillion: number(cost["price_per_million"]),
      sendAll: number(cost["sent_all"]),
      sent: number(cost["sent"]),
      saved: number(cost["saved"]),
    },
  };
}

export function droppedTotal(ledger: ClassLedger): number {
  return Object.values(ledger.dropped).reduce((sum, count) => sum + count, 0);
}

/** Promise of the ledger: every event is delivered, waiting, or dropped for a reason. */
export function balances(ledger: ClassLedger): boolean {
  return ledger.created === ledger.delivered + ledger.waiting + droppedTotal(ledger);
}
