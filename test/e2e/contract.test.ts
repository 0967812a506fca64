import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeAuthority } from "../../actions/certificates";
import { until } from "../../lab/wait";
import { isFull } from "./support/fullOnly";
import { Contract, type Cuts, type Resource, resourcesOf } from "./support/contract";
import { OF_A_USER, runNftables, runUfw } from "./support/firewalls";
import type { InventoryFile } from "./support/inventory";
import { awaitHealthy, roles, rowArrives, sh, sql } from "./support/oracle";
import { SECRETS } from "./support/secrets";
import { suite } from "./support/suite";
import { seconds } from "./support/deadlines";
import { HOSTS, OUTSIDER, World } from "./support/world";

interface Main {
  readonly clients: readonly string[];
  readonly nodes: { readonly n2: object };
  readonly repmgr: { readonly options: object };
}

/** A primary, a standby and a witness: every plan that a node can have. Their data go in the end. */
function smallest({ postgresql_clusters }: InventoryFile): void {
  Object.assign(postgresql_clusters.main ?? {}, {
    allow_data_loss: true,
    nodes: {
      n1: { id: 1, host: "pg1", role: "primary" },
      n2: { id: 2, host: "pg2" },
      n3: { id: 3, host: "pg3", role: "witness" },
    },
  });
}

/** A change of everything that the inventory can change of a cluster in place. */
function changed({ postgresql_clusters }: InventoryFile, outsider: string, caFile: string): void {
  const main = postgresql_clusters.main as unknown as Main;
  Object.assign(main, {
    tls: { ca_file: caFile },
    settings: { work_mem: "6MB", max_connections: 120 },
    // Restarting hands over to n2 and, through all the cuts, comes back.
    preferred_primary: "n1",
    clients: [...main.clients, `${outsider}/32`],
    roles: { app: { password_secret: "app_password", connection_limit: 7 }, reader: {} },
    databases: { app: { owner: "app" }, reports: { owner: "reader", extensions: ["pgcrypto"] } },
  });
  Object.assign(main.nodes.n2, { priority: 90 });
  Object.assign(main.repmgr.options, { log_level: "NOTICE" });
}

/** Done by hand besides, so that each kind has something to repair. */
const BY_HAND: readonly [host: string, how: string][] = [
  ["pg1", "echo '# by hand' >>/etc/apt/sources.list.d/repmgr-pulumi-lab.sources"],
  [
    "pg1",
    "rm /etc/postgresql-common/createcluster.d/*; sed -i 's/^Description=.*/&!/' /etc/systemd/system/postgresql-main.service",
  ],
  [
    "pg2",
    "ufw allow 5432; iptables -D ufw-user-input 2; iptables -A ufw-user-input -s 203.0.113.0/24 -p tcp -m tcp --dport 5432 -j ACCEPT",
  ],
  ["pg3", "nft -f /etc/nftables.conf; sed -i '/^open /d' /etc/repmgr-pulumi/nftables.rules"],
  ["pg2", "echo '# by hand' >>/etc/repmgr/main/start-guard; chmod 0700 /etc/repmgr/main/start-guard"],
  [
    "pg2",
    "mkdir /etc/systemd/system/repmgrd-main.service.d; echo '[Service]' >/etc/systemd/system/repmgrd-main.service.d/x.conf; systemctl disable -q repmgrd-main",
  ],
  [
    "pg2",
    "runuser -u postgres -- repmgr -f /etc/repmgr/main/repmgr.conf standby unregister; systemctl stop postgresql-main",
  ],
  [
    "pg3",
    "runuser -u postgres -- repmgr -f /etc/repmgr/main/repmgr.conf witness unregister; systemctl stop postgresql-main",
  ],
];

/** Shell: a line for everything that a cut left behind: unfinished files and directories, scripts that still run. */
const LEFTOVERS = `find /etc/repmgr /etc/repmgr-pulumi /etc/sudoers.d /etc/systemd/system /etc/apt /etc/postgresql-common /var/lib/postgresql -regextype posix-extended \\
  -regex '.*((pgpass|conf|guard|repmgr-main|service|sources|asc|pem|crt)\\.[A-Za-z0-9]{6}|.*\\.new|\\.building|\\.rejoining(\\.new)?)' 2>/dev/null
find /run -maxdepth 1 -name 'repmgr-*'
find /run/postgresql -name '*.start-anyway'
for lock in /run/lock/repmgr-pulumi-*; do [ ! -e "$lock" ] || flock -n "$lock" true || echo "$lock is held"; done
pgrep -af 'repmgr-pulumi|dd bs=' | grep -v pgrep; true`;

