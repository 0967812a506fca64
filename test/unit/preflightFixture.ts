import { type HostFacts, parseHost } from "../../facts/host";
import type { Probe } from "../../facts/probe";
import type { Ctx } from "../../providers/kind";
import { preflightKind, type PreflightInputs } from "../../providers/preflight";
import { connection, parsed, recorded } from "./kindFixture";

export const repository = {
  name: "lab",
  uri: "file:/srv/repository",
  suite: "trixie",
  components: ["main"],
  key: "KEY",
};
export const inputs: PreflightInputs = {
  kind: "Preflight",
  pending: [],
  reach: Object.fromEntries(["pg1", "pg2", "pg3"].map((name) => [name, connection(name)])),
  cluster: "main",
  port: 5432,
  version: 17,
  family: "debian",
  dataDirectory: "/var/lib/postgresql/17/main",
  failover: "automatic",
  protect: false,
  packages: ["postgresql-17", "postgresql-17-repmgr"],
  nodes: [1, 2, 3].map((n) => ({
    node: `n${n}`,
    id: n,
    host: `pg${n}`,
    address: `198.18.0.1${n}`,
    isWitness: n === 3,
  })),
};

export const fresh: HostFacts = { ...parseHost(recorded("host")), unreachable: {} };
export const running = parseHost(recorded("host-running"));

export interface Answers {
  readonly host?: HostFacts;
  readonly failure?: string;
  readonly conf?: string;
  readonly skewMs?: number;
  readonly neighbours?: string;
  readonly former?: string;
  readonly packages?: string;
  readonly repository?: string;
  readonly labels?: string;
  readonly kernel?: string;
}

/** What the probes of a host print where it shows this. */
function printed(facts: HostFacts): string {
  const { hugePagesMb, hugePageKb, listeners: _, unreachable, removesIpc, isMountPoint, selinux, ...plain } = facts;
  const { os, release, cores, memoryMb, freeBytes, data, dataVersion, systemIdentifier } = plain;
  const { postmasterPid: postmaster, postmasterUnit: unit } = plain;
  const lines = Object.entries({
    os,
    release,
    cores,
    memory: memoryMb * 1024,
    free: freeBytes,
    data,
    unit,
    postmaster,
  });
  const more = { hugepages: hugePagesMb * 1024, hugepagesize: hugePageKb, version: dataVersion };
  return [
    ...[...lines, ...Object.entries({ ...more, identifier: systemIdentifier })].map(
      ([key, value]) => `${key}=${value}`,
    ),
    ...Object.entries(unreachable).map(([address, why]) => `unreachable=${address} ${why}`),
    ...(removesIpc ? ["removes=b true"] : []),
    ...(isMountPoint ? ["mountpoint=1"] : []),
    ...(selinux === undefined ? [] : [`selinux=${selinux === "enforcing" ? 1 : 0}`]),
  ].join("\n");
}

/** Lines of "ss -H -ltnp". */
function listening({ listeners }: HostFacts): string {
  return listeners
    .map(({ address, process, pids }) => {
      const users = pids.map((pid) => `("${process}",pid=${pid},fd=7)`).join(",");
      return `LISTEN 0 200 ${address} 0.0.0.0:* ${users === "" ? "" : `users:(${users})`}`;
    })
    .join("\n");
}

/** Answers as hosts would, each probe's own parser included wherever text is given. */
export function world(answers: Record<string, Answers>): Ctx {
  const installed = recorded("packages-installed");
  return {
    ask<T>(name: string, probe: Probe<T>): Promise<T> {
      const a = answers[name] ?? {};
      if (a.failure !== undefined) return Promise.reject(new Error(a.failure));
      const text = (stdout: string, code = 0): Promise<T> => Promise.resolve(parsed(probe, stdout, code));
      if (probe.key === "machine") return text(printed(a.host ?? fresh));
      if (probe.key === "listeners") return text(listening(a.host ?? fresh));
      if (probe.key.startsWith("place ") || probe.key.startsWith("knock ")) return text("");
      if (probe.key.startsWith("former ")) return text(a.former ?? "device=1\n");
      if (probe.key.startsWith("neighbours ")) return text(a.neighbours ?? "");
      if (probe.key === "clock") return text(`${Date.now() + (a.skewMs ?? 0)}\n`);
      if (probe.key.startsWith("packages ")) return text(a.packages ?? installed);
      if (probe.key.startsWith("repository ")) return text(a.repository ?? "");
      if (probe.key.startsWith("kernel ")) return text(a.kernel ?? "vm.swappiness=1\n");
      if (probe.key.startsWith("labels ")) return text(a.labels ?? "");
      return a.conf === undefined ? text("", 44) : text(`postgres:postgres 0600 1.0\n${a.conf}`);
    },
  };
}

export const problems = (answers: Record<string, Answers>, over: Partial<PreflightInputs> = {}): Promise<string[]> =>
  preflightKind.preflight?.(world(answers), { ...inputs, ...over }) ?? Promise.reject(new Error("no preflight"));
