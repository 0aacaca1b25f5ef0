// The live stream of a gateway (server-sent events). The browser reconnects by itself; this says whether figures are fresh.
import { type Alert, readAlert } from "./alert";
import { type Status, readStatus } from "./status";

export interface LiveListener {
  status(status: Status): void;
  alert(alert: Alert): void;
  /** false: the gateway cannot be reached, or has sent nothing for a while. */
  reachable(now: boolean): void;
}

/** A gateway sends its status each second; three times that without a word means that it is gone. */
const SILENCE_MS = 3500;
/** Some errors (an HTTP status other than 200) make a browser give up; then we ask again ourselves. */
const RETRY_MS = 2000;

export function listen(listener: LiveListener, url = "/api/v1/live"): void {
  let silence: number | undefined;
  const heard = (): void => {
    window.clearTimeout(silence);
    silence = window.setTimeout(() => listener.reachable(false), SILENCE_MS);
    listener.reachable(true);
  };
  const connect = (): void => {
    const source = new EventSource(url);
    source.addEventListener("status", (event) => {
      const value = parse(event.data);
      if (value === undefined) return;
      heard();
      listener.status(readStatus(value));
    });
    source.addEventListener("alert", (event) => {
      const alert = readAlert(parse(event.data));
      if (alert) listener.alert(alert);
    });
    source.onerror = () => {
      listener.reachable(false);
      if (source.readyState === EventSource.CLOSED) window.setTimeout(connect, RETRY_MS);
    };
  };
  connect();
}

function parse(text: unknown): unknown {
  try {
    return JSON.parse(String(text));
  } catch {
    return undefined;
  }
}
