import { until } from "../../../lab/wait";
import { seconds } from "./deadlines";
import type { Scene } from "./incidentRun";
import { DATA } from "./layout";
import { sql } from "./oracle";

/** SQL: the segment that is written to, without its timeline. */
export const SEGMENT = "substr(pg_walfile_name(pg_current_wal_lsn()), 9)";

/** Hours of writing in a moment: what is written by now is in none of the WAL that is left. */
export async function outgrow(scene: Scene, primary: string): Promise<void> {
  const ask = (query: string): Promise<string> => sql(scene.lab, primary, query);
  const now = parseInt(await ask(`select ${SEGMENT}`), 16);
  await until("old WAL is recycled", seconds(60), async () => {
    await ask("create table if not exists bulk (t text)");
    await ask("insert into bulk select repeat('x', 1000) from generate_series(1, 20000)");
    await ask("select pg_switch_wal()");
    await ask("checkpoint");
    const oldest = await ask("select min(substr(name, 9)) from pg_ls_waldir() where length(name) = 24");
    return parseInt(oldest, 16) > now || `the oldest is ${oldest}`;
  });
}

/** What a rewind may leave of a timeline that came to its end: of no use to who wants to go on from there. */
export async function leftover(scene: Scene, segment: string): Promise<void> {
  const older = `lpad(to_hex(timeline_id - 1), 8, '0') || '${segment}'`;
  const name = await sql(
    scene.lab,
    scene.primary,
    `select ${older} from pg_control_checkpoint() where timeline_id > 1`,
  );
  expect(name).not.toBe("");
  const wal = `${DATA}/pg_wal`;
  await scene.on(scene.primary, `cp -p "$(ls ${wal}/0* | grep -v history | tail -n 1)" ${wal}/${name}`);
}
