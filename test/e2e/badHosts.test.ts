import type { InventoryFile } from "./support/inventory";
import { DATA, POSTGRES_HOME } from "./support/layout";
import { sh } from "./support/oracle";
import { suite } from "./support/suite";
import { must, World } from "./support/world";

/** Runs preview and asserts that it names all of these, and that no host was changed. */
async function refuses(world: World, fragments: readonly RegExp[], run: "preview" | "up" = "preview"): Promise<void> {
  const { code, output } = await world[run]();
  expect(code).not.toBe(0);
  for (const fragment of fragments) expect(output).toMatch(fragment);
  expect(world.stack.actions()).toEqual([]);
}

function ssh(inventory: InventoryFile, host: string, words: Record<string, unknown>): void {
  const entry = inventory.hosts[host] as { ssh?: Record<string, unknown> };
  entry.ssh = { ...entry.ssh, ...words };
}

suite(
  "hosts that cannot be used are refused before the first change, all of them at once",
  () => World.fresh(),
  ({ test }) => {
    /** Edits the inventory for one test. */
    async function withInventory(
      world: World,
      change: (inventory: InventoryFile) => void,
      body: () => Promise<void>,
    ): Promise<void> {
      const whole = structuredClone(world.inventory);
      world.edit(change);
      try {
        await body();
      } finally {
        world.edit((inventory) => Object.assign(inventory, whole));
      }
    }

    test("a host that is off, one that shows another key, one that knows not the login", async (world) => {
      await world.lab.poweroff("pg3");
      const foreign = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEn3nhHiHPBaqDmEo9yYIBfkjMAHn7DEjpNuWXBpCfG1";
      const change = (inventory: InventoryFile): void => {
        ssh(inventory, "pg1", { user: "nobody" });
        ssh(inventory, "pg2", { host_keys: [foreign] });
      };
      await withInventory(world, change, () =>
        refuses(world, [
          /pg1 \(nobody@[^]*(refuse|denied|not accept)/i,
          /pg2 \(ops@[^]*SHA256:[^]*ssh-keyscan|pg2 \(ops@[^]*SHA256:[^]*ssh-keygen/,
          /pg3 \(admin@[^]*22/,
        ]),
      );
      await world.lab.poweron("pg3");
    });

    test("up refuses in the same words as preview", async (world) => {
      await withInventory(
        world,
        (inventory) => ssh(inventory, "pg1", { user: "nobody" }),
        () => refuses(world, [/pg1 \(nobody@/], "up"),
      );
    });

    test("sudo that asks for a password nobody gave; a port that another program has; files that are no database", async (world) => {
      const { lab } = world;
      await sh(lab, "pg1", `systemd-run -q --unit=squatter python3 -m http.server 5432`);
      await sh(lab, "pg3", `install -d -m 0700 ${DATA} && echo hello >${DATA}/letter.txt`);
      const change = (inventory: InventoryFile): void => {
        inventory.hosts.pg2 = { address: lab.host("pg2").address, ssh: { user: "ops", sudo: "nopasswd" } };
      };
      await withInventory(world, change, () =>
        refuses(world, [
          /pg1: cluster main: port 5432 is taken by "python3" \(pid \d+\)[^]*sudo ss -ltnp/,
          /pg2 \(ops@[^]*sudo asks for a password and the inventory says it would not[^]*sudo_password_secret/,
          /pg3: cluster main: \S+ holds files, but no data of PostgreSQL[^]*sudo ls -la/,
        ]),
      );
      expect(await sh(lab, "pg3", `cat ${DATA}/letter.txt`)).toBe("hello");
      await sh(lab, "pg1", "systemctl stop squatter");
      await sh(lab, "pg3", `rm -r ${POSTGRES_HOME}/17`);
    });

    test("data of another version; of another cluster; a disk too small", async (world) => {
      const { lab } = world;
      const data = (version: number, name: string): string =>
        `install -d -m 0700 ${DATA} && echo ${version} >${DATA}/PG_VERSION && echo "cluster_name = '${name}'" >${DATA}/postgresql.conf`;
      await sh(lab, "pg1", data(16, "main"));
      await sh(lab, "pg2", data(17, "billing"));
      await sh(lab, "pg3", `mkdir -p ${POSTGRES_HOME} && mount -t tmpfs -o size=64m tmpfs ${POSTGRES_HOME}`);
      await refuses(world, [
        /pg1: cluster main: \S+ holds data of PostgreSQL 16, wanted 17/,
        /pg2: cluster main: \S+ holds data of the cluster "billing", wanted "main"/,
        /pg3: cluster main: 0\.1 GiB are free for \S+, wanted at least 2\.0 GiB[^]*df -h/,
      ]);
      expect(await sh(lab, "pg2", `ls ${DATA}`)).toBe("PG_VERSION\npostgresql.conf");
      await sh(lab, "pg3", `umount ${POSTGRES_HOME}`);
      for (const host of ["pg1", "pg2"]) await sh(lab, host, `rm -r ${POSTGRES_HOME}/17`);
    });

    test("a node that cannot reach another, though we reach both; a version nobody has", async (world) => {
      const { lab } = world;
      await lab.cutBetween("pg1", "pg2");
      const change = (inventory: InventoryFile): void => {
        Object.assign(inventory.postgresql_clusters.main ?? {}, { version: 14 });
      };
      await withInventory(world, change, () =>
        refuses(world, [
          /pg1: cluster main: cannot reach n2 at \S+: [^]*ip route get/,
          /pg2: cluster main: cannot reach n1 at \S+: /,
          /pg3: cluster main: postgresql-?14[^(]* \(PostgreSQL 14\) cannot be had from file:\/srv\/repository/,
        ]),
      );
      await lab.healBetween("pg1", "pg2");
    });

    test("once all of that is put right, nothing stands in the way", async (world) => {
      const { output } = must(await world.preview());
      expect(output).toMatch(/\+ 2\d to create/);
      expect(world.stack.actions()).toEqual([]);
    });
  },
);
