import type { Action } from "../actions/action";
import { scramVerifier, verifies } from "../facts/scram";
import type { RoleFact } from "../facts/running";
import { clusterPaths } from "../families";
import { sqlIdentifier, sqlLiteral } from "../ssh/quote";
import { isLive, type LiveMember, livePrimaries, thePrimary } from "./cluster";
import { repmgr, sqlAction } from "./commands";
import { Refused } from "./kind";
import { HEALTHY_CLUSTER, type ManagedRole, type PgClusterFacts, type PgClusterInputs } from "./pgCluster";
import { planRollingRestart } from "./rollingRestart";

interface Difference {
  readonly what: string;
  readonly database: string;
  readonly sql: readonly string[];
}

/** The plan of what exists once a cluster, carried out on whichever node is primary now. */
export function planCluster(want: PgClusterInputs, have: PgClusterFacts): Action[] {
  const primary = thePrimary(want.cluster, have.view);
  if (primary === undefined) {
    throw new Refused(
      `cluster ${want.cluster}: no node takes writes; see "sudo journalctl -u repmgrd-${want.cluster}" on its hosts`,
    );
  }
  const { host } = primary.member;
  const content = differences(want, have, primary).map(({ what, database, sql }) =>
    sqlAction(want, { host, database }, what, sql),
  );
  return [...content, ...planRollingRestart(want, have.view), ...planUnpause(want, have, primary)];
}

/** "as wanted", or what differs in roles, databases and extensions. */
export function contentState(want: PgClusterInputs, have: PgClusterFacts): string {
  const primary = livePrimaries(have.view)[0];
  if (primary === undefined) return HEALTHY_CLUSTER.content;
  return (
    differences(want, have, primary)
      .map(({ what }) => what)
      .join("; ") || HEALTHY_CLUSTER.content
  );
}

/** Runs first when a cluster goes: repmgrd stops everywhere, then nobody is registered, so no node's end looks like a failure. */
export function planClusterDelete({ view }: PgClusterFacts, inputs: PgClusterInputs): Action[] {
  const unit = clusterPaths(inputs.family, inputs.cluster).repmgrdUnit;
  const why = `cluster ${inputs.cluster} is taken down: repmgrd must not fail over meanwhile`;
  const stops = view
    .filter(({ facts }) => facts.repmgrd === "active" || facts.repmgrd === "activating")
    .map(({ member }): Action => ({ do: "run", host: member.host, why, script: `systemctl stop ${unit}` }));
  const primary = thePrimary(inputs.cluster, view);
  if (primary === undefined || (primary.facts.repmgr?.nodes.length ?? 0) === 0) return stops;
  const on = { host: primary.member.host, database: "repmgr" };
  return [
    ...stops,
    sqlAction(inputs, on, `cluster ${inputs.cluster} is taken down: unregister its nodes`, [
      "delete from repmgr.nodes;",
    ]),
  ];
}

function planUnpause(want: PgClusterInputs, { view }: PgClusterFacts, primary: LiveMember): Action[] {
  const paused = view.filter(isLive).filter(({ facts }) => facts.repmgr?.paused === true);
  if (paused.length === 0) return [];
  const names = paused.map(({ member }) => member.node).join(", ");
  const why = `repmgrd was left paused on ${names}: no failover would happen`;
  return [{ do: "run", host: primary.member.host, why, script: repmgr(want, "service unpause") }];
}

function differences(want: PgClusterInputs, have: PgClusterFacts, { facts }: LiveMember): Difference[] {
  const { roles } = facts.running;
  return [
    ...want.roles.flatMap((role) => roleDifference(role, want.rolePasswords[role.name], roles)),
    ...want.databases.flatMap((database) => databaseDifferences(database, have)),
  ];
}

function roleDifference(role: ManagedRole, password: string | undefined, roles: readonly RoleFact[]): Difference[] {
  const name = sqlIdentifier(role.name);
  const have = roles.find((r) => r.name === role.name);
  const attributes = (["login", "superuser", "createdb", "createrole", "replication"] as const).filter(
    (a) => have?.[a] !== role[a],
  );
  const limit = have?.connectionLimit === role.connectionLimit ? [] : [`connection limit ${role.connectionLimit}`];
  const options = [...attributes.map((a) => `${role[a] ? "" : "no"}${a}`), ...limit];
  const isPasswordRight = password === undefined || verifies(have?.verifier ?? null, password);
  if (have !== undefined && options.length === 0 && isPasswordRight) return [];
  const secret = isPasswordRight ? "" : ` password ${sqlLiteral(scramVerifier(password))}`;
  const reasons = [...options, ...(isPasswordRight ? [] : ["its password"])].join(", ");
  const verb = have === undefined ? "create" : "alter";
  return [
    {
      what: `${verb} role ${role.name} (${reasons})`,
      database: "postgres",
      sql: [`${verb} role ${name} with ${options.join(" ")}${secret};`],
    },
  ];
}

function databaseDifferences(want: PgClusterInputs["databases"][number], { databases }: PgClusterFacts): Difference[] {
  const name = sqlIdentifier(want.name);
  const have = databases.find((database) => database.name === want.name);
  const owner = want.owner === undefined ? "" : ` owner ${sqlIdentifier(want.owner)}`;
  const found: Difference[] = [];
  if (have === undefined) {
    found.push({
      what: `create database ${want.name}`,
      database: "postgres",
      sql: [`create database ${name}${owner};`],
    });
  } else if (want.owner !== undefined && have.owner !== want.owner) {
    const sql = [`alter database ${name} owner to ${sqlIdentifier(want.owner)};`];
    found.push({
      what: `database ${want.name} belongs to ${have.owner}, not to ${want.owner}`,
      database: "postgres",
      sql,
    });
  }
  const missing = want.extensions.filter((extension) => have?.extensions.includes(extension) !== true);
  if (missing.length > 0) {
    const sql = missing.map((extension) => `create extension if not exists ${sqlIdentifier(extension)} cascade;`);
    found.push({ what: `create extension ${missing.join(", ")} in ${want.name}`, database: want.name, sql });
  }
  return found;
}
