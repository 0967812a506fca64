import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Refused } from "./kind";
import type { Properties } from "./lifecycle";
import { HEALTHY_CLUSTER } from "./pgCluster";
import { HEALTHY_INSTANCE } from "./pgInstance";
import { AS_THE_OTHERS } from "./pgPackages";
import { HEALTHY_NODE } from "./repmgrNode";

/** The form in which a resource is kept in the state. What older programs would misread gets the next number and a migration. */
export const STATE_VERSION = 2;

/**
 * Written with every resource: the form of its properties and the first release that understands it, so that an older
 * program can say which one to install. Outputs only, so they are in no comparison.
 */
export const STAMP = { stateVersion: STATE_VERSION, stateSince: "0.1.0" } as const;

/** The migration at index n makes version n + 1 of version n. */
const MIGRATIONS: readonly ((old: Properties) => Properties)[] = [fromUnversioned, fromSpelledOut];

/** What is observed of a kind, as a healthy host shows it. */
const HEALTHY: Readonly<Record<string, object>> = {
  PgInstance: HEALTHY_INSTANCE,
  RepmgrNode: HEALTHY_NODE,
  PgCluster: HEALTHY_CLUSTER,
  PgPackages: { siblings: [], versions: AS_THE_OTHERS },
};

/**
 * Of before there were numbers: what was not looked at then is taken as it was deployed, until a host says otherwise. Two
 * outputs have become inputs with another meaning.
 */
function fromUnversioned({ checksums, versions: _, ...old }: Properties): Properties {
  return {
    ...HEALTHY[String(old.kind)],
    ...(old.kind === "PgInstance" ? { wantsChecksums: checksums === true } : {}),
    ...old,
  };
}

/** Of before inputs were put aside and scripts were known by their hashes: each form says itself which it is. */
function fromSpelledOut(old: Properties): Properties {
  return old;
}

/**
 * A resource's properties from the state, in today's form; asked for before anything else is done with them.
 * @param id of the resource, for the message
 * @throws Refused when a newer program wrote them: nothing may be read, changed or deleted by their old meaning
 */
export function upToDate(id: string, kept: Properties): Properties {
  const version = kept.stateVersion === undefined ? 0 : kept.stateVersion;
  if (typeof version !== "number" || !Number.isInteger(version) || version < 0 || version > STATE_VERSION) {
    throw new Refused(newerState(id, kept));
  }
  return MIGRATIONS.slice(version).reduce((old, migrate) => migrate(old), kept);
}

/** The properties without what upToDate needs of them. */
export function withoutStamp(properties: Properties): Properties {
  const { stateVersion: _, stateSince: __, ...rest } = properties;
  return rest;
}

function newerState(id: string, { kind, stateVersion, stateSince }: Properties): string {
  const release = typeof stateSince === "string" && /^\d+\.\d+\.\d+$/.test(stateSince) ? stateSince : undefined;
  const how =
    release === undefined
      ? "Use a repmgr-pulumi as new as the one that wrote it."
      : `Use repmgr-pulumi ${release} or later: git checkout v${release} && npm install --ignore-scripts && npm run build`;
  return (
    `the state of ${String(kind)} ${id} has version ${JSON.stringify(stateVersion)}, and this program, ` +
    `repmgr-pulumi ${programVersion()}, understands versions up to ${STATE_VERSION}. It was left alone. ${how}`
  );
}

function programVersion(): string {
  const { version } = JSON.parse(readFileSync(join(process.cwd(), "package.json"), "utf8")) as { version: string };
  return version;
}
