// What sending everything would have cost, and what was spent instead.
import type { Status } from "../api/status";
import { element, setText } from "../dom";
import { bytes, count, dollars } from "../text/format";
import type { Component } from "./component";

export function costPanel(): Component<Status> {
  const all = element("dd");
  const sent = element("dd");
  const saved = element("dd", { class: "saved", id: "cost-saved" });
  const bar = element("div", { class: "bar-part" });
  const words = element("p", { class: "cost-words" });
  const list = element("dl", { class: "cost" });
  list.append(
    element("div", {}, element("dt", {}, "Sending every reading"), all),
    element("div", {}, element("dt", {}, "Sent instead"), sent),
    element("div", {}, element("dt", {}, "Saved"), saved),
  );
  const root = element("section", { class: "panel", "aria-labelledby": "cost-title" });
  root.append(element("h2", { id: "cost-title" }, "Cost"), list, element("div", { class: "bar", "aria-hidden": "true" }, bar), words);
  return {
    root,
    update({ cost, bytesIn, bytesUp, readingsIn }) {
      setText(all, dollars(cost.sendAll));
      setText(sent, dollars(cost.sent));
      const part = cost.sendAll > 0 ? cost.sent / cost.sendAll : 0;
      setText(saved, cost.sendAll > 0 ? `${dollars(cost.saved)} (${percent(1 - part)})` : dollars(cost.saved));
      bar.style.width = `${Math.min(100, Math.max(0, part * 100)).toFixed(2)}%`;
      const price = `${dollars(cost.pricePerMillion)} per million messages`;
      setText(words, `${count(readingsIn)} readings (${bytes(bytesIn)}) in, ${bytes(bytesUp)} up, at ${price}.`);
    },
  };
}

function percent(part: number): string {
  return `${(part * 100).toLocaleString(undefined, { maximumFractionDigits: 1 })} %`;
}
