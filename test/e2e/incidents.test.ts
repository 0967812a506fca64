import { until } from "../../lab/wait";
import { seconds } from "./support/deadlines";
import { type Happens, runIncident, type Scene } from "./support/incidentRun";
import { awaitHealthy, role, sql } from "./support/oracle";
import { RunningUp } from "./support/running";
import { run } from "./support/command";
import { setting } from "./support/incident";
import { suite } from "./support/suite";
import { HOSTS, must, World } from "./support/world";

const DATA = "/var/lib/postgresql/17/main";
const CUT_MS = 60_000;
const KILL = `kill -9 $(head -n 1 ${DATA}/postmaster.pid)`;

/** Clients that still reach it get rows acknowledged until it is fenced. */
const ISOLATED = "the primary is cut from both standbys, not from its clients";

const killPostmaster: Happens = async (scene) => {
  await scene.on(scene.primary, KILL);
  await scene.failover();
};

const losePower: Happens = async (scene) => {
  await scene.lab.poweroff(scene.primary);
  await scene.failover();
  await scene.lab.poweron(scene.primary);
};

/** Hours of writing in a moment: so much WAL that what a node behind needs is gone. */
async function outgrow(scene: Scene, primary: string): Promise<void> {
  await until("old WAL is recycled", seconds(60), async () => {
    await sql(scene.lab, primary, "create table if not exists bulk (t text)");
    await sql(scene.lab, primary, "insert into bulk select repeat('x', 1000) from generate_series(1, 20000)");
    await sql(scene.lab, primary, "select pg_switch_wal()");
    await sql(scene.lab, primary, "checkpoint");
    const oldest = await sql(
      scene.lab,
      primary,
      "select min(substr(name, 9)) from pg_ls_waldir() where length(name) = 24",
    );
    const wanted = await sql(scene.lab, primary, "select substr(pg_walfile_name(pg_current_wal_lsn()), 9)");
    return parseInt(wanted, 16) - parseInt(oldest, 16) < 4 || `${oldest} to ${wanted}`;
  });
}

/** Each run raises it, so that each restarts all. */
let connections = 120;

async function fenced(scene: Scene): Promise<void> {
  await until("the primary that sees nobody has stopped", seconds(30), async () => {
    return (await role(scene.lab, scene.primary)) === "down" || "it runs";
  });
}

/** Whatever the others do meanwhile, the old primary must not take writes any more when it is back. */
async function aMinuteApart(scene: Scene, cut: () => Promise<void>, heal: () => Promise<void>): Promise<void> {
  const end = Date.now() + CUT_MS;
  await cut();
  await scene.failover();
  await until("the minute is over", 2 * CUT_MS, () => Date.now() >= end || "not yet");
  await heal();
  await scene.writes();
}

