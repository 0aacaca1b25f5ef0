// Readings per second over the last five minutes.
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";

import { element, setText } from "../dom";
import { count } from "../text/format";
import type { Component } from "./component";

export interface RatePoint {
  /** Seconds since the epoch, by this browser. */
  at: number;
  rate: number;
}

const WINDOW_SECONDS = 300;
const HEIGHT = 220;

export function rateChart(): Component<RatePoint> {
  const times: number[] = [];
  const rates: number[] = [];
  const place = element("div", { class: "chart", role: "img", "aria-labelledby": "rate-words" });
  const words = element("p", { class: "chart-words", id: "rate-words" }, "No readings yet.");
  const root = element("section", { class: "panel", "aria-labelledby": "rate-title" });
  root.append(element("h2", { id: "rate-title" }, "Readings per second"), place, words);
  let plot = draw(place);

  new ResizeObserver(() => plot.setSize({ width: place.clientWidth, height: HEIGHT })).observe(place);
  // Colours come from the style sheet; canvas needs them again when the theme changes.
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    plot.destroy();
    plot = draw(place);
    plot.setData([times, rates]);
  });

  return {
    root,
    update(point) {
      times.push(point.at);
      rates.push(point.rate);
      while (times.length > 0 && point.at - (times[0] ?? 0) > WINDOW_SECONDS) {
        times.shift();
        rates.shift();
      }
      plot.setData([times, rates], false);
      plot.setScale("x", { min: point.at - WINDOW_SECONDS, max: point.at });
      const most = rates.reduce((a, b) => Math.max(a, b), 0);
      setText(words, `Now ${count(point.rate)}/s; the most in the last five minutes ${count(most)}/s.`);
    },
  };
}

function minuteOfDay(seconds: number): string {
  return new Date(seconds * 1000).toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
}

function draw(place: HTMLElement): uPlot {
  const style = getComputedStyle(document.documentElement);
  const colour = (name: string): string => style.getPropertyValue(name).trim();
  const axis = { stroke: colour("--ink-soft"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false } };
  return new uPlot(
    {
      width: Math.max(place.clientWidth, 200),
      height: HEIGHT,
      legend: { show: false },
      cursor: { y: false },
      scales: { x: { time: true, auto: false }, y: { range: (_plot, _low, high) => [0, Math.max(10, high * 1.1)] } },
      axes: [
        { ...axis, space: 70, values: (_plot, ticks) => ticks.map(minuteOfDay) },
        { ...axis, size: 62, values: (_plot, ticks) => ticks.map((tick) => count(tick)) },
      ],
      series: [{}, { stroke: colour("--accent"), width: 2, fill: colour("--accent-faint"), points: { show: false } }],
    },
    [[], []],
    place,
  );
}
