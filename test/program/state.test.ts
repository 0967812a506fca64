import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { unfold } from "../../providers/aside";
import type { BaseInputs } from "../../providers/kind";
import { Lifecycle, type Properties, type World } from "../../providers/lifecycle";
import { kindNamed } from "../../providers/main";
import type { PreflightInputs } from "../../providers/preflight";
import { changeProblems } from "../../providers/preflightChanges";
import { STAMP, STATE_VERSION, upToDate } from "../../providers/state";
import { keptStateFile, LAB_KEY, plainSecrets, readKeptState } from "../support/keptState";
import { programGraph } from "./programGraph";

const versions = readdirSync(dirname(keptStateFile(0)))
  .map((file) => Number(/^state-(\d+)\.json$/.exec(file)?.[1]))
  .sort((a, b) => a - b);

/** A promotion that failed is tried again, by a script. */
const PROMOTION_RETRIED = { RepmgrNode: ["repmgrConf"], "SystemdUnit main-n1-postgresql": ["files"] };

/** What this version manages and that one did not: it differs on purpose, and up brings the hosts to it. */
const MANAGED_SINCE: readonly Readonly<Record<string, readonly string[]>>[] = [
  // settings: synchronous_standby_names. nodes: their ids. files, repmgrConf: scripts for fencing, failover and events.
  // members, repmgrConf: connections that notice silence.
  {
    PgInstance: ["settings", "members", "repmgrConf"],
    PgCluster: ["settings", "members"],
    PgPackages: ["siblings"],
    RepmgrNode: ["repmgrConf", "members"],
    "SystemdUnit main-n1-postgresql": ["files"],
    Preflight: ["failover", "nodes", "protect"],
  },
  PROMOTION_RETRIED,
  PROMOTION_RETRIED,
];

const unreachable = (): never => {
  throw new Error("a diff asks no host");
};
const lifecycle = new Lifecycle({
  review: unreachable,
  fresh: unreachable,
  apply: unreachable,
  say: unreachable,
  claims: unreachable,
  isLost: () => false,
  isRestricted: () => false,
} satisfies World);

/** What the program asks for today with the inventory of that state. */
async function askedFor(version: number): Promise<Map<string, Properties>> {
  const inventory = structuredClone(readKeptState(version).inventory) as {
    defaults: { repository: Record<string, unknown> };
  };
  const dir = mkdtempSync(join(tmpdir(), "state-"));
  try {
    inventory.defaults.repository.key_file = join(dir, "repository.asc");
    writeFileSync(join(dir, "repository.asc"), LAB_KEY);
    const graph = await programGraph(inventory);
    return new Map([...graph].map(([name, { inputs }]) => [name, plainSecrets(inputs) as Properties]));
  } finally {
    rmSync(dir, { recursive: true });
  }
}

test("there is a kept state of every version, this one's included", () => {
  expect(versions).toEqual(Array.from({ length: STATE_VERSION + 1 }, (_, version) => version));
});

describe.each(versions)("a state of version %i", (version) => {
  const { resources } = readKeptState(version);
  let asked: Map<string, Properties>;
  beforeAll(async () => {
    asked = await askedFor(version);
  });

  test("holds one of each kind", () => {
    const kinds = new Set(Object.keys(resources).map((name) => name.split(" ")[0]));
    expect([...kinds].sort()).toEqual(
      ["FirewallRule", "PgCluster", "PgInstance", "PgPackages", "Preflight", "RepmgrNode", "SystemdUnit"].sort(),
    );
  });

  test.each(Object.keys(resources))("%s differs in nothing but what was not managed then", (name) => {
    const known = upToDate("id", resources[name] ?? {});
    // Comes from the nodes' own outputs, which the program's tests make up.
    const inputs = unfold(asked.get(name) ?? {});
    const wanted: Properties = {
      ...inputs,
      ...kindNamed(String(known.kind)).inTheWordsOf?.(known, inputs as unknown as BaseInputs),
      ...(name === "PgCluster main" ? { nodeRoles: known.nodeRoles } : {}),
    };
    const kind = kindNamed(String(known.kind));
    const newlyManaged = MANAGED_SINCE[version]?.[name] ?? MANAGED_SINCE[version]?.[kind.name] ?? [];
    const only = (from: Properties): Properties => {
      return Object.fromEntries(
        kind.managed.filter((key) => !newlyManaged.includes(key)).map((key) => [key, from[key]]),
      );
    };
    expect(only(known)).toEqual(only(wanted));
    for (const key of newlyManaged) expect([key, known[key]]).not.toEqual([key, wanted[key]]);
    if (newlyManaged.length > 0) return;
    expect(lifecycle.diff(kind, known, wanted)).toEqual({ changes: false, replaces: [] });
  });

  test("is not taken for that of another cluster or of other nodes", async () => {
    const before = upToDate("main", resources["Preflight main"] ?? {}) as unknown as PreflightInputs;
    const wanted = asked.get("Preflight main") as unknown as PreflightInputs;
    expect(await changeProblems({ ask: unreachable }, wanted, before)).toEqual([]);
  });

  test("says its version in every resource, from the first version on", () => {
    const stamps = Object.values(resources).map(({ stateVersion }) => stateVersion);
    expect(new Set(stamps)).toEqual(new Set([version === 0 ? undefined : version]));
    if (version === STATE_VERSION) expect(Object.values(resources)[0]).toMatchObject(STAMP);
  });
});
