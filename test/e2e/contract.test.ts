import { Contract, type Resource, resourcesOf } from "./support/contract";
import type { Cut } from "./support/cutWorld";
import type { InventoryFile } from "./support/inventory";
import { awaitHealthy, roles, rowArrives, sh, sql } from "./support/oracle";
import { suite } from "./support/suite";
import { HOSTS, OUTSIDER, World } from "./support/world";
import { Wire } from "./support/wire";

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
function changed({ postgresql_clusters }: InventoryFile, outsider: string): void {
  const main = postgresql_clusters.main as unknown as Main;
  Object.assign(main, {
    settings: { work_mem: "6MB", max_connections: 120 },
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

/** Shell: a line for everything that a cut left behind: unfinished files, directories, scripts that still run, mounts. */
const LEFTOVERS = `find /etc/repmgr /etc/sudoers.d /etc/systemd/system /etc/apt /etc/postgresql-common /var/lib/postgresql /run -xdev \\
  -regextype posix-extended -regex '.*(\\.[A-Za-z0-9]{6}|\\.building|\\.rejoining(\\.new)?|/repmgr-(pulumi|clone|rejoin)[^/]*)' 2>/dev/null
find /run/postgresql -name '*.start-anyway'
for lock in /run/lock/repmgr-pulumi-*; do [ ! -e "$lock" ] || flock -n "$lock" true || echo "$lock is held"; done
pgrep -af 'repmgr-pulumi|dd bs=' | grep -v pgrep; true`;

/** Shell: everything of ours, once all is deleted. */
const OURS = `ls -d /etc/repmgr/* /etc/sudoers.d/repmgr* /etc/systemd/system/*main* /etc/systemd/system/*.wants/*main* /etc/apt/sources.list.d/repmgr* /var/lib/postgresql/17/* 2>/dev/null
firewall-cmd --list-rich-rules; firewall-cmd --permanent --list-rich-rules
systemctl list-units --all --plain --no-legend '*-main.service'
pgrep -a 'postgres|repmgrd'; true`;

const POINTS: string[] = [];

for (const cut of ["dropped", "stopped"] as const satisfies readonly Cut[]) {
  suite(
    `contract-${cut}`,
    () => World.bare(smallest),
    ({ test }) => {
      let contract: Contract;
      let resources: Resource[];
      let mounts: string[];
      const wires = new Map<string, Wire>();
      const mountsOf = ({ lab }: World): Promise<string[]> =>
        Promise.all(HOSTS.map((host) => sh(lab, host, "findmnt -rn -o TARGET | sort")));

      test("every resource is made, cut at every action", async (world) => {
        for (const host of HOSTS) wires.set(host, await Wire.open(world.lab.host(host).address));
        mounts = await mountsOf(world);
        contract = new Contract(world, wires);
        resources = await resourcesOf(world);
        expect(resources).toHaveLength(1 + 3 + 3 * 5 + 1);
        await makeAll();
        await expectCluster(world);
      });

      test("and changed", async (world) => {
        for (const [host, how] of BY_HAND) await sh(world.lab, host, how);
        world.edit((inventory) => changed(inventory, world.lab.host(OUTSIDER).address));
        const wanted = await resourcesOf(world);
        for (const resource of resources) {
          resource.inputs = wanted.find(({ name }) => name === resource.name)?.inputs ?? {};
        }
        await makeAll();
        await expectCluster(world);
        expect(await sql(world.lab, "pg2", "show max_connections")).toBe("120");
        expect(await sql(world.lab, "pg1", "select count(*) from pg_roles where rolname = 'reader'")).toBe("1");
      });

      test("nothing is left to do, and nothing of the cuts is left on the hosts", async (world) => {
        contract.takeLog();
        for (const resource of resources) {
          const { inputs } = await contract.read(resource);
          expect([resource.name, inputs?.pending]).toEqual([resource.name, []]);
        }
        expect(contract.takeLog()).toEqual([]);
        for (const host of HOSTS) expect([host, await sh(world.lab, host, LEFTOVERS)]).toEqual([host, ""]);
        expect(await mountsOf(world)).toEqual(mounts);
      });

      test("and deleted, until nothing of it is there", async (world) => {
        for (const resource of [...resources].reverse()) await contract.remove(resource, cut);
        for (const host of HOSTS) {
          expect([host, await sh(world.lab, host, OURS)]).toEqual([host, ""]);
          expect([host, await sh(world.lab, host, LEFTOVERS)]).toEqual([host, ""]);
        }
        for (const resource of resources.filter(({ name }) => !/^(Preflight|FirewallRule|PgPackages) /.test(name))) {
          expect([resource.name, (await contract.read(resource)).id]).toEqual([resource.name, ""]);
        }
        POINTS.push(...[...contract.points].map(([point, count]) => `${point.padEnd(32)} ${count}`).sort());
      });

      async function makeAll(): Promise<void> {
        for (const resource of resources) {
          if (resource.kind.name === "PgCluster") resource.inputs = { ...resource.inputs, nodeRoles: rolesNow() };
          expect([resource.name, await contract.check(resource)]).toEqual([resource.name, []]);
          await contract.converge(resource, cut);
        }
      }

      function rolesNow(): Record<string, unknown> {
        const nodes = resources.filter(({ kind }) => kind.name === "RepmgrNode");
        return Object.fromEntries(nodes.map(({ state }) => [String(state?.node), state?.role]));
      }

      afterAll(async () => {
        for (const wire of wires.values()) await wire.close();
      });
    },
  );
}

async function expectCluster({ lab }: World): Promise<void> {
  await awaitHealthy(lab, ["pg1", "pg2"]);
  expect(await roles(lab, HOSTS)).toEqual({ pg1: "primary", pg2: "standby", pg3: "primary" });
  await rowArrives(lab, "pg1", ["pg2"], { database: "app" });
  const rows = "select string_agg(node_name || ' ' || type || ' ' || active, ', ' order by node_id) from repmgr.nodes";
  for (const host of HOSTS) {
    expect(await sql(lab, host, rows, { database: "repmgr" })).toBe(
      "n1 primary true, n2 standby true, n3 witness true",
    );
  }
  expect(await sql(lab, "pg1", "select string_agg(slot_name, ',') from pg_replication_slots")).toBe("repmgr_slot_2");
  expect(await sql(lab, "pg1", "select repmgr.repmgrd_is_paused()", { database: "repmgr" })).toBe("f");
}

afterAll(() => {
  // The count of the cut points, for who reads the log of the run.
  if (POINTS.length > 0) process.stderr.write(`cut points, all converged:\n  ${POINTS.join("\n  ")}\n`);
});
