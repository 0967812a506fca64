import { randomBytes } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Lab } from "../../../lab";
import { until } from "../../../lab/wait";
import { pgpassField } from "../../../ssh/quote";
import { seconds } from "./deadlines";
import { sh, sql } from "./oracle";

const PORT = 6432;
const DATA = "/var/tmp/state-server";
const BIN = "/usr/lib/postgresql/17/bin";

/** A PostgreSQL that holds the state of stacks, on a host that no cluster knows. */
export interface StateServer {
  /** What PULUMI_BACKEND_URL has to say. It holds no password. */
  readonly url: string;
  /** Besides, for every command: where the password is. */
  readonly env: Readonly<Record<string, string>>;
  /** How many locks Pulumi keeps there. */
  locks(): Promise<number>;
}

/**
 * Installs PostgreSQL from the lab's own packages and starts an instance of its own.
 * @param dir where the password file goes, outside of what is searched for secrets
 */
export async function startStateServer(lab: Lab, host: string, dir: string): Promise<StateServer> {
  const { uri, suite, components } = lab.aptRepository();
  const password = randomBytes(18).toString("base64url");
  await sh(
    lab,
    host,
    `set -e
echo 'deb [trusted=yes] ${uri} ${suite} ${components.join(" ")}' >/etc/apt/sources.list.d/lab.list
mkdir -p /etc/postgresql-common && echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf
export DEBIAN_FRONTEND=noninteractive
apt-get -qq update >&2 && apt-get -qq -y --no-install-recommends install postgresql-17 >&2
install -d -m 700 -o postgres -g postgres ${DATA}
printf %s '${password}' >/var/tmp/password && chown postgres: /var/tmp/password
cd / && runuser -u postgres -- ${BIN}/initdb -D ${DATA} -A scram-sha-256 --auth-local peer --pwfile /var/tmp/password >&2
rm /var/tmp/password
echo 'host state postgres 0.0.0.0/0 scram-sha-256' >>${DATA}/pg_hba.conf
runuser -u postgres -- ${BIN}/pg_ctl -D ${DATA} -s -w -l ${DATA}/log -o "-p ${PORT} -c listen_addresses='*'" start </dev/null >&2
firewall-cmd -q --add-port=${PORT}/tcp`,
  );
  await until(`PostgreSQL answers on ${host}`, seconds(30), async () => {
    return sql(lab, host, "create database state", { port: PORT }).then(
      () => true as const,
      (error: unknown) => String(error),
    );
  });
  const { address } = lab.host(host);
  const passFile = join(dir, "state.pgpass");
  mkdirSync(dir, { recursive: true });
  writeFileSync(passFile, `${address}:${PORT}:state:postgres:${pgpassField(password)}\n`, { mode: 0o600 });
  return {
    // lib/pq asks for TLS by default, which this server does not have.
    url: `postgres://postgres@${address}:${PORT}/state?sslmode=disable`,
    env: { PGPASSFILE: passFile },
    async locks() {
      // Keys begin with the name of the database.
      const query = "select count(*) from pulumi_state where key like '%/.pulumi/locks/%'";
      return Number(await sql(lab, host, query, { port: PORT, database: "state" }));
    },
  };
}
