import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Lab } from "../../../lab";
import { type Finished, runChild } from "../../../scripts/childProcess";
import { projectRoot } from "../../../scripts/projectRoot";
import { sh } from "../../../ssh/quote";
import { seconds } from "./deadlines";
import { controlAddress } from "./inventory";
import { SECRETS } from "./secrets";
import { HOSTS, World } from "./world";

/** Hosts on which somebody else has built a cluster, without this program. @param how a script of test/e2e/handMade */
export async function handMade(how: "debian" | "playbook"): Promise<World> {
  const world = await World.fresh();
  const { lab } = world;
  const script = readFileSync(join(projectRoot(), "test", "e2e", "handMade", `${how}.sh`), "utf8");
  const peers = HOSTS.map((host) => lab.host(host).address);
  await Promise.all(
    HOSTS.map(async (host, index) => {
      const settings = {
        NAME: `node${index + 1}`,
        ID: String(index + 1),
        ADDRESS: lab.host(host).address,
        PRIMARY: lab.host(HOSTS[0]).address,
        PEERS: peers.join(" "),
        CLIENT: `${controlAddress(lab)}/32`,
        SUITE: lab.aptRepository().suite,
      };
      const lines = Object.entries(settings).map(([name, value]) => `${name}=${sh(value)}`);
      const done = await lab.exec(host, [...lines, script].join("\n"), {
        stdin: `${SECRETS.main_repmgr_password}\n`,
        deadlineMs: seconds(60),
      });
      if (done.code !== 0) throw new Error(`${host}: ${how}.sh: exit status ${done.code}: ${done.stderr.trim()}`);
    }),
  );
  return world;
}

/** "npm run adopt" as a person types it, without the build. */
export function adopt(world: World, output: string, hosts: readonly string[] = HOSTS): Promise<Finished> {
  const { lab } = world;
  return runChild({
    what: "npm run adopt",
    command: process.execPath,
    args: [
      ...[join(projectRoot(), "bin", "scripts", "adopt.js"), "--output", output],
      ...["--host", hosts.map((host) => `${host}=${lab.host(host).address}`).join(",")],
      ...["--key-file", lab.keyFile, "--known-hosts", lab.knownHosts],
    ],
    deadlineMs: seconds(60),
  });
}

/** The place of the stack's inventory, free again. */
export function freeInventory(world: World): string {
  const path = join(world.state, "inventory.yml");
  rmSync(path);
  return path;
}

/** Process id and start of a unit's PostgreSQL or repmgrd on all hosts: they change exactly when it was restarted. */
export function processes(lab: Lab, program: "postgres" | "repmgrd"): Promise<string[]> {
  const script = `ps -e -o pid=,ppid=,lstart=,comm= | awk '$NF == "${program}"' | while read -r pid parent rest; do
    [ "$(cat /proc/$parent/comm)" = postgres ] || echo "$pid $rest"
  done`;
  return Promise.all(
    HOSTS.map(async (host) => {
      const { stdout } = await lab.exec(host, script);
      if (stdout.trim().split("\n").length !== 1 || stdout.trim() === "")
        throw new Error(`${host}: ${program}: ${stdout}`);
      return `${host} ${stdout.trim()}`;
    }),
  );
}
