// The first page: one gateway at a glance.
import type { Alert } from "../api/alert";
import { type Status, droppedTotal } from "../api/status";
import { alertList } from "../components/alert_list";
import { costPanel } from "../components/cost_panel";
import { header } from "../components/header";
import { ledgerTable } from "../components/ledger_table";
import { rateChart } from "../components/rate_chart";
import { tile } from "../components/tile";
import { element } from "../dom";
import { bytes, count, dollars, shortCount } from "../text/format";

export interface Overview {
  readonly root: HTMLElement;
  status(status: Status): void;
  alert(alert: Alert): void;
  reachable(now: boolean): void;
}

export function overview(): Overview {
  const top = header();
  const rate = tile("Readings per second", "rate");
  const uplink = tile("Uplink", "uplink");
  const spool = tile("Waiting in the spool", "spool");
  const lost = tile("Dropped", "dropped");
  const saved = tile("Saved", "saved");
  const chart = rateChart();
  const alerts = alertList();
  const ledger = ledgerTable();
  const cost = costPanel();
  const tiles = element("dl", { class: "tiles" }, rate.root, uplink.root, spool.root, lost.root, saved.root);
  const main = element("main", {}, tiles, element("div", { class: "columns" }, chart.root, alerts.root, ledger.root, cost.root));
  const root = element("div", { class: "page" }, top.root, main);
  let last: Status | null = null;
  let hears = false;

  const showHeader = (): void => top.update({ id: last?.id ?? "", uptimeSeconds: last?.uptimeSeconds ?? 0, reachable: hears });
  return {
    root,
    status(status) {
      last = status;
      showHeader();
      rate.update({ value: count(status.readingsPerSecond), detail: `${shortCount(status.readingsIn)} in all` });
      uplink.update(uplinkTile(status));
      spool.update(spoolTile(status));
      lost.update(droppedTile(status));
      saved.update({ value: dollars(status.cost.saved), detail: `of ${dollars(status.cost.sendAll)}` });
      chart.update({ at: Date.now() / 1000, rate: status.readingsPerSecond });
      ledger.update(status);
      cost.update(status);
    },
    alert: (alert) => alerts.update(alert),
    reachable(now) {
      if (now === hears) return;
      hears = now;
      root.classList.toggle("stale", !now);
      showHeader();
    },
  };
}

function uplinkTile(status: Status): { value: string; detail: string; state?: "good" | "bad" } {
  if (status.uplink.url === "") return { value: "none", detail: "no uplink configured" };
  return status.uplink.connected
    ? { value: "connected", detail: status.uplink.url, state: "good" }
    : { value: "offline", detail: `${status.uplink.url}; events wait in the spool`, state: "bad" };
}

function spoolTile({ spool }: Status): { value: string; detail: string; state?: "good" | "bad" } {
  const value = `${shortCount(spool.events)} events`;
  if (spool.degraded) return { value, detail: "the disk fails: events wait in memory only", state: "bad" };
  return { value, detail: `${bytes(spool.bytes)} on disk` };
}

function droppedTile(status: Status): { value: string; detail: string; state?: "good" | "bad" } {
  let total = 0;
  for (const ledger of status.classes.values()) total += droppedTotal(ledger);
  const detail = total === 0 ? "nothing lost" : "see the ledger for reasons";
  return { value: `${shortCount(total)} events`, detail, state: total === 0 ? "good" : "bad" };
}
