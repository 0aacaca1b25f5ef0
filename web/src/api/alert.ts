// An alert as it arrives on the live stream: {"rule","ts","data"}.

export interface Alert {
  rule: string;
  /** ms since the epoch. */
  at: number;
  data: Record<string, unknown>;
}

export function readAlert(value: unknown): Alert | null {
  if (typeof value !== "object" || value === null) return null;
  const { rule, ts, data } = value as Record<string, unknown>;
  if (typeof rule !== "string" || typeof ts !== "number") return null;
  const fields = typeof data === "object" && data !== null && !Array.isArray(data) ? (data as Record<string, unknown>) : { value: data };
  return { rule, at: ts, data: fields };
}
