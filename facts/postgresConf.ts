import { postgresConfValue } from "../ssh/quote";
import { render } from "../templates/render";

/** postgresql.conf: a person's own conf.d first, so that the managed settings after it win. Keys in alphabetical order. */
export function renderPostgresConf(cluster: string, settings: Readonly<Record<string, string>>): string {
  const names = Object.keys(settings).sort();
  const lines = names.map((name) => ({ name, value: postgresConfValue(settings[name] ?? "") }));
  return render("postgresql.conf", { cluster, settings: lines });
}

/**
 * The settings that a postgresql.conf or repmgr.conf holds itself; includes are not followed, the last of equal names
 * wins. Syntax: PostgreSQL documentation, 20.1.2 "Parameter Interaction via the Configuration File".
 */
export function parsePostgresConf(text: string): Record<string, string> {
  const settings: Record<string, string> = {};
  for (const line of text.split("\n")) {
    const match = /^\s*([A-Za-z_][\w.]*)\s*(?:=\s*|\s)\s*('(?:[^'\\]|''|\\.)*'|[^\s#']+)/.exec(line);
    const [, name, raw] = match ?? [];
    if (name === undefined || raw === undefined || /^include(_dir|_if_exists)?$/i.test(name)) continue;
    settings[name.toLowerCase()] = raw.startsWith("'") ? unquote(raw) : raw;
  }
  return settings;
}

/** True when a person's own conf.d is still included, and before the managed settings. */
export function includesConfD(text: string): boolean {
  const first = text.split("\n").find((line) => /^\s*[^#\s]/.test(line));
  return first !== undefined && /^\s*include_dir\s*=?\s*'conf\.d'\s*$/.test(first);
}

const ESCAPES: Readonly<Record<string, string>> = { b: "\b", f: "\f", n: "\n", r: "\r", t: "\t" };

function unquote(raw: string): string {
  return raw.slice(1, -1).replace(/''|\\(.)/g, (_, escaped: string | undefined) => {
    return escaped === undefined ? "'" : (ESCAPES[escaped] ?? escaped);
  });
}
