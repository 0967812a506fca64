import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AUTHORITY, AUTHORITY_KEY } from "../unit/tlsFixture";
import { programGraph, SECRET_WORDS } from "./programGraph";

const directory = mkdtempSync(join(tmpdir(), "ca-"));
writeFileSync(join(directory, "ca.crt"), AUTHORITY);
afterAll(() => rmSync(directory, { recursive: true }));

const PEM = "/etc/repmgr/main/repmgr.pem";
const secrets = { ...SECRET_WORDS, main_ca_key: AUTHORITY_KEY };

const graphOf = (how?: string): ReturnType<typeof programGraph> =>
  programGraph(
    {
      defaults: { ssh: { user: "admin", agent: true, known_hosts: "/dev/null" } },
      hosts: { db1: { address: "192.0.2.11" }, db2: { address: "192.0.2.12" }, db3: { address: "192.0.2.13" } },
      postgresql_clusters: {
        main: {
          version: 17,
          nodes: {
            n1: { id: 1, host: "db1", role: "primary" },
            n2: { id: 2, host: "db2" },
            n3: { id: 3, host: "db3" },
          },
          tls: { ca_file: join(directory, "ca.crt"), ...(how === undefined ? {} : { replication_certificates: how }) },
        },
      },
    },
    secrets,
  );

const CASES = [
  [undefined, undefined, " scram-sha-256"],
  ["presented", { authorities: AUTHORITY, isRequired: false }, " scram-sha-256"],
  ["required", { authorities: AUTHORITY, isRequired: true }, " cert"],
] as const;

test.each(CASES)("certificates for logins, %s: every resource knows it", async (how, logins, method) => {
  const graph = await graphOf(how);
  const inputsOf = (name: string): Record<string, unknown> => graph.get(name)?.inputs ?? {};
  expect(inputsOf("Preflight main").logins).toEqual(logins);
  for (const node of ["n1", "n2", "n3"]) {
    const { hba, loginCertificate } = inputsOf(`PgInstance main-${node}`) as Record<string, string | string[]>;
    expect(loginCertificate).toBe(how && "as wanted");
    const ofNodes = [hba ?? []].flat().filter((line) => /^hostssl \S+ repmgr /.test(line));
    expect(ofNodes.filter((line) => !line.endsWith(method))).toEqual([]);
    expect(ofNodes).toHaveLength(10);
    const { repmgrConf, members } = inputsOf(`RepmgrNode main-${node}`) as {
      repmgrConf: { conninfo: string };
      members: { conninfo: string }[];
    };
    for (const { conninfo } of [repmgrConf, ...members])
      expect(conninfo.endsWith(`sslcert=${PEM} sslkey=${PEM}`)).toBe(how !== undefined);
    const { content: repmgrd } = inputsOf(`SystemdUnit main-${node}-repmgrd`) as { content: string };
    expect(repmgrd.includes(`\nEnvironment=PGSSLCERT=${PEM} PGSSLKEY=${PEM}\n`)).toBe(how !== undefined);
  }
});
