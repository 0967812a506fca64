import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { neighboursProbe } from "../../facts/neighbours";
import { parsed } from "./kindFixture";

let directory: string;
beforeEach(() => (directory = mkdtempSync(join(tmpdir(), "neighbours-"))));
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** What the probe makes of the directory when a shell really runs it. */
function look() {
  const probe = neighboursProbe(join(directory, "etc"));
  const { status, stdout } = spawnSync("sh", ["-c", probe.script], { encoding: "utf8" });
  return parsed(probe, stdout, status ?? 255);
}

function cluster(name: string, port: number, postgresConf?: string): string {
  const data = join(directory, "data", name);
  mkdirSync(join(directory, "etc", name), { recursive: true });
  const conf = `node_id='1'\nnode_name='n1'\nconninfo='host=h port=${port}'\ndata_directory='${data}'\n`;
  writeFileSync(join(directory, "etc", name, "repmgr.conf"), conf);
  if (postgresConf === undefined) return data;
  mkdirSync(data, { recursive: true });
  writeFileSync(join(data, "postgresql.conf"), postgresConf);
  return data;
}

test("a host without clusters has none", () => {
  expect(look()).toEqual([]);
});

test("what a cluster takes of the memory is what its postgresql.conf says, and nothing where that says nothing", () => {
  const main = cluster("main", 5432, "port = '5432'\n");
  const crm = cluster("crm", 5433, "shared_buffers = '1GB'\n#huge_pages = off\nhuge_pages = 'on'\n");
  const gone = cluster("gone", 5434);
  expect(look()).toEqual([
    { cluster: "crm", node: "n1", port: 5433, dataDirectory: crm, sharedBuffers: "1GB", hugePages: "on" },
    { cluster: "gone", node: "n1", port: 5434, dataDirectory: gone },
    { cluster: "main", node: "n1", port: 5432, dataDirectory: main },
  ]);
});
