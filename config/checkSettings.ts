import type { Checked } from "./check";
import { deriveRepmgrOptions } from "./deriveRepmgr";
import { canonicalValue, leastSettings, slotCount } from "./deriveSettings";
import { keptSetting, MANAGED_REPMGR_OPTIONS, managedSetting, REPMGR_DEFAULTS, REPMGR_OPTIONS } from "./managed";
import { unknownName } from "./nearest";
import type { RawCluster } from "./schema";

type Value = string | number | boolean;

export function checkSettings(checked: Checked, name: string, cluster: RawCluster): void {
  const least = leastSettings(Object.keys(cluster.nodes).length, slotCount(cluster));
  for (const [setting, value] of Object.entries(cluster.settings)) {
    const path = ["postgresql_clusters", name, "settings", setting];
    const managed = cluster.layout ? keptSetting(setting) : managedSetting(setting);
    const minimum = Object.hasOwn(least, setting) ? least[setting] : undefined;
    if (managed !== undefined) checked.report(path, `the program manages '${setting}' itself: ${managed}`);
    else if (minimum !== undefined && !(Number(value) >= minimum)) {
      checked.report(path, `this cluster needs at least ${minimum}, found ${canonicalValue(value)}`);
    } else if (setting === "wal_level" && value !== "replica" && value !== "logical") {
      checked.report(path, `replication needs replica or logical, found ${canonicalValue(value)}`);
    }
  }
}

export function checkOptions(checked: Checked, name: string, cluster: RawCluster): void {
  for (const [option, value] of Object.entries(cluster.repmgr.options)) {
    const path = ["postgresql_clusters", name, "repmgr", "options", option];
    const wrong = optionProblem(option, value, cluster.layout !== undefined);
    if (wrong !== undefined) checked.report(path, wrong);
  }
}

/**
 * With primary_visibility_consensus a standby that saw the primary within two monitoring intervals vetoes the election,
 * and repmgrd holds no second one (repmgrd-physical.c, do_election; repmgr#674; met on hosts): a primary that is given up
 * sooner than it is forgotten is never replaced.
 */
export function checkDetection(checked: Checked, name: string, cluster: RawCluster): void {
  const own = Object.entries(cluster.repmgr.options);
  const isKept = cluster.layout !== undefined;
  if (cluster.failover !== "automatic" || own.some(([option, value]) => optionProblem(option, value, isKept))) return;
  const options: Record<string, string> = { ...REPMGR_DEFAULTS, ...deriveRepmgrOptions(cluster) };
  const number = (option: string): number => Number(options[option]);
  if (!/^(true|on|yes|1)$/i.test(options.primary_visibility_consensus ?? "")) return;
  const givenUp = (number("reconnect_attempts") - 1) * number("reconnect_interval");
  const forgotten = 2 * number("monitor_interval_secs");
  if (givenUp > forgotten) return;
  checked.report(
    ["postgresql_clusters", name, "repmgr", "options"],
    `a lost primary would be given up after ${givenUp} s and forgotten only after ${forgotten} s, so the standbys could veto ` +
      `its replacement for ever: (reconnect_attempts - 1) x reconnect_interval must be more than 2 x monitor_interval_secs; ` +
      `reconnect_attempts ${Math.floor(forgotten / Math.max(1, number("reconnect_interval"))) + 2} is enough`,
  );
}

/** @param isKept the file was written by others, and the inventory holds all of it */
function optionProblem(option: string, value: Value, isKept: boolean): string | undefined {
  if (isKept && option !== "node_id" && option !== "node_name") {
    const known = Object.hasOwn(MANAGED_REPMGR_OPTIONS, option);
    if (known) return typeof value === "string" ? textProblem(value) : undefined;
  }
  if (Object.hasOwn(MANAGED_REPMGR_OPTIONS, option)) {
    return `the program manages '${option}' itself: ${MANAGED_REPMGR_OPTIONS[option]}`;
  }
  const kind = Object.hasOwn(REPMGR_OPTIONS, option) ? REPMGR_OPTIONS[option] : undefined;
  if (kind === undefined) return unknownName("repmgr option", option, Object.keys(REPMGR_OPTIONS));
  if (kind === "boolean") {
    return /^(true|false|on|off|yes|no|1|0)$/i.test(String(value))
      ? undefined
      : `expected true or false, found ${value}`;
  }
  if (kind === "text") return typeof value === "string" ? textProblem(value) : `expected text, found ${value}`;
  if ("min" in kind) {
    const isWhole = /^-?\d{1,9}$/.test(String(value));
    return isWhole && Number(value) >= kind.min
      ? undefined
      : `expected a whole number from ${kind.min}, found ${value}`;
  }
  return kind.includes(String(value)) ? undefined : `expected ${kind.join(", ")}, found ${value}`;
}

/** repmgr keeps its options in buffers of 1024 bytes. */
function textProblem(value: string): string | undefined {
  const bytes = Buffer.byteLength(value);
  return bytes < 1024 ? undefined : `repmgr holds 1023 bytes of an option, this one has ${bytes}`;
}
