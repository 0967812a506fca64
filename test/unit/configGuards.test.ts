import { hbaLine } from "../../resources/hba";
import { C, inventoryOf, problemsOf, RULE, runCases, edited } from "./configFixture";

const layout = {
  config_file: "/etc/p/postgresql.conf",
  hba_file: "/etc/p/pg_hba.conf",
  postgresql_unit: "postgresql@17-main.service",
  repmgr_conf: "/etc/repmgr.conf",
  repmgrd_unit: "repmgrd.service",
  pass_file: "/var/lib/postgresql/.pgpass",
  socket_directory: "/run/postgresql",
  log_directory: "/var/log/postgresql",
};
const node = (id: number, more: object) => ({ id, host: `h${id}`, repmgr: { conninfo: "host=h" }, ...more });

/** The problems of a cluster of others with these lines of pg_hba.conf, without file and line. */
function lockout(...lines: string[]): string[] {
  return ofOthers(lines, { user: "root", sudo: "none" });
}

function ofOthers(lines: readonly string[], ssh: object): string[] {
  const main = {
    ...{ version: 17, data_directory: "/srv/main", failover: "manual", layout, hba_lines: lines },
    nodes: { n1: node(1, { role: "primary" }), n2: node(2, { address: "2001:db8::2" }) },
  };
  const hosts = { h1: { address: "192.0.2.1" }, h2: { address: "db2.example.org" } };
  const text = JSON.stringify({
    defaults: { ssh },
    hosts,
    postgresql_clusters: { main },
  });
  return problemsOf(text).map((problem) => problem.replace(/^i.yml:\d+: /, "").replace(`${C}.`, ""));
}

const SOCKET = "local all postgres peer";
const ALL = ["host repmgr repmgr all scram-sha-256", "host replication repmgr all scram-sha-256"];

test("a cluster that others have built is not for a login that may become postgres only", () => {
  const why =
    "'sudo: postgres' is for clusters that this program has built: the sudoers file of 'main' is that of others";
  expect(ofOthers([SOCKET, ...ALL], { user: "deploy", sudo: "postgres" })).toEqual(
    ["h1", "h2"].map((host) => `hosts.${host}.ssh.sudo: ${why}`),
  );
});

describe("the lines of pg_hba.conf of a cluster that others have built", () => {
  test.each<[string, string[], string[]]>([
    ["let everybody in", [SOCKET, ...ALL], [""]],
    [
      "are none",
      [],
      [
        "hba_lines: no line lets n1 (192.0.2.1) in to replicate as repmgr",
        "hba_lines: no line lets n1 (192.0.2.1) in to the database repmgr as repmgr",
        "hba_lines: no line lets n2 (2001:db8::2) in to replicate as repmgr",
        "hba_lines: no line lets n2 (2001:db8::2) in to the database repmgr as repmgr",
        "hba_lines: no line lets this program in, as postgres through the socket",
      ],
    ],
    [
      "ask this program for a password",
      ["local all all scram-sha-256", SOCKET, ...ALL],
      [
        "hba_lines[0]: this line does not let this program in, as postgres through the socket; put one that does before it",
      ],
    ],
    [
      "keep one node out, by a network before the others",
      [SOCKET, "host all repmgr 192.0.2.0/24 reject", ...ALL],
      [
        "hba_lines[1]: this line does not let n1 (192.0.2.1) in to the database repmgr as repmgr; put one that does before it",
      ],
    ],
    [
      "forget one node, and replication is not all",
      [SOCKET, ...ALL.slice(0, 1), "host all all all scram-sha-256", "host replication repmgr 192.0.2.0/24 md5"],
      ["hba_lines: no line lets n2 (2001:db8::2) in to replicate as repmgr"],
    ],
    [
      "cannot all be judged from here",
      [SOCKET, "hostssl all +gone samenet reject", "hostnossl all all all reject", ...ALL],
      [""],
    ],
  ])("%s", (_, lines, problems) => {
    expect(lockout(...lines)).toEqual(problems);
  });
});

describe("require", () => {
  const asks = (what: string) => ["defaults:\n", `require: { ${what} }\ndefaults:\n`] as const;
  test("what is there is no problem", () => {
    expect(problemsOf(edited(asks("checksums: true")))).toEqual([""]);
    const whole: (readonly [string, string])[] = [
      asks("checksums: true, tls: true, synchronous: true, witness: true, protect: true"),
      ["work_mem: 8MB", "ssl: on\n    protect: true\n    synchronous: {}"],
      ["clients: [192.0.2.0/24]", "clients: []"],
      ["n3: { id: 3, host: h3 }", "n3: { id: 3, host: h3, role: witness }"],
    ];
    expect(problemsOf(edited(...whole))).toEqual([""]);
  });

  runCases([
    [
      "all that a cluster lacks is said at once, where it is to be written",
      [
        asks("checksums: true, tls: true, synchronous: true, witness: true, protect: true"),
        ["work_mem: 8MB", "ssl: off\n    checksums: false"],
        [RULE, RULE.replace("reject", "scram-sha-256")],
      ],
      [
        `9: ${C}.protect: it can be deleted, and 'require' asks for protect`,
        `9: ${C}.synchronous: replication is asynchronous, and 'require' asks for synchronous`,
        `12: ${C}.nodes: no node is a witness, and 'require' asks for witness`,
        `17: ${C}.settings.ssl: TLS is not on, and 'require' asks for tls`,
        `18: ${C}.checksums: data have no checksums, and 'require' asks for checksums`,
        `19: ${C}.clients: 'clients' are let in without TLS, too; set 'tls', or write hostssl lines into 'hba', and 'require' asks for tls`,
        `21: ${C}.hba[0].type: a line of type host lets in without TLS, and 'require' asks for tls`,
      ],
    ],
  ]);
});

describe("a line of pg_hba.conf", () => {
  const withRule = (rule: string): string => edited([RULE, rule]);
  test("has the options of its method, quoted where they have to be", () => {
    const rule =
      '{ type: hostssl, database: app, user: all, address: 192.0.2.0/24, method: cert, options: { map: "a b", clientname: DN } }';
    const { hba } = inventoryOf(withRule(rule)).clusters[0] ?? { hba: [] };
    expect(hba.map(hbaLine)).toContain('hostssl app all 192.0.2.0/24 cert map="a b" clientname=DN');
  });
  runCases([
    [
      "ident over the network",
      [[RULE, RULE.replace("reject", "ident")]],
      [`19: ${C}.hba[0].method: the method 'ident' is not safe; use scram-sha-256, or say 'insecure: true' beside it`],
    ],
    [
      "an option that could end the line",
      [[RULE, RULE.replace("reject }", "reject, options: { map: 'a\"b' } }")]],
      [`19: ${C}.hba[0].options.map: must hold no double quote; found the text "a\\"b"`],
    ],
  ]);
});
