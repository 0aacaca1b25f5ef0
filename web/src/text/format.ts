// Numbers and times as people read them. Pure; the browser's language decides separators.

export function count(value: number): string {
  return Math.round(value).toLocaleString();
}

/** 12,345,678 → "12.3 M", for tiles; exact below 100,000. */
export function shortCount(value: number): string {
  const steps: [number, string][] = [
    [1e9, " G"],
    [1e6, " M"],
    [1e5, " k"],
  ];
  for (const [from, unit] of steps) {
    if (value >= from) return significant(value / (from === 1e5 ? 1e3 : from)) + unit;
  }
  return count(value);
}

export function bytes(value: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let at = 0;
  while (value >= 1024 && at < units.length - 1) {
    value /= 1024;
    at += 1;
  }
  return `${at === 0 ? Math.round(value) : significant(value)} ${units[at]}`;
}

/** Dollars: cents from a dollar on, two significant digits below, so that small savings are not shown as nothing. */
export function dollars(value: number): string {
  if (value === 0) return "$0";
  const digits = Math.abs(value) >= 1 ? { maximumFractionDigits: 2, minimumFractionDigits: 2 } : { maximumSignificantDigits: 2 };
  return `${value < 0 ? "-" : ""}$${Math.abs(value).toLocaleString(undefined, digits)}`;
}

export function duration(seconds: number): string {
  const days = Math.floor(seconds / 86400);
  const hours = Math.floor(seconds / 3600) % 24;
  const minutes = Math.floor(seconds / 60) % 60;
  if (days > 0) return `${days} d ${hours} h`;
  if (hours > 0) return `${hours} h ${minutes} min`;
  if (minutes > 0) return `${minutes} min ${Math.floor(seconds) % 60} s`;
  return `${Math.floor(seconds)} s`;
}

/** Local time of day with milliseconds. */
export function timeOfDay(ms: number): string {
  const at = new Date(ms);
  if (Number.isNaN(at.getTime())) return "?";
  const two = (value: number): string => String(value).padStart(2, "0");
  return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}.${String(at.getMilliseconds()).padStart(3, "0")}`;
}

/** One field of an alert. Text is shown as it is; what is not text as short JSON. */
export function field(value: unknown): string {
  if (typeof value === "string") return value;
  if (typeof value === "number") return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(5)));
  return JSON.stringify(value) ?? "";
}

function significant(value: number): string {
  return value.toLocaleString(undefined, { maximumSignificantDigits: 3 });
}
