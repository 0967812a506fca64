import { spawn, type ChildProcess } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { until } from "../../lab/wait";
import { projectRoot } from "../../scripts/projectRoot";
import { LocalStack } from "../../scripts/stack";
import { seconds } from "./support/deadlines";
import { OUTSIDER } from "./support/inventory";
import { SECRETS } from "./support/secrets";
import { startStateServer } from "./support/stateServer";
import { suite } from "./support/suite";
import { must, World } from "./support/world";

interface Backend {
  readonly stack: LocalStack;
  locks(): Promise<number>;
}

/** The stack as it is, in a directory. */
function inFiles({ stack, state }: World): Backend {
  const locks = join(state, ".pulumi", "locks");
  const count = async (): Promise<number> => {
    if (!existsSync(locks)) return 0;
    return readdirSync(locks, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".json")).length;
  };
  return { stack, locks: count };
}

/** The same stack moved into a PostgreSQL server, as docs/operations.md says. */
async function inPostgres({ lab, cli, stack, state }: World): Promise<Backend> {
  const server = await startStateServer(lab, OUTSIDER, join(lab.dir, "e2e"));
  const moved = `${state}-in-postgres`;
  rmSync(moved, { recursive: true, force: true });
  mkdirSync(moved, { recursive: true, mode: 0o700 });
  for (const file of ["passphrase", "Pulumi.e2e.yaml"]) copyFileSync(join(state, file), join(moved, file));
  const request = {
    cli: { ...cli, env: { ...cli.env, ...server.env } },
    project: projectRoot(),
    name: "e2e",
    secrets: SECRETS,
  };
  const there = await LocalStack.open({
    ...request,
    state: moved,
    inventory: join(state, "inventory.yml"),
    backend: server.url,
  });
  writeFileSync(join(moved, "exported.json"), await stack.exported(), { mode: 0o600 });
  await there.must(["stack", "import", "--file", join(moved, "exported.json")]);
  return { stack: there, locks: server.locks };
}

/** Begins an up and returns once it holds the lock; with nothing to do on the hosts it would hold it for a second. */
async function lockedUp(
  { stack, locks }: Backend,
  { cli }: World,
): Promise<{ child: ChildProcess; ended: Promise<number | null> }> {
  const options = ["--yes", "--skip-preview", "--non-interactive", "--stack", "e2e", "--config-file", stack.configFile];
  const env = { ...process.env, ...stack.environment };
  const child = spawn(cli.bin, ["up", ...options], { cwd: projectRoot(), env, stdio: "ignore" });
  const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
  const look = async (): Promise<true | string> => {
    if (child.exitCode !== null) throw new Error(`up ended with ${child.exitCode} before its lock was seen`);
    return (await locks()) > 0 || "no lock yet";
  };
  await until("up holds the lock", seconds(60), look, 10);
  return { child, ended };
}

suite(
  "backends",
  () => World.deployed(),
  ({ test }) => {
    for (const [name, open] of [
      ["a directory", inFiles],
      ["a PostgreSQL server", inPostgres],
    ] as const) {
      let backend: Backend;

      test(`${name}: the stack is there and differs in nothing`, async (world) => {
        backend = await open(world);
        must(await backend.stack.preview(undefined, ["--expect-no-changes"]));
        expect(await backend.locks()).toBe(0);
      });

      test(`${name}: of two ups at once the second is refused, and the first comes to its end`, async (world) => {
        const first = await lockedUp(backend, world);
        first.child.kill("SIGSTOP");
        try {
          const second = await backend.stack.up(undefined, ["--skip-preview"]);
          expect(second.code).not.toBe(0);
          expect(second.output).toMatch(/the stack is currently locked by 1 lock\(s\)\. .* `pulumi cancel`/);
          expect(second.output).toMatch(new RegExp(`created by \\S+ \\(pid ${first.child.pid}\\)`));
        } finally {
          first.child.kill("SIGCONT");
        }
        expect(await first.ended).toBe(0);
        expect(await backend.locks()).toBe(0);
      });

      test(`${name}: after a killed up the next one says what to type; that helps, and nothing is left to do`, async (world) => {
        const first = await lockedUp(backend, world);
        first.child.kill("SIGKILL");
        await first.ended;
        const refused = await backend.stack.up(undefined, ["--skip-preview"]);
        expect(refused.code).not.toBe(0);
        expect(refused.output).toMatch(/`pulumi cancel`/);
        must(await backend.stack.pulumi(["cancel", "--yes"]));
        expect(await backend.locks()).toBe(0);
        must(await backend.stack.up(undefined, ["--skip-preview", "--expect-no-changes"]));
      });
    }
  },
);
