// Alerts as they happen, newest first. Keeps the last 200 in the page; the gateway and the cloud keep them all.
import type { Alert } from "../api/alert";
import { element, setText } from "../dom";
import { count, field, timeOfDay } from "../text/format";
import type { Component } from "./component";

const KEPT = 200;
const FIELDS_SHOWN = 6;

export function alertList(): Component<Alert> {
  let seen = 0;
  const list = element("ol", { class: "alerts", id: "alerts", "aria-label": "Alerts, newest first", tabindex: "0" });
  // Announced by screen readers now and then, not once for each alert of a burst: the list itself stays silent.
  const words = element("p", { class: "empty", role: "status" }, "None since this page was opened.");
  const root = element("section", { class: "panel", "aria-labelledby": "alerts-title" });
  root.append(element("h2", { id: "alerts-title" }, "Alerts"), words, list);
  return {
    root,
    update(alert) {
      seen += 1;
      list.prepend(row(alert));
      while (list.childElementCount > KEPT) list.lastElementChild?.remove();
      setText(words, `${count(seen)} since this page was opened.`);
    },
  };
}

function row(alert: Alert): HTMLElement {
  const time = element("time", { datetime: isoTime(alert.at) }, timeOfDay(alert.at));
  const fields = element("span", { class: "alert-fields" });
  // The row begins with the time already.
  const shown = Object.entries(alert.data).filter(([name]) => name !== "ts");
  for (const [name, value] of shown.slice(0, FIELDS_SHOWN)) {
    fields.append(element("span", { class: "alert-field" }, element("span", { class: "alert-key" }, name), " ", field(value)), " ");
  }
  return element("li", {}, time, " ", element("strong", {}, alert.rule), " ", fields);
}

function isoTime(ms: number): string {
  const at = new Date(ms);
  return Number.isNaN(at.getTime()) ? "" : at.toISOString();
}
