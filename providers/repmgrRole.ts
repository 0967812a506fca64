import type { Action } from "../actions/action";
import type { InstanceFacts } from "../facts/instance";
import { RIGHTS_FUNCTIONS, RIGHTS_ROLES, RIGHTS_TABLES } from "../facts/repmgrRights";
import { scramVerifier, verifies } from "../facts/scram";
import { sqlLiteral } from "../ssh/quote";
import type { ClusterInputs } from "./cluster";
import { LOCAL, sqlAction } from "./commands";

/** What decides how repmgr's role has to be. */
export interface RoleInputs extends ClusterInputs {
  readonly host: string;
  readonly repmgrPassword: string;
  /** No superuser: it has the rights that repmgr needs, one by one. */
  readonly limitedRole?: true;
}

const OTHER_PASSWORD = "with another password";

/** How the role repmgr of an instance differs from what it must be; undefined when it is right. */
export function repmgrRoleProblem(
  want: Pick<RoleInputs, "repmgrPassword" | "limitedRole" | "layout">,
  { running, repmgr }: Pick<InstanceFacts, "running" | "repmgr">,
): string | undefined {
  const role = running?.roles.find(({ name }) => name === "repmgr");
  if (role === undefined) return "missing";
  // A superuser may stream without the attribute, and "createuser --superuser" does not set it.
  const needs = [
    "login" as const,
    ...(want.limitedRole === true ? [] : (["superuser"] as const)),
    ...(want.layout === undefined ? (["replication"] as const) : []),
  ];
  const lacks: string[] = needs.filter((attribute) => !role[attribute]);
  const exceeds: string[] = [];
  if (want.limitedRole === true) {
    // A superuser has every right, so what else it has is not asked.
    if (role.superuser) exceeds.push("superuser");
    lacks.push(...(repmgr?.rights?.lacks ?? []));
    exceeds.push(...(repmgr?.rights?.exceeds ?? []));
  }
  const wrong = [
    ...(lacks.length === 0 ? [] : [`without ${lacks.join(", ")}`]),
    ...(exceeds.length === 0 ? [] : [`with ${exceeds.join(", ")}`]),
  ];
  if (wrong.length > 0) return wrong.join(" and ");
  return verifies(role.verifier, want.repmgrPassword) ? undefined : OTHER_PASSWORD;
}

/** repmgr's role, database and extension on an instance that takes writes. */
export function planBootstrap(inputs: RoleInputs, problem: string): Action[] {
  const why = `repmgr's role is ${problem}: make role, database and extension as repmgr needs them`;
  const password = `password ${sqlLiteral(scramVerifier(inputs.repmgrPassword))}`;
  const isLimited = inputs.limitedRole === true;
  return [
    sqlAction(inputs, { host: inputs.host, database: "postgres" }, why, [
      LOCAL,
      "select 'create role repmgr' where not exists (select from pg_roles where rolname = 'repmgr') \\gexec",
      `alter role repmgr with login${isLimited ? "" : " superuser"} replication ${password};`,
      `select 'create database repmgr${isLimited ? "" : " owner repmgr"}' where not exists (select from pg_database where datname = 'repmgr') \\gexec`,
      "\\connect repmgr",
      LOCAL,
      "create extension if not exists repmgr;",
      ...(isLimited ? limit(inputs.version) : []),
    ]),
  ];
}

/**
 * All that it needs is granted before it is no superuser any more: an election may come in between. What it owned would let it make
 * functions there, which a superuser might run.
 */
function limit(version: number): string[] {
  const grantor = version < 16 ? "" : " granted by %I";
  const names = RIGHTS_ROLES.map(sqlLiteral).join(", ");
  return [
    "reassign owned by repmgr to current_user;",
    `select format('grant %I to repmgr', rolname) from pg_roles where rolname in (${names}) \\gexec`,
    ...RIGHTS_FUNCTIONS.map((of) => `grant execute on function pg_catalog.${of} to repmgr;`),
    "grant connect on database repmgr to repmgr;",
    "revoke create on database repmgr from repmgr;",
    "grant usage on schema repmgr to repmgr;",
    `grant ${RIGHTS_TABLES.join(", ")} on all tables in schema repmgr to repmgr;`,
    `select format('revoke %I from repmgr${grantor} cascade', pg_get_userbyid(roleid)${version < 16 ? "" : ", pg_get_userbyid(grantor)"})
  from pg_auth_members where member = 'repmgr'::regrole and pg_get_userbyid(roleid) not in (${names}) \\gexec`,
    "alter role repmgr with nosuperuser nocreatedb nocreaterole nobypassrls inherit;",
  ];
}
