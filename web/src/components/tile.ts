// One figure with its name and a line of detail.
import { element, setText } from "../dom";
import type { Component } from "./component";

export interface TileValue {
  value: string;
  detail: string;
  state?: "good" | "bad";
}

export function tile(name: string, id: string): Component<TileValue> {
  const value = element("dd", { class: "tile-value", id: `tile-${id}` }, "–");
  const detail = element("dd", { class: "tile-detail" });
  const root = element("div", { class: "tile" }, element("dt", { class: "tile-name" }, name), value, detail);
  return {
    root,
    update(now) {
      setText(value, now.value);
      setText(detail, now.detail);
      if (now.state) value.dataset["state"] = now.state;
      else delete value.dataset["state"];
    },
  };
}