const INCIDENTS: Readonly<Record<string, Happens>> = {
  "kill -9 of the postmaster": killPostmaster,

  "the primary's host loses power": losePower,

  "SIGSTOP of the primary": async (scene) => {
    await scene.on(scene.primary, "systemctl kill -s STOP postgresql-main");
    await scene.failover();
  },

  "the primary's link is cut for a minute": (scene) =>
    aMinuteApart(
      scene,
      () => scene.lab.cut(scene.primary),
      () => scene.lab.heal(scene.primary),
    ),

  [ISOLATED]: (scene) =>
    aMinuteApart(
      scene,
      async () => {
        for (const standby of scene.standbys) await scene.lab.cutBetween(scene.primary, standby);
      },
      async () => {
        for (const standby of scene.standbys) await scene.lab.healBetween(scene.primary, standby);
        // What it had acknowledged alone is given up only after a person was told of it.
        const alone = /[1-9]\d* transactions after that, repmgr's own among them, are on this node alone/;
        expect((await scene.world.preview()).output).toMatch(alone);
      },
    ),

  "a standby is cut from the primary, not from the other standby": async (scene) => {
    const [standby] = scene.standbys;
    await scene.lab.cutBetween(scene.primary, standby);
    await scene.staysPrimary(15);
    await scene.lab.healBetween(scene.primary, standby);
  },

  "repmgrd dies on all nodes, then the primary": async (scene) => {
    await Promise.all(HOSTS.map((host) => scene.on(host, "systemctl stop repmgrd-main")));
    scene.begins();
    await scene.on(scene.primary, KILL);
  },

  "the WAL disk of the primary is full": async (scene) => {
    await ownWalDisk(scene);
    scene.begins();
    const wal = `${DATA}/pg_wal`;
    await scene.on(scene.primary, `fallocate -l $(df --output=avail -B1 ${wal} | tail -n 1) ${wal}/filler`);
    // Segments that were made before can still be written; the next new one cannot be made.
    await until("the primary finds no room for WAL", seconds(60), async () => {
      const bulk =
        "create table if not exists bulk (t text); insert into bulk select repeat('x', 1000) from generate_series(1, 20000)";
      await sql(scene.lab, scene.primary, bulk).catch(() => undefined);
      return (await role(scene.lab, scene.primary)) === "down" || "it still writes";
    });
    await scene.failover();
    await scene.on(scene.primary, `rm -f ${wal}/filler`);
  },

  "PGDATA of a standby is deleted": async (scene) => {
    const [standby] = scene.standbys;
    await scene.on(standby, `systemctl kill -s KILL postgresql-main; rm -rf ${DATA}`);
  },

  "the slot of a stopped standby is dropped and its WAL recycled": async (scene) => {
    const [standby] = scene.standbys;
    await scene.on(standby, "systemctl stop repmgrd-main postgresql-main");
    const slot = `repmgr_slot_${standby.replace("pg", "")}`;
    await until("the slot is free", seconds(30), async () => {
      const query = `select active from pg_replication_slots where slot_name = '${slot}'`;
      return (await sql(scene.lab, scene.primary, query)) === "f" || "still in use";
    });
    await sql(scene.lab, scene.primary, `select pg_drop_replication_slot('${slot}')`);
    await outgrow(scene, scene.primary);
  },

  "both standbys are down": async (scene) => {
    await Promise.all(scene.standbys.map((host) => scene.lab.poweroff(host)));
    await fenced(scene);
    for (const host of scene.standbys) await scene.lab.poweron(host);
    expect((await scene.world.preview()).output).toMatch(/its fence stopped it: .* 2 of 3 nodes do not answer/);
  },

  "both standbys are down, and the primary is told to go on alone": async (scene) => {
    await Promise.all(scene.standbys.map((host) => scene.lab.poweroff(host)));
    await fenced(scene);
    // As docs/operations.md says it.
    await scene.on(scene.primary, "systemctl stop repmgrd-main");
    await scene.on(scene.primary, "touch /run/postgresql/main.start-anyway && systemctl start postgresql-main");
    await scene.writes();
    for (const host of scene.standbys) await scene.lab.poweron(host);
  },

  "the old primary comes back when the WAL for its rewind is gone": async (scene) => {
    await scene.lab.poweroff(scene.primary);
    await outgrow(scene, await scene.failover());
    await scene.lab.poweron(scene.primary);
  },

  "failover in the middle of pulumi up": async (scene) => {
    setting(scene.world, "work_mem", "5MB");
    const [standby] = scene.standbys;
    const up = RunningUp.start(scene.world);
    await up.reaches(/^settings: work_mem/, standby);
    scene.begins();
    await scene.on(scene.primary, KILL);
    await up.ended;
    await scene.failover();
  },

  "the primary dies in the middle of a rolling restart": async (scene) => {
    setting(scene.world, "max_connections", (connections += 10));
    const up = RunningUp.start(scene.world);
    await up.reaches(/^restart the standby/);
    scene.begins();
    await scene.on(scene.primary, KILL);
    await up.ended;
    // repmgrd is paused then and would not make up for it: the run that was cut has started it again.
    expect(await role(scene.lab, scene.primary)).toBe("primary");
    await scene.writes();
  },

  "the target of a switchover loses power half way": async (scene) => {
    const [target] = scene.standbys;
    scene.losesNothing();
    scene.begins();
    const primaryIsDown = scene.on(
      scene.primary,
      `timeout 100 sh -c 'while [ -e ${DATA}/postmaster.pid ]; do sleep 0.01; done'`,
    );
    const switchover = run(scene.world, "switchover", "main", target.replace("pg", "n"), "--yes");
    await primaryIsDown;
    await scene.lab.poweroff(target);
    process.stdout.write(`${(await switchover).output}\n`);
    await scene.lab.poweron(target);
  },

  "the whole site loses power": async (scene) => {
    await Promise.all(HOSTS.map((host) => scene.lab.poweroff(host)));
    // The start guard waits 20 s for a majority, and the lab boots one host after the other.
    for (const host of [...scene.standbys, scene.primary]) await scene.lab.poweron(host);
    await until("the primary is back by itself", seconds(60), async () => {
      return (await role(scene.lab, scene.primary)) === "primary" || "not yet";
    });
  },
};

