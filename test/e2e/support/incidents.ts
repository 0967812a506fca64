import { until } from "../../../lab/wait";
import { sh } from "../../../ssh/quote";
import { run } from "./command";
import { seconds } from "./deadlines";
import { setting } from "./incident";
import type { Happens, Scene } from "./incidentRun";
import { BIN, DATA } from "./layout";
import { leftover, outgrow, SEGMENT } from "./walFaults";
import { awaitHealthy, role, sql } from "./oracle";
import { RunningUp } from "./running";
import { HOSTS, OUTSIDER } from "./world";

const CUT_MS = 60_000;
const KILL = `kill -9 $(head -n 1 ${DATA}/postmaster.pid)`;

/** Clients that still reach it get rows acknowledged until it is fenced. */
export const ISOLATED = "the primary is cut from both standbys, not from its clients";

export const killPostmaster: Happens = async (scene) => {
  await scene.on(scene.primary, KILL);
  await scene.failover();
};

const losePower: Happens = async (scene) => {
  await scene.lab.poweroff(scene.primary);
  await scene.failover();
  await scene.lab.poweron(scene.primary);
};

/** Each run raises them, so that each changes, or restarts, all. */
let connections = 120;
let megabytes = 4;

async function fenced(scene: Scene): Promise<void> {
  await until("the primary that sees nobody has stopped", seconds(30), async () => {
    return (await role(scene.lab, scene.primary)) === "down" || "it runs";
  });
}

