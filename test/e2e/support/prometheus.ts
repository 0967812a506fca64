import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { labHome } from "../../../lab";
import { must } from "../../../lab/run";
import { until } from "../../../lab/wait";
import { seconds } from "./deadlines";

/** Prometheus of Debian's package, unpacked, not installed: nothing of it may start on this machine by itself. */
const TOOLS = join(labHome(), "prometheus");

/** @returns the path of one of its programs. @throws Error with what apt-get said */
export async function prometheusProgram(name: "prometheus" | "promtool"): Promise<string> {
  const program = join(TOOLS, "usr", "bin", name);
  if (existsSync(program)) return program;
  mkdirSync(TOOLS, { recursive: true });
  const fetched = mkdtempSync(join(tmpdir(), "prometheus-"));
  try {
    const download = ["sh", "-c", `cd ${fetched} && apt-get -q download prometheus`];
    await must(download, { deadlineMs: 300_000 }).catch(async () => {
      await must(["apt-get", "-q", "update"], { deadlineMs: 300_000 });
      return must(download, { deadlineMs: 300_000 });
    });
    const [file = ""] = readdirSync(fetched).filter((one) => one.endsWith(".deb"));
    await must(["dpkg-deb", "-x", join(fetched, file), TOOLS], { deadlineMs: 120_000 });
  } finally {
    rmSync(fetched, { recursive: true, force: true });
  }
  return program;
}

/** @throws Error with what it found wrong */
export async function promtool(args: readonly string[], stdin?: string): Promise<string> {
  return must([await prometheusProgram("promtool"), ...args], { deadlineMs: seconds(30), stdin });
}

/** A Prometheus that has read these alerts and scrapes a page of metrics for each name. */
export class Prometheus {
  private constructor(
    private readonly dir: string,
    private readonly pages: Server,
    private readonly process: ReturnType<typeof spawn>,
    private readonly port: number,
  ) {}

  static async start(rules: string, metrics: Readonly<Record<string, string>>): Promise<Prometheus> {
    const dir = mkdtempSync(join(tmpdir(), "prometheus-"));
    const pages = createServer((request, response) => response.end(metrics[(request.url ?? "").slice(1)] ?? ""));
    await new Promise<void>((resolve) => pages.listen(0, "127.0.0.1", resolve));
    const source = (pages.address() as AddressInfo).port;
    const port = await freePort();
    const scrapes = Object.keys(metrics).map((name) => ({
      job_name: name,
      metrics_path: `/${name}`,
      static_configs: [{ targets: [`127.0.0.1:${source}`] }],
    }));
    const config = { global: { scrape_interval: "1s" }, rule_files: [rules], scrape_configs: scrapes };
    // YAML holds JSON.
    writeFileSync(join(dir, "prometheus.yml"), JSON.stringify(config));
    const args = [`--config.file=${dir}/prometheus.yml`, `--storage.tsdb.path=${dir}/data`];
    const child = spawn(await prometheusProgram("prometheus"), [...args, `--web.listen-address=127.0.0.1:${port}`], {
      stdio: "ignore",
    });
    return new Prometheus(dir, pages, child, port);
  }

  /** Names of the alerts that it has loaded. */
  async alerts(): Promise<string[]> {
    const { groups } = (await this.get("rules")) as { groups: { rules: { name: string; health: string }[] }[] };
    return groups.flatMap(({ rules }) => rules.map(({ name }) => name));
  }

  /** Label sets and values of an expression, once there are so many. */
  async query(expression: string, count: number): Promise<{ metric: Record<string, string>; value: string }[]> {
    let found: { metric: Record<string, string>; value: [number, string] }[] = [];
    await until(`Prometheus has ${count} of ${expression}`, seconds(30), async () => {
      const answer = this.get(`query?query=${encodeURIComponent(expression)}`) as Promise<{ result: typeof found }>;
      found = await answer.then(
        ({ result }) => result,
        () => [],
      );
      return found.length === count || `${found.length}`;
    });
    return found.map(({ metric, value }) => ({ metric, value: value[1] }));
  }

  async stop(): Promise<void> {
    const ended = new Promise((resolve) => this.process.once("exit", resolve));
    this.process.kill();
    await ended;
    await new Promise((resolve) => this.pages.close(resolve));
    rmSync(this.dir, { recursive: true, force: true });
  }

  private async get(what: string): Promise<unknown> {
    const response = await fetch(`http://127.0.0.1:${this.port}/api/v1/${what}`);
    return ((await response.json()) as { data: unknown }).data;
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
