import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { dump } from "js-yaml";
import type { Lab } from "../lab";
import { until } from "../lab/wait";
import { projectRoot } from "../scripts/projectRoot";

export const HOSTS = ["pg1", "pg2", "pg3"] as const;
export const CLUSTER = "main";
export const VERSION = 17;
export const DATA = `/var/lib/postgresql/${VERSION}/${CLUSTER}`;
const BOOTED_MS = 60_000;
const ARRIVES_MS = 30_000;

/** Files that both ways leave on a host, in archives by the moment they can be put there. */
export const FILES = {
  apt: [
    "/etc/apt/keyrings/repmgr-pulumi-lab.asc",
    "/etc/apt/sources.list.d/repmgr-pulumi-lab.sources",
    "/etc/postgresql-common/createcluster.d/repmgr-pulumi.conf",
  ],
  host: [
    ...[`postgresql-${CLUSTER}`, `repmgrd-${CLUSTER}`].map((unit) => `/etc/systemd/system/${unit}.service`),
    ...["repmgr.conf", "pgpass", "start-guard", "fence", "failover-validation", "promote", "event"].map(
      (name) => `/etc/repmgr/${CLUSTER}/${name}`,
    ),
    `/etc/sudoers.d/repmgr-${CLUSTER}`,
  ],
  data: [`${DATA}/postgresql.conf`, `${DATA}/pg_hba.conf`],
} as const;

/** Writes a benchmark's inventory: the lab's three hosts with the cluster of inventory/common.yml, and others beside it. */
export function writeInventory(lab: Lab, path: string, others: Readonly<Record<string, object>> = {}): void {
  const nodes = HOSTS.map((host, index): [string, object] => [
    `n${index + 1}`,
    { id: index + 1, host, ...(index === 0 && { role: "primary" }) },
  ]);
  const inventory = {
    extends: join(projectRoot(), "inventory", "common.yml"),
    defaults: {
      ssh: { user: "admin", key_file: lab.keyFile, known_hosts: lab.knownHosts },
      repository: { name: "lab", ...lab.aptRepository() },
    },
    hosts: Object.fromEntries(HOSTS.map((name) => [name, { address: lab.host(name).address }])),
    postgresql_clusters: {
      [CLUSTER]: { nodes: Object.fromEntries(nodes), clients: [lab.host("pg1").address.replace(/\d+$/, "0/24")] },
      ...others,
    },
  };
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, dump(inventory));
}

/** Hosts that nothing was ever installed on, done with booting. */
export async function bareHosts(lab: Lab): Promise<void> {
  if (lab.hasSnapshot("bare")) await lab.restore("bare");
  else {
    await lab.down();
    await lab.up(HOSTS.length);
    await lab.save("bare");
  }
  for (const host of HOSTS) {
    await until(`${host} has booted`, BOOTED_MS, async () => {
      const said = (
        await lab.exec(host, "systemctl is-system-running || true; systemctl is-active firewalld")
      ).stdout.trim();
      return /^(running|degraded)\nactive$/.test(said) || said;
    });
  }
}

/** SSH logins that sshd has accepted since the host booted, by host. */
export async function logins(lab: Lab): Promise<number[]> {
  const count = "journalctl --sync; journalctl -b -o cat --no-pager | grep -c '^Accepted publickey' || true";
  return Promise.all(HOSTS.map(async (host) => Number(await must(lab, host, count))));
}

/** @throws Error unless a row that the primary took arrives on both standbys */
export async function proveReplication(lab: Lab): Promise<void> {
  const [primary, ...standbys] = HOSTS;
  const sql = (statement: string): string => `psql -XAtq -v ON_ERROR_STOP=1 -c "${statement}" app`;
  await must(lab, primary, sql("create table proof as select 42 as answer"), "postgres");
  for (const host of standbys) {
    await until(`the row arrives on ${host}`, ARRIVES_MS, async () => {
      const { stdout, stderr } = await lab.exec(host, sql("select answer, pg_is_in_recovery() from proof"), {
        user: "postgres",
      });
      return stdout.trim() === "42|t" || stderr.trim();
    });
  }
}

/** What a first deployment leaves on every host, as text: equal texts are equal end states. */
export async function endState(lab: Lab): Promise<string> {
  const files = Object.values(FILES).flat().join(" ");
  const units = `postgresql-${CLUSTER} repmgrd-${CLUSTER}`;
  const look = `cd /; stat -c '%n %U:%G %a' ${files}; sha256sum ${files}
systemctl is-enabled ${units}; systemctl is-active ${units}
dpkg-query -W -f '\${Package} \${Version} \${db:Status-Status}\\n' 'postgresql*' 'repmgr*' | grep ' installed$'
for when in '' --permanent; do firewall-cmd $when --list-rich-rules | sort; done
runuser -u postgres -- psql -XAtq -d repmgr -c "show data_checksums; show fsync; select pg_is_in_recovery(); select node_name, type, active, upstream_node_id, slot_name from repmgr.nodes order by 1;
  select rolname, rolsuper, rolreplication from pg_roles where rolname !~ '^pg_' order by 1; select datname, pg_get_userbyid(datdba) from pg_database order by 1; select slot_name, active from pg_replication_slots order by 1"`;
  const found = await Promise.all(HOSTS.map(async (host) => `${host}:\n${await must(lab, host, look)}`));
  return found.join("\n");
}

export async function must(lab: Lab, host: string, command: string, user = "root"): Promise<string> {
  const { code, stdout, stderr } = await lab.exec(host, command, { user });
  if (code !== 0) throw new Error(`${host}: exit status ${code}: ${stderr.trim() || stdout.trim()}`);
  return stdout;
}
