// Name of the gateway, how long it has been up, and whether this page hears from it.
import { element, setText } from "../dom";
import { duration } from "../text/format";
import type { Component } from "./component";

export interface HeaderValue {
  id: string;
  uptimeSeconds: number;
  reachable: boolean;
}

export function header(): Component<HeaderValue> {
  const name = element("h1", {}, "Sluice");
  const uptime = element("span", { class: "uptime" });
  const live = element("span", { class: "live", id: "live", role: "status" }, "connecting");
  return {
    root: element("header", {}, element("div", {}, name, uptime), live),
    update({ id, uptimeSeconds, reachable }) {
      setText(name, id === "" ? "Sluice" : id);
      document.title = id === "" ? "Sluice" : `${id} · Sluice`;
      setText(uptime, id === "" ? "" : `gateway, up ${duration(uptimeSeconds)}`);
      setText(live, reachable ? "live" : "no answer from the gateway");
      live.dataset["state"] = reachable ? "good" : "bad";
    },
  };
}
