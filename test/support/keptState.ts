import { readFileSync } from "node:fs";
import { join } from "node:path";
import { canonical } from "../../providers/canonical";
import type { Properties } from "../../providers/lifecycle";

/** Resources as a release of this program left them in the state: one of each kind, and the inventory they come from. */
export interface KeptState {
  readonly inventory: object;
  /** "Kind name" to outputs, secrets in the clear: they are made up. */
  readonly resources: Readonly<Record<string, Properties>>;
}

/** What marks a secret in an exported state (pulumi sdk, resource/sig). */
const SIGNATURE = "4dabf18193072939515e22adb298388d";
const OF_OTHER_NODES = /\b(n[23]|pg[23])\b/;
/** Stands for the key of the package repository. */
export const LAB_KEY = "-----BEGIN PGP PUBLIC KEY BLOCK-----\nof the lab\n-----END PGP PUBLIC KEY BLOCK-----\n";

export function keptStateFile(version: number): string {
  return join(__dirname, "..", "program", "recorded", `state-${version}.json`);
}

export function readKeptState(version: number): KeptState {
  return JSON.parse(readFileSync(keptStateFile(version), "utf8")) as KeptState;
}

/**
 * @param exported what "pulumi stack export --show-secrets" prints
 * @param secrets by name, as they are in that state; each becomes "word-of-<name>"
 */
export function keepState(exported: string, inventory: object, secrets: Readonly<Record<string, string>>): KeptState {
  const { deployment } = JSON.parse(exported) as { deployment: { resources: { urn: string; outputs?: Properties }[] } };
  const resources = deployment.resources.flatMap(({ urn, outputs }) => {
    const [, kind = "", name = ""] = /dynamic\/pg:(\w+)::(.+)$/.exec(urn) ?? [];
    if (outputs === undefined || kind === "" || OF_OTHER_NODES.test(name)) return [];
    const { __provider: _, aside: __, ...rest } = plainSecrets(outputs) as Properties;
    return [[`${kind} ${name}`, madeUp(rest, secrets)] as const];
  });
  return canonical({ inventory, resources: Object.fromEntries(resources) }) as unknown as KeptState;
}

/** Secrets without their mark, as exported states and the wire have it. */
export function plainSecrets(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plainSecrets);
  if (value === null || typeof value !== "object") return value;
  const record = value as Record<string, unknown>;
  if (SIGNATURE in record) return "value" in record ? record.value : (JSON.parse(String(record.plaintext)) as unknown);
  return Object.fromEntries(Object.entries(record).map(([key, inner]) => [key, plainSecrets(inner)]));
}

function madeUp(value: unknown, secrets: Readonly<Record<string, string>>): unknown {
  if (typeof value === "string") {
    const known = Object.keys(secrets).find((name) => secrets[name] === value);
    if (known !== undefined) return wordOf(known);
    return value.startsWith("-----BEGIN PGP") ? LAB_KEY : value;
  }
  if (Array.isArray(value)) return value.map((inner) => madeUp(inner, secrets));
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, madeUp(inner, secrets)]));
}

/** The secret's value in a kept state. "main_repmgr_password" is "word-of-repmgr" there. */
function wordOf(name: string): string {
  return `word-of-${name.replace("_password", "").replace("main_", "")}`;
}