/** Shell: everything of ours, once all is deleted. */
const OURS = `ls -d /etc/repmgr/* /etc/repmgr-pulumi /etc/sudoers.d/repmgr* /etc/systemd/system/*main* /etc/systemd/system/*.wants/*main* /etc/apt/sources.list.d/repmgr* /var/lib/postgresql/17/* 2>/dev/null
if systemctl -q is-active firewalld; then firewall-cmd --list-rich-rules; firewall-cmd --permanent --list-rich-rules; fi
if [ -d /etc/ufw ]; then iptables -S ufw-user-input; cat /etc/ufw/user.rules; fi | grep 5432
nft list ruleset | grep repmgr
systemctl list-units --all --plain --no-legend '*-main.service'
pgrep -a 'postgres|repmgrd'; true`;

const POINTS: string[] = [];
const WAYS: readonly Cuts[] = isFull ? ["dropped", "stopped"] : ["by turns"];
/** Made up to each of its actions and deleted again, before it is made for good. */
const UNMADE = isFull ? /^(PgInstance|RepmgrNode) main-n2$/ : /^PgInstance main-n2$/;

for (const cuts of WAYS) {
  suite(
    `contract, cut ${cuts}`,
    () => World.bare(smallest),
    ({ test }) => {
      let contract: Contract;
      let resources: Resource[];
      let mounts: string[];
      const mountsOf = ({ lab }: World): Promise<string[]> =>
        Promise.all(HOSTS.map((host) => sh(lab, host, "findmnt -rn -o TARGET | grep -v ^/run/user | sort")));

      test("every resource is made, cut at every action", async (world) => {
        // One of each firewall that there are rules for.
        await Promise.all([runUfw(world.lab, "pg2"), runNftables(world.lab, "pg3")]);
        mounts = await mountsOf(world);
        contract = new Contract(world, cuts);
        resources = await resourcesOf(world);
        expect(resources).toHaveLength(1 + 3 + 3 * 5 + 1);
        await makeAll(async (resource) => {
          if (!UNMADE.test(resource.name)) return;
          await contract.makeAndUnmake(resource, () => expectNoTrace(world, resource));
        });
        await expectCluster(world);
      });

      test("and changed", async (world) => {
        for (const [host, how] of BY_HAND) await sh(world.lab, host, how);
        const { certificate, key } = await makeAuthority("main");
        const caFile = join(world.state, "main-ca.crt");
        writeFileSync(caFile, certificate);
        world.edit((inventory) => changed(inventory, world.lab.host(OUTSIDER).address, caFile));
        const wanted = await resourcesOf(world, { ...SECRETS, main_ca_key: key });
        for (const resource of resources) {
          resource.inputs = wanted.find(({ name }) => name === resource.name)?.inputs ?? {};
        }
        await makeAll();
        await expectCluster(world);
        expect(await sql(world.lab, "pg2", "show max_connections")).toBe("120");
        expect(await sql(world.lab, "pg1", "select count(*) from pg_roles where rolname = 'reader'")).toBe("1");
        const streams = "select bool_and(ssl), count(*) from pg_stat_replication join pg_stat_ssl using (pid)";
        expect(await sql(world.lab, "pg1", streams)).toBe("t|1");
      });

      test("nothing is left to do, and nothing of the cuts is left on the hosts", async (world) => {
        for (const resource of resources) {
          const { inputs } = await contract.read(resource);
          expect([resource.name, inputs?.pending, contract.takeLog(resource)]).toEqual([resource.name, [], []]);
        }
        for (const host of HOSTS) expect([host, await sh(world.lab, host, LEFTOVERS)]).toEqual([host, ""]);
        expect(await mountsOf(world)).toEqual(mounts);
      });

      test("what must not change, and who must not leave, is refused by what the hosts show", async (world) => {
        const preflight = resources.find(({ kind }) => kind.name === "Preflight") as Resource;
        const nodes = preflight.inputs.nodes as readonly { node: string; host: string }[];
        const without = (gone: string): object => ({ nodes: nodes.filter(({ node }) => node !== gone) });
        const with2 = (over: object): object => ({
          nodes: nodes.map((n) => (n.node === "n2" ? { ...n, ...over } : n)),
        });
        const refused: [object, RegExp][] = [
          [without("n1"), /n1 on pg1 is the primary and n2, n3 depend on it/],
          [without("n3"), /n3 \(the witness\) cannot be removed now: n2 would be left/],
          [without("n2"), /n2 cannot be removed now: n3 would be left/],
          [with2({ node: "db2" }), /n2 on pg2 cannot be called db2/],
          [with2({ host: OUTSIDER }), /n2 cannot move from pg2 to pg4/],
          [with2({ id: 7 }), /n2 on pg2 cannot change its id from 2 to 7/],
          [with2({ isWitness: true }), /n2 on pg2 cannot change from a data node to a witness/],
          [{ port: 5433 }, /port cannot change from 5432 to 5433/],
          [{ dataDirectory: "/srv/main" }, /data_directory cannot change/],
          [{ version: 16, dataDirectory: "/var/lib/postgresql/16/main" }, /version cannot change from 17 to 16/],
        ];
        for (const [over, message] of refused) {
          const asked = { ...preflight, inputs: { ...preflight.inputs, ...over } };
          expect(await contract.check(asked)).toEqual([expect.stringMatching(message)]);
        }
        const manual = { ...preflight, inputs: { ...preflight.inputs, ...without("n2"), failover: "manual" } };
        expect(await contract.check(manual)).toEqual([]);
        for (const [what, problems] of [
          ["set synchronous_standby_names = 'ANY 1 (n2)'", [expect.stringMatching(/n2 cannot be removed.*would hang/)]],
          ["reset synchronous_standby_names", []],
        ] as const) {
          await sql(world.lab, "pg1", `alter system ${what}`);
          await sql(world.lab, "pg1", "select pg_reload_conf()");
          expect(await contract.check(manual)).toEqual(problems);
        }
      });

      test("and deleted, until nothing of it is there", async (world) => {
        const inOrder = [...resources].reverse();
        for (const resource of inOrder.filter((one) => !isOfHost(one))) await contract.remove(resource);
        await besides(inOrder.filter(isOfHost), (resource) => contract.remove(resource));
        for (const host of HOSTS) {
          expect([host, await sh(world.lab, host, OURS)]).toEqual([host, ""]);
          expect([host, await sh(world.lab, host, LEFTOVERS)]).toEqual([host, ""]);
        }
        expect(await sh(world.lab, "pg2", "ufw status")).toMatch(OF_A_USER);
        for (const resource of resources.filter(({ name }) => !/^(Preflight|FirewallRule|PgPackages) /.test(name))) {
          expect([resource.name, (await contract.read(resource)).id]).toEqual([resource.name, ""]);
        }
        POINTS.push(...[...contract.points].map(([point, count]) => `${point.padEnd(32)} ${count}`).sort());
      });

      async function makeAll(first: (resource: Resource) => Promise<void> = () => Promise.resolve()): Promise<void> {
        await besides(resources.filter(isOfHost), make);
        for (const resource of resources.filter((one) => !isOfHost(one))) {
          if (resource.kind.name === "PgCluster") resource.inputs = { ...resource.inputs, nodeRoles: rolesNow() };
          await first(resource);
          await make(resource);
        }
      }

      async function make(resource: Resource): Promise<void> {
        expect([resource.name, await contract.check(resource)]).toEqual([resource.name, []]);
        await contract.converge(resource);
      }

      function rolesNow(): Record<string, unknown> {
        const nodes = resources.filter(({ kind }) => kind.name === "RepmgrNode");
        return Object.fromEntries(nodes.map(({ state }) => [String(state?.node), state?.role]));
      }
    },
  );
}

