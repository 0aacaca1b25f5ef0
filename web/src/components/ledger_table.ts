// Where every event is: created = delivered + waiting + dropped, by class.
import { type ClassLedger, type Status, balances } from "../api/status";
import { element, setText } from "../dom";
import { bytes, count } from "../text/format";
import type { Component } from "./component";

const COLUMNS = ["Class", "Created", "Delivered", "Waiting", "Dropped"];

export function ledgerTable(): Component<Status> {
  const body = element("tbody");
  const table = element("table", { id: "ledger" }, element("caption", {}, "Events for the cloud, over the life of this gateway's data"));
  const head = element("tr");
  for (const name of COLUMNS) head.append(element("th", { scope: "col" }, name));
  table.append(element("thead", {}, head), body);
  const words = element("p", { class: "ledger-words", id: "ledger-words" });
  const root = element("section", { class: "panel", "aria-labelledby": "ledger-title" });
  const readings = element("p", { class: "ledger-words" });
  root.append(element("h2", { id: "ledger-title" }, "Ledger"), element("div", { class: "scroll" }, table), words, readings);
  const rows = new Map<string, HTMLTableCellElement[]>();

  const cellsOf = (name: string): HTMLTableCellElement[] => {
    const known = rows.get(name);
    if (known) return known;
    const cells = COLUMNS.slice(1).map(() => element("td"));
    rows.set(name, cells);
    body.append(element("tr", { "data-class": name }, element("th", { scope: "row" }, name), ...cells));
    return cells;
  };

  return {
    root,
    update({ classes, spool, readingsDropped }) {
      for (const [name, ledger] of classes) {
        const kept = waiting(ledger, spool.bytesByClass.get(name));
        const texts = [count(ledger.created), count(ledger.delivered), kept, reasons(ledger.dropped)];
        cellsOf(name).forEach((cell, at) => setText(cell, texts[at] ?? ""));
      }
      const wrong = [...classes].filter(([, ledger]) => !balances(ledger)).map(([name]) => name);
      setText(words, sentence(classes.size, wrong));
      words.dataset["state"] = wrong.length === 0 ? "good" : "bad";
      setText(readings, `Readings not processed by a rule or not delivered to a subscriber: ${reasons(readingsDropped)}.`);
    },
  };
}

function waiting(ledger: ClassLedger, size: number | undefined): string {
  return ledger.waiting > 0 && size !== undefined ? `${count(ledger.waiting)} (${bytes(size)})` : count(ledger.waiting);
}

function reasons(dropped: Record<string, number>): string {
  const known = Object.entries(dropped).filter(([, number]) => number > 0);
  if (known.length === 0) return "0";
  const total = known.reduce((sum, [, number]) => sum + number, 0);
  return `${count(total)} (${known.map(([reason, number]) => `${reason} ${count(number)}`).join(", ")})`;
}

function sentence(classes: number, wrong: string[]): string {
  if (classes === 0) return "No events yet.";
  if (wrong.length === 0) return "Every event is accounted for: created = delivered + waiting + dropped.";
  return `The ledger does not balance for ${wrong.join(", ")}: please report this.`;
}
