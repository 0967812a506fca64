import { copyFileSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { POSTGRES_HOME } from "./layout";
import { projectRoot } from "../../../scripts/projectRoot";
import { labProblem } from "../../../lab";
import type { World } from "./world";

const KEPT = ["pulumi.log", "actions.jsonl", "inventory.yml"];

export interface Suite {
  /** The suite's hosts and stack; there once its tests run. */
  readonly world: World;
  /** A test whose failure keeps the logs of pulumi and of every host. */
  test(title: string, body: (world: World) => Promise<unknown>): void;
}

/**
 * A suite on hosts of its own making: it depends on no other suite.
 * @param name also the folder of its logs
 */
export function suite(name: string, open: () => Promise<World>, define: (suite: Suite) => void): void {
  const problem = labProblem();
  (problem === undefined ? describe : describe.skip)(name, () => {
    let world: World | undefined;
    const opened = (): World => {
      if (world === undefined)
        throw new Error(`the hosts of the suite "${name}" could not be made; see the first failure`);
      return world;
    };
    beforeAll(async () => {
      world = await open();
    });
    define({
      get world() {
        return opened();
      },
      test(title, body) {
        test(title, async () => {
          try {
            await body(opened());
          } catch (error) {
            if (world !== undefined) await keepLogs(world, name);
            throw error;
          }
        });
      },
    });
  });
}

/** What a person needs to understand a failure, copied to logs/<suite>/. */
async function keepLogs(world: World, name: string): Promise<void> {
  const dir = join(process.env.REPMGR_PULUMI_LOGS ?? join(projectRoot(), "logs", "e2e"), name);
  mkdirSync(dir, { recursive: true });
  for (const file of KEPT) {
    const path = join(world.state, file);
    if (existsSync(path)) copyFileSync(path, join(dir, file));
  }
  const command = `journalctl --no-pager -o short-precise -u 'postgresql-*' -u 'repmgrd-*'
for f in /var/log/postgresql/*/*; do [ ! -f "$f" ] || { echo "== $f"; tail -n 400 "$f"; }; done
ls -l --time-style=full-iso ${POSTGRES_HOME}/*/*/pg_wal ${POSTGRES_HOME}/*/*/data/pg_wal
cd / && timeout 5 runuser -u postgres -- psql -xc 'table pg_replication_slots' -c 'table pg_stat_wal_receiver' 2>&1`;
  await Promise.all(
    world.lab.status().map(async ({ name: host, running }) => {
      const said = running
        ? await world.lab.exec(host, command).catch((e: unknown) => ({ stdout: String(e) }))
        : undefined;
      writeFileSync(join(dir, `${host}.log`), said?.stdout ?? "the host is off\n");
    }),
  );
}