async function expectCluster({ lab }: World): Promise<void> {
  await awaitHealthy(lab, ["pg1", "pg2"]);
  expect(await roles(lab, HOSTS)).toEqual({ pg1: "primary", pg2: "standby", pg3: "primary" });
  await rowArrives(lab, "pg1", ["pg2"], { database: "app" });
  const rows = "select string_agg(node_name || ' ' || type || ' ' || active, ', ' order by node_id) from repmgr.nodes";
  const wanted = "n1 primary true, n2 standby true, n3 witness true";
  for (const host of ["pg1", "pg2"]) expect(await sql(lab, host, rows, { database: "repmgr" })).toBe(wanted);
  // The repmgrd of a witness copies them every 15 s (witness_sync_interval).
  await until("the witness has the rows", seconds(30), async () => {
    const known = await sql(lab, "pg3", rows, { database: "repmgr" });
    return known === wanted || known;
  });
  expect(await sql(lab, "pg1", "select string_agg(slot_name, ',') from pg_replication_slots")).toBe("repmgr_slot_2");
  expect(await sql(lab, "pg1", "select repmgr.repmgrd_is_paused()", { database: "repmgr" })).toBe("f");
}

/** Needs nothing of another host. */
function isOfHost({ name }: Resource): boolean {
  return /^(PgPackages|FirewallRule) |-postgresql$/.test(name);
}

/** One after the other on each host, all hosts side by side. */
async function besides(resources: readonly Resource[], work: (resource: Resource) => Promise<void>): Promise<void> {
  await Promise.all(
    HOSTS.map(async (host) => {
      for (const resource of resources.filter(({ inputs }) => inputs.host === host)) await work(resource);
    }),
  );
}

/** Nothing of the standby is left with the primary, nor what was begun of it on its host. The slot comes with the clone. */
async function expectNoTrace({ lab }: World, { kind }: Resource): Promise<void> {
  expect(await sh(lab, "pg2", LEFTOVERS)).toBe("");
  if (kind.name === "PgInstance") {
    expect(await sql(lab, "pg1", "select count(*) from pg_replication_slots")).toBe("0");
  }
  expect(await sql(lab, "pg1", "select count(*) from repmgr.nodes where node_id = 2", { database: "repmgr" })).toBe(
    "0",
  );
}

afterAll(() => {
  // The count of the cut points, for who reads the log of the run.
  if (POINTS.length > 0) process.stderr.write(`cut points, all converged:\n  ${POINTS.join("\n  ")}\n`);
});