async function primaryIsBack(scene: Scene): Promise<void> {
  await until("the primary is back by itself", seconds(60), async () => {
    return (await role(scene.lab, scene.primary)) === "primary" || "not yet";
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

/** The primary is lost, or seems to be. */
export const OF_PRIMARY: Readonly<Record<string, Happens>> = {
  "kill -9 of the postmaster": killPostmaster,

  "the primary's host loses power": losePower,

  "SIGSTOP of the primary": async (scene) => {
    await scene.on(scene.primary, "systemctl kill -s STOP postgresql-main");
    await scene.failover();
  },

  "the promotion of the winner fails at first": async (scene) => {
    const repmgr = `${BIN}/repmgr`;
    const once = `case "$*" in *"standby promote"*) mkdir /run/postgresql/failed 2>/dev/null && exit 8 ;; esac`;
    const failing = `printf '%s\\n' '#!/bin/sh' ${sh(once)} 'exec ${repmgr}.real "$@"' >${repmgr} && chmod 755 ${repmgr}`;
    for (const host of scene.standbys) await scene.on(host, `mv ${repmgr} ${repmgr}.real && ${failing}`);
    scene.begins();
    await killPostmaster(scene);
    for (const host of scene.standbys) await scene.on(host, `mv ${repmgr}.real ${repmgr}`);
    const failed = await Promise.all(
      scene.standbys.map((host) => scene.on(host, "rmdir /run/postgresql/failed && echo yes || true")),
    );
    expect(failed.filter((said) => said === "yes")).toHaveLength(1);
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
    // The person who makes room moves it back: a file system in memory would not survive the incidents to come.
    await scene.on(
      scene.primary,
      `rm ${wal}/filler && cp -a ${wal} /root/wal && umount ${wal} && rm -rf ${wal}/* && cp -a /root/wal/. ${wal} && rm -rf /root/wal`,
    );
  },

  "the old primary comes back when the WAL for its rewind is gone": async (scene) => {
    await scene.lab.poweroff(scene.primary);
    const heir = await scene.failover();
    await until("the other standby follows it", seconds(60), async () => {
      return (await sql(scene.lab, heir, "select count(*) from pg_stat_replication")) === "1" || "not yet";
    });
    await outgrow(scene, heir);
    await scene.lab.poweron(scene.primary);
  },

  "the whole site loses power before anybody could follow a new primary": async (scene) => {
    const { lab } = scene;
    // Only the stream is refused, to whoever comes second; repmgr then does not tell it to follow, so a person does.
    const refuse = `sed -i '1i host replication repmgr all reject' ${DATA}/pg_hba.conf && systemctl reload postgresql-main`;
    for (const host of scene.standbys) await scene.on(host, refuse);
    await lab.poweroff(scene.primary);
    const heir = await scene.failover();
    const other = scene.standbys.find((host) => host !== heir) ?? "";
    const [from, to] = [scene.primary, heir].map((host) => lab.host(host).address);
    const told = await sql(lab, other, `select replace(current_setting('primary_conninfo'), '${from}', '${to}')`);
    await sql(lab, other, `alter system set primary_conninfo = '${told.replaceAll("'", "''")}'`);
    await sql(lab, other, "select pg_reload_conf()");
    await scene.writes();
    const known = Number(await sql(lab, heir, "select max(id) from tick", { database: "app" }));
    await Promise.all([heir, other].map((host) => lab.poweroff(host)));
    // These two are a majority, and neither has the new timeline.
    for (const host of [scene.primary, other]) await lab.poweron(host);
    await new Promise((resolve) => setTimeout(resolve, 25_000));
    expect(await role(lab, scene.primary)).toBe("down");
    await lab.poweron(heir);
    await until("the last primary is back by itself", seconds(60), async () => {
      return (await role(lab, heir)) === "primary" || "not yet";
    });
    await scene.writes();
    expect(Number(await sql(lab, heir, "select max(id) from tick", { database: "app" }))).toBeGreaterThan(known);
    expect(await sql(lab, heir, `select count(*) from tick where id = ${known}`, { database: "app" })).toBe("1");
  },

  "the whole site loses power": async (scene) => {
    await Promise.all(HOSTS.map((host) => scene.lab.poweroff(host)));
    await scene.lab.poweron(scene.primary);
    // Longer than a start guard waits for that runs when its host has booted.
    await new Promise((resolve) => setTimeout(resolve, 25_000));
    for (const host of scene.standbys) await scene.lab.poweron(host);
    await primaryIsBack(scene);
  },
};

/** Standbys are lost, or something is lost in the middle of a change. First a failover: only then is there an older timeline. */
export const OF_OTHERS: Readonly<Record<string, Happens>> = {
  "failover in the middle of pulumi up": async (scene) => {
    setting(scene.world, "work_mem", `${(megabytes += 1)}MB`);
    const [standby] = scene.standbys;
    const up = RunningUp.start(scene.world);
    await up.reaches(/^settings: work_mem/, standby);
    scene.begins();
    await scene.on(scene.primary, KILL);
    await up.ended;
    await scene.failover();
  },

  "a standby is cut from the primary, not from the other standby": async (scene) => {
    const [standby] = scene.standbys;
    await scene.lab.cutBetween(scene.primary, standby);
    await scene.staysPrimary(15);
    await scene.lab.healBetween(scene.primary, standby);
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
    const segment = await sql(scene.lab, scene.primary, `select ${SEGMENT}`);
    await outgrow(scene, scene.primary);
    await leftover(scene, segment);
  },

  "both standbys are down": async (scene) => {
    await Promise.all(scene.standbys.map((host) => scene.lab.poweroff(host)));
    await fenced(scene);
    expect(await scene.on(scene.primary, "cat /run/postgresql/main.fenced")).toMatch(/ 2 of 3 nodes do not answer/);
    for (const host of scene.standbys) await scene.lab.poweron(host);
    // Nobody types anything.
    await scene.writes();
    expect(await role(scene.lab, scene.primary)).toBe("primary");
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

export const WITH_WITNESS = "the primary and the witness lose power together";

/** Two of four are left, which is no majority: nobody may be promoted, and no row may be lost. */
export const losePowerTogether: Happens = async (scene) => {
  const gone = [scene.primary, OUTSIDER];
  scene.losesNothing();
  await Promise.all(gone.map((host) => scene.lab.poweroff(host)));
  await scene.staysPrimary(30);
  for (const host of gone) await scene.lab.poweron(host);
  await primaryIsBack(scene);
  await scene.writes();
};
