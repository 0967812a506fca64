import type { RepmgrFacts, RunningFacts } from "../../facts/running";
import { planBootstrap } from "../../providers/repmgrRole";
import { repmgrNodeKind } from "../../providers/repmgrNode";
import { scramVerifier } from "../../facts/scram";
import { nodeInputs as inputsOf } from "../../resources/inputs";
import { edited, C, inventoryOf, OPTION, problemsOf, runCases } from "./configFixture";
import * as facts from "../support/facts";

const OTHER = scramVerifier("another");
type Rights = NonNullable<RepmgrFacts["rights"]>;

/** How a primary with this role shows it, and what its plan says of it. */
function seen(isLimited: boolean, role: Partial<RunningFacts["roles"][number]>, rights?: Rights): string[] {
  const repmgr = { nodes: facts.rows(), paused: false, ...(rights === undefined ? {} : { rights }) };
  const one = facts.primary({ repmgr }, { roles: [facts.repmgrRole(role)] });
  const view = facts.view([one, facts.standby(2), facts.standby(3)]);
  const want = facts.nodeInputs(1, isLimited ? { limitedRole: true } : {});
  const have = facts.nodeFacts(want, view);
  const whys = facts.whys(repmgrNodeKind.plan(want, have));
  return [repmgrNodeKind.project(want, have).inputs.repmgrRole, ...whys];
}

const NONE: Rights = { lacks: [], exceeds: [] };
const FIX = (problem: string): string =>
  `pg1: repmgr's role is ${problem}: make role, database and extension as repmgr needs them`;

describe("the role repmgr", () => {
  test.each<[string, boolean, Parameters<typeof seen>[1], Rights | undefined, string]>([
    ["is the superuser that it has to be", false, {}, undefined, "as wanted"],
    ["is none and has to be", false, { superuser: false }, NONE, "without superuser"],
    ["has the rights it needs", true, { superuser: false }, NONE, "as wanted"],
    ["is a superuser and must not be", true, {}, undefined, "with superuser"],
    [
      "lacks a right and has others",
      true,
      { superuser: false },
      { lacks: ["execute on pg_promote(boolean, integer)"], exceeds: ["createdb", "the role pg_write_all_data"] },
      "without execute on pg_promote(boolean, integer) and with createdb, the role pg_write_all_data",
    ],
    [
      "may not log in",
      true,
      { superuser: false, login: false, replication: false },
      NONE,
      "without login, replication",
    ],
  ])("%s: it is shown, and mended", (_, isLimited, role, rights, shown) => {
    expect(seen(isLimited, role, rights)).toEqual([shown, ...(shown === "as wanted" ? [] : [FIX(shown)])]);
  });

  test("gets another password by a rotation, superuser or not", () => {
    for (const isLimited of [false, true]) {
      const [shown, first] = seen(isLimited, { superuser: !isLimited, verifier: OTHER }, isLimited ? NONE : undefined);
      expect([shown, first]).toEqual([
        "with another password",
        expect.stringMatching(/^pg1: repmgr's password changes/),
      ]);
    }
  });
});

test("with another password and other rights at once, the password files of all nodes change with it", () => {
  const whys = seen(true, { verifier: OTHER }).slice(1);
  expect(whys.slice(0, 4)).toEqual([
    ...[1, 2, 3].map((id): unknown => expect.stringMatching(new RegExp(`^pg${id}: repmgr's password changes`))),
    FIX("with superuser"),
  ]);
});

describe("the SQL that makes it no superuser", () => {
  const sqlOf = (version: number): string => {
    const [action] = planBootstrap(facts.nodeInputs(1, { version, limitedRole: true }), "missing");
    return action?.do === "run" ? (action.stdin ?? "") : "";
  };

  test("grants all that it needs before it takes the attribute away", () => {
    const lines = sqlOf(17).trimEnd().split("\n");
    expect(lines.at(-1)).toBe("alter role repmgr with nosuperuser nocreatedb nocreaterole nobypassrls inherit;");
    const grants = lines.filter((line) => line.startsWith("grant ")).map((line) => line.replace(/ to repmgr;$/, ""));
    expect(grants).toEqual([
      "grant execute on function pg_catalog.pg_promote(boolean, integer)",
      "grant execute on function pg_catalog.pg_wal_replay_resume()",
      "grant execute on function pg_catalog.pg_ls_dir(text, boolean, boolean)",
      "grant execute on function pg_catalog.pg_stat_file(text, boolean)",
      "grant execute on function pg_catalog.pg_read_binary_file(text)",
      "grant execute on function pg_catalog.pg_read_binary_file(text, bigint, bigint, boolean)",
      "grant connect on database repmgr",
      "grant usage on schema repmgr",
      "grant select, insert, update, delete, truncate on all tables in schema repmgr",
    ]);
    // Functions are granted in one database, the one that repmgr and pg_rewind connect to.
    expect(lines.indexOf("\\connect repmgr")).toBeLessThan(lines.findIndex((line) => line.startsWith("grant ")));
  });

  test("the database belongs to nobody who could make a function in it", () => {
    expect(sqlOf(17)).toContain("'create database repmgr' where");
    expect(sqlOf(17)).toContain("reassign owned by repmgr to current_user;");
  });

  test("a membership is revoked of its grantor from 16 on", () => {
    expect(sqlOf(16)).toMatch(/revoke %I from repmgr granted by %I cascade/);
    expect(sqlOf(15)).toMatch(/revoke %I from repmgr cascade/);
  });
});

const repmgr = (more: string): [string, string] => [`options: { ${OPTION} }`, `options: { ${OPTION} }\n      ${more}`];

describe("an inventory", () => {
  runCases([
    [
      "of an older version may not",
      [["version: 17", "version: 14"], repmgr("superuser: false")],
      [
        `26: ${C}.repmgr.superuser: CHECKPOINT, which the registration of a delayed standby needs, is for superusers alone before PostgreSQL 15; this is 14`,
      ],
    ],
  ]);

  test("may not want of repmgr what that does for superusers alone", () => {
    const option: [string, string] = [OPTION, "standby_disconnect_on_failover: true"];
    const [, to] = repmgr("superuser: false");
    const text = edited([`options: { ${OPTION} }`, to.replace(...option)]);
    expect(problemsOf(text)).toEqual([
      `i.yml:25: ${C}.repmgr.options.standby_disconnect_on_failover: repmgrd does it with a superuser's connection alone, whatever its role may: remove it, or write 'superuser: true'`,
    ]);
  });

  test("with a layout may not", () => {
    const layout = `layout: { config_file: /a/p, hba_file: /a/h, postgresql_unit: p.service, repmgr_conf: /a/r, repmgrd_unit: r.service, pass_file: /a/f, socket_directory: /s, log_directory: /l }`;
    expect(problemsOf(edited(repmgr("superuser: false"), ["port: 5432", `port: 5432\n    ${layout}`]))).toContainEqual(
      expect.stringMatching(/repmgr\.superuser: a cluster with a 'layout' keeps the role that others have made/),
    );
  });

  test.each([
    ["superuser: true", undefined],
    ["superuser: false", true],
  ])("with %s makes nodes that want it", (more, limited) => {
    const inventory = inventoryOf(edited(repmgr(more)));
    const [spec] = inventory.clusters;
    const [node] = spec?.nodes ?? [];
    if (spec === undefined || node === undefined) throw new Error("no cluster");
    expect(inputsOf(spec, inventory, node).limitedRole).toBe(limited);
  });
});
