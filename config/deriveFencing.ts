import { REPMGR_DEFAULTS } from "./managed";
import type { RawCluster } from "./schema";
import type { FencingSpec } from "./types";

/** A majority of two is both, so of two nodes neither is ever promoted without the other, and nobody has to stop. */
const LEAST_NODES = 3;
/** The script asks all nodes at once, twice at most while one is starting; then PostgreSQL ends its sessions. */
const ASK_AND_STOP_SECONDS = 5;

/** How a cut-off primary is stopped, quickly enough for the detection time; undefined where it never is. */
export function deriveFencing(raw: RawCluster): FencingSpec | undefined {
  const nodes = Object.keys(raw.nodes).length;
  if (raw.fencing === "off" || raw.failover !== "automatic" || raw.layout !== undefined || nodes < LEAST_NODES) {
    return undefined;
  }
  const option = (name: string, or: string | number): number => Number(raw.repmgr.options[name] ?? or);
  const attempts = option("reconnect_attempts", REPMGR_DEFAULTS.reconnect_attempts);
  const detection = (attempts - 1) * option("reconnect_interval", REPMGR_DEFAULTS.reconnect_interval);
  const own = walSenderTimeout(raw);
  const timeout = own ?? clamp(Math.floor(detection / 3), 5, 15);
  const check = option("child_nodes_check_interval", clamp(Math.floor(detection / 10), 1, 3));
  const disconnect = option("child_nodes_disconnect_timeout", clamp(Math.floor(detection / 5), 0, 10));
  // repmgrd looks at its children when it wakes up, and at how long they have been gone at a later look.
  const look = check + option("monitor_interval_secs", REPMGR_DEFAULTS.monitor_interval_secs);
  const waited = disconnect === 0 ? 0 : disconnect + look;
  return {
    walSenderTimeout: timeout,
    checkInterval: check,
    disconnectTimeout: disconnect,
    fencedAfter: timeout + look + waited + ASK_AND_STOP_SECONDS,
  };
}

const SECONDS: Readonly<Record<string, number>> = { "": 0.001, ms: 0.001, s: 1, min: 60, h: 3_600, d: 86_400 };

/** The user's own wal_sender_timeout in whole seconds; undefined when there is none, or none that can be read. */
export function walSenderTimeout({ settings }: RawCluster): number | undefined {
  const [, number, unit = ""] =
    /^\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*$/.exec(String(settings.wal_sender_timeout ?? "")) ?? [];
  const factor = SECONDS[unit];
  return number === undefined || factor === undefined ? undefined : Math.ceil(Number(number) * factor);
}

function clamp(value: number, least: number, most: number): number {
  return Math.min(most, Math.max(least, value));
}
