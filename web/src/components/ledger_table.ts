// Where every event is: created = delivered + waiting + dropped, by class.
import { type ClassLedger, balances, droppedTotal } from "../api/status";
import { element, setText } from "../dom";
import { count } from "../text/format";
import type { Component } from "./component";

const COLUMNS = ["Class", "Created", "Delivered", "Waiting", "Dropped"];

export function ledgerTable(): Component<Map<string, ClassLedger>> {
  const body = element("tbody");
  const table = element("table", { id: "ledger" }, element("caption", {}, "Events for the cloud, over the life of this gateway's data"));
  const head = element("tr");
  for (const name of COLUMNS) head.append(element("th", { scope: "col" }, name));
  table.append(element("thead", {}, head), body);
  const words = element("p", { class: "ledger-words", id: "ledger-words" });
  const root = element("section", { class: "panel", "aria-labelledby": "ledger-title" });
  root.append(element("h2", { id: "ledger-title" }, "Ledger"), element("div", { class: "scroll" }, table), words);
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
    update(classes) {
      for (const [name, ledger] of classes) {
        const texts = [count(ledger.created), count(ledger.delivered), count(ledger.waiting), dropped(ledger)];
        cellsOf(name).forEach((cell, at) => setText(cell, texts[at] ?? ""));
      }
      const wrong = [...classes].filter(([, ledger]) => !balances(ledger)).map(([name]) => name);
      setText(words, sentence(classes.size, wrong));
      words.dataset["state"] = wrong.length === 0 ? "good" : "bad";
    },
  };
}

function dropped(ledger: ClassLedger): string {
  const reasons = Object.entries(ledger.dropped).filter(([, number]) => number > 0);
  if (reasons.length === 0) return "0";
  return `${count(droppedTotal(ledger))} (${reasons.map(([reason, number]) => `${reason} ${count(number)}`).join(", ")})`;
}

function sentence(classes: number, wrong: string[]): string {
  if (classes === 0) return "No events yet.";
  if (wrong.length === 0) return "Every event is accounted for: created = delivered + waiting + dropped.";
  return `The ledger does not balance for ${wrong.join(", ")}: please report this.`;
}
