import { until } from "../../lab/wait";
import { seconds } from "./support/deadlines";
import { converges, LEFTOVERS, setting, tells } from "./support/incident";
import { DATA } from "./support/layout";
import { sh, sql } from "./support/oracle";
import { isAlive, type Process, RunningUp } from "./support/running";
import { suite } from "./support/suite";
import { HOSTS, must, World } from "./support/world";

suite(
  "a change is interrupted",
  () => World.deployed(),
  ({ test }) => {
    /** An up whose settings are on their way to the primary and come no further, because PGDATA is locked there. */
    async function heldUp(world: World, workMem: string): Promise<RunningUp> {
      setting(world, "work_mem", workMem);
      await sh(world.lab, "pg1", `systemd-run -q --unit=holder flock ${DATA} sleep 600`);
      const up = RunningUp.start(world);
      await up.reaches(/^settings: work_mem/);
      return up;
    }

    /** The fault is gone, and what was asked for comes true. */
    async function healed(world: World, workMem: string): Promise<void> {
      await sh(world.lab, "pg1", "systemctl stop holder || true");
      await converges(world);
      for (const host of HOSTS) {
        expect(await sql(world.lab, host, "show work_mem")).toBe(workMem);
        expect(await sh(world.lab, host, LEFTOVERS)).toBe("");
      }
    }

    test("Ctrl-C once: what has begun is given up after a while, nothing else is begun, no lock is left", async (world) => {
      const up = await heldUp(world, "5MB");
      const processes = up.processes();
      up.interrupt();
      const pressedAt = Date.now();
      const ended = await up.ended;
      expect(Date.now() - pressedAt).toBeLessThan(seconds(15));
      tells(
        ended,
        /pg1: stopped: pulumi was told to cancel \(Ctrl-C\)\s+while: settings: work_mem[^]*Type "pulumi up"/,
      );
      await allEnd(processes);
      await healed(world, "5MB");
    });

    test("Ctrl-C twice: it ends at once, and the next up goes on", async (world) => {
      const up = await heldUp(world, "6MB");
      const processes = up.processes();
      up.interrupt();
      await until(
        "the first is taken",
        seconds(10),
        () => /\^C received; cancelling/.test(up.said) || up.said.slice(-200),
      );
      up.interrupt();
      const pressedAt = Date.now();
      const { code } = await up.ended;
      expect(code).not.toBe(0);
      expect(Date.now() - pressedAt).toBeLessThan(seconds(5));
      await allEnd(processes);
      await healed(world, "6MB");
    });

    test("the CLI alone is killed: its provider stops by itself, and what to type about the lock is said", async (world) => {
      const up = await heldUp(world, "7MB");
      const [processes, workers] = [up.processes(), await up.workers("pg1")];
      expect(workers).toHaveLength(1);
      const begun = world.stack.actions().length;
      process.kill(up.pid, "SIGKILL");
      const killedAt = Date.now();
      await up.ended;
      await allEnd(workers);
      // Pulumi's language host, and a provider that was never given work, stay for ever; they touch no host.
      for (const { pid } of processes.filter(isAlive)) process.kill(pid, "SIGKILL");
      expect(Date.now() - killedAt).toBeLessThan(seconds(15));
      await sh(world.lab, "pg1", "systemctl stop holder");
      const blocked = await world.up(["--skip-preview"]);
      tells(blocked, /the stack is currently locked by 1 lock\(s\)[^]*`pulumi cancel`/);
      expect(world.stack.actions().slice(begun)).toEqual([]);
      must(await world.stack.pulumi(["cancel", "--yes"]));
      await healed(world, "7MB");
    });

    test("the provider process alone is killed: the CLI ends with an error, and the next up goes on", async (world) => {
      const up = await heldUp(world, "9MB");
      const processes = up.processes();
      for (const { pid } of await up.workers("pg1")) process.kill(pid, "SIGKILL");
      const killedAt = Date.now();
      tells(await up.ended, /PgInstance[^]*main-n1[^]*error/);
      expect(Date.now() - killedAt).toBeLessThan(seconds(15));
      await allEnd(processes);
      await healed(world, "9MB");
    });
  },
);

function allEnd(processes: readonly Process[]): Promise<void> {
  return until("all its processes have ended", seconds(20), () => {
    const left = processes.filter(isAlive);
    return left.length === 0 || left.map(({ command }) => command.slice(0, 80)).join("; ");
  });
}