/** A small file system of its own for pg_wal, as many have it; moved there while repmgrd is paused. */
async function ownWalDisk(scene: Scene): Promise<void> {
  const repmgr = "runuser -u postgres -- repmgr -f /etc/repmgr/main/repmgr.conf service";
  await scene.on(scene.primary, `${repmgr} pause`);
  await scene.on(
    scene.primary,
    `systemctl stop postgresql-main && cp -a ${DATA}/pg_wal /root/wal &&
mount -t tmpfs -o size=$(($(du -sk /root/wal | cut -f 1) + 65536))k,mode=700,uid=$(id -u postgres),gid=$(id -g postgres) tmpfs ${DATA}/pg_wal &&
cp -a /root/wal/. ${DATA}/pg_wal && rm -rf /root/wal && touch /run/postgresql/main.start-anyway && chown postgres: /run/postgresql/main.start-anyway && systemctl start postgresql-main`,
  );
  await scene.on(scene.primary, `${repmgr} unpause`);
  await awaitHealthy(scene.lab, HOSTS);
  await scene.writes();
}

/** What `npm test` has time for. */
const TELLING = "SIGSTOP|repmgrd dies|slot of a stopped|WAL for its rewind";
const isFull = process.env.REPMGR_PULUMI_FULL === "1";
/** A pattern of names in place of that choice; "." for all of them once. */
const chosen = new RegExp(process.env.REPMGR_PULUMI_INCIDENTS ?? (isFull ? "." : TELLING));
/** Those in which asynchronous replication may lose rows. */
const SYNCHRONOUS = ["kill -9 of the postmaster", "the primary's host loses power", ISOLATED];
const IN_A_ROW = "three failovers in a row";

suite(
  "incidents",
  () => World.deployed(),
  ({ test }) => {
    for (const turn of isFull ? [1, 2, 3] : [1]) {
      for (const [name, happens] of Object.entries(INCIDENTS).filter(([name]) => chosen.test(name)))
        test(`${name}, run ${turn}`, (world) => runIncident(world, name, happens));
    }

    if (chosen.test(IN_A_ROW)) {
      test(`${IN_A_ROW}, each followed by up`, async (world) => {
        for (const turn of [1, 2, 3]) await runIncident(world, `${IN_A_ROW}: the ${turn}.`, killPostmaster);
      });
    }
  },
);

/** The same hosts, whose primary waits for a standby before it acknowledges a row. */
async function synchronous(): Promise<World> {
  const world = await World.deployed();
  world.edit(({ postgresql_clusters: { main } }) => {
    if (main !== undefined) main.synchronous = { mode: "any", num: 1 };
  });
  must(await world.up(["--skip-preview"]));
  return world;
}

const waiting = Object.entries(INCIDENTS)
  .filter(([name]) => SYNCHRONOUS.includes(name))
  .map(([name, happens]) => [`${name}, synchronous`, happens] as const)
  .filter(([title]) => chosen.test(title));

// A suite without tests is refused by jest.
if (waiting.length > 0) {
  suite("incidents under synchronous replication", synchronous, ({ test }) => {
    for (const turn of isFull ? [1, 2, 3] : [1]) {
      for (const [title, happens] of waiting)
        test(`${title}, run ${turn}`, (world) => runIncident(world, title, happens));
    }
  });
}
