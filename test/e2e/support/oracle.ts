import type { Lab } from "../../../lab";
import { until } from "../../../lab/wait";
import type { Writer } from "../../../lab/writer";
import { seconds } from "./deadlines";

/** What a node itself says through SQL. */
export type Role = "primary" | "standby" | "down";

export interface SqlOptions {
  readonly database?: string;
  readonly port?: number;
  /** Directory of its socket; default: Debian's. */
  readonly socket?: string;
}

/** Debian's psql is a Perl script that looks for a server to ask, and takes several times as long as the program itself. */
const PROGRAMS =
  "PATH=/usr/lib/postgresql/17/bin:/usr/lib/postgresql/15/bin:/usr/pgsql-17/bin:/usr/pgsql-15/bin:/usr/bin:/bin";

/** Runs SQL on a host as postgres, past everything that is tested. @throws Error with what psql said */
export async function sql(lab: Lab, host: string, query: string, options: SqlOptions = {}): Promise<string> {
  const psql = ["env", PROGRAMS, "psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-p", String(options.port ?? 5432)];
  if (options.socket !== undefined) psql.push("-h", options.socket);
  const { code, stdout, stderr } = await lab.exec(host, [...psql, "-c", query, options.database ?? "postgres"], {
    user: "postgres",
  });
  if (code !== 0) throw new Error(`${host}: ${query}: ${stderr.trim()}`);
  return stdout.trim();
}

/** Runs a command on a host as root. @throws Error with its output when it fails */
export async function sh(lab: Lab, host: string, command: string, user = "root"): Promise<string> {
  const { code, stdout, stderr } = await lab.exec(host, command, { user });
  if (code !== 0) throw new Error(`${host}: ${command}: exit status ${code}: ${(stdout + stderr).trim()}`);
  return stdout.trim();
}

export async function role(lab: Lab, host: string, port = 5432): Promise<Role> {
  try {
    return (await sql(lab, host, "select pg_is_in_recovery()", { port })) === "f" ? "primary" : "standby";
  } catch {
    return "down";
  }
}

export async function roles(lab: Lab, hosts: readonly string[], port = 5432): Promise<Record<string, Role>> {
  return Object.fromEntries(await Promise.all(hosts.map(async (host) => [host, await role(lab, host, port)] as const)));
}

/** The host among these that takes writes, once one does. */
export async function awaitPrimary(lab: Lab, hosts: readonly string[], port = 5432): Promise<string> {
  let found: string | undefined;
  await until(`one of ${hosts.join(", ")} is primary`, seconds(60), async () => {
    const seen = await roles(lab, hosts, port);
    found = hosts.find((host) => seen[host] === "primary");
    return found !== undefined || JSON.stringify(seen);
  });
  return found ?? "";
}

/** The proof of replication: a row that is written on one node and arrives on the others. */
export async function rowArrives(
  lab: Lab,
  from: string,
  to: readonly string[],
  options: SqlOptions = {},
): Promise<void> {
  await sql(
    lab,
    from,
    "create table if not exists proof (id bigserial primary key, at timestamptz default now())",
    options,
  );
  const id = await sql(lab, from, "insert into proof default values returning id", options);
  await Promise.all(
    to.map((host) =>
      until(`row ${id} written on ${from} arrives on ${host}`, seconds(30), async () => {
        const seen = await sql(lab, host, "select max(id) from proof", options).catch((e: unknown) => String(e));
        return Number(seen) >= Number(id) || `newest there: ${seen}`;
      }),
    ),
  );
}

/** Process id and start of the postmaster that serves a port: they change exactly when it was restarted. */
export async function postmaster(lab: Lab, host: string, cluster = "main"): Promise<string> {
  const unit = `postgresql-${cluster}.service`;
  return sh(lab, host, `systemctl show -p MainPID -p ExecMainStartTimestampMonotonic --value ${unit} | tr '\\n' ' '`);
}

/** The same on each of these hosts. */
export function postmasters(lab: Lab, hosts: readonly string[], cluster = "main"): Promise<string[]> {
  return Promise.all(hosts.map((host) => postmaster(lab, host, cluster)));
}

export async function systemIdentifier(lab: Lab, host: string, port = 5432): Promise<string> {
  return sql(lab, host, "select system_identifier from pg_control_system()", { port });
}

/** Both standbys stream, repmgrd works everywhere: what a cluster needs after its hosts have booted. */
export async function awaitHealthy(lab: Lab, hosts: readonly string[], cluster = "main", port = 5432): Promise<void> {
  const primary = await awaitPrimary(lab, hosts, port);
  await until(`cluster ${cluster} is whole`, seconds(60), async () => {
    const streaming = await sql(lab, primary, "select count(*) from pg_stat_replication where state = 'streaming'", {
      port,
    });
    const daemons = await Promise.all(
      hosts.map((host) => lab.exec(host, `test -s /run/repmgrd-${cluster}/repmgrd.pid`).then(({ code }) => code === 0)),
    );
    return (
      (Number(streaming) >= hosts.length - 1 && daemons.every(Boolean)) ||
      `${streaming} streaming, repmgrd ready: ${daemons.join(", ")}`
    );
  });
}

/**
 * repmgrd on each standby watches the primary and has just reached it: it no longer looks for an upstream, which takes
 * it seconds after the topology changed. Source: repmgr's functions in shared memory, written by repmgrd in every turn.
 */
export async function awaitWatched(lab: Lab, standbys: readonly string[], primaryId: number): Promise<void> {
  const state = "select repmgr.get_upstream_node_id(), repmgr.get_upstream_last_seen()";
  for (const host of standbys) {
    await until(`repmgrd on ${host} watches node ${primaryId}`, seconds(30), async () => {
      const seen = await sql(lab, host, state, { database: "repmgr" });
      const [upstream, secondsAgo] = seen.split("|").map(Number);
      return (upstream === primaryId && secondsAgo !== -1 && Number(secondsAgo) <= 5) || `node|seconds ago: ${seen}`;
    });
  }
}

/** The application gets rows acknowledged now. */
export async function awaitWrites(writer: Writer): Promise<void> {
  const rows = writer.acknowledged.length;
  await until("the application writes", seconds(60), () => {
    return writer.acknowledged.length > rows + 10 || writer.lastError || "no row, no error";
  });
}
