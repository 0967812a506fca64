import { join } from "node:path";
import { Executor } from "../actions/executor";
import { ActionLog } from "../actions/log";
import { loadHosts } from "../config/loadHosts";
import { loadNodes } from "../config/loadNodes";
import { FactLoader } from "../facts/loader";
import type { Probe } from "../facts/probe";
import { SshPool } from "../ssh/pool";
import type { HostConnection, SecretLookup } from "../ssh/types";
import { isRestricted } from "../ssh/restricted";
import { type BaseInputs, type Ctx, HostLost, NotSeen } from "./kind";
import { EngineGone } from "./engine";
import type { World } from "./lifecycle";

/** What the stack configuration tells the provider process. */
export interface SessionConfig {
  /** Path of the inventory, relative to the program's folder. */
  readonly inventory: string;
  readonly secret: SecretLookup;
  /** Aborted when pulumi wants no more work done. */
  readonly stop: AbortSignal;
}

/** What a process that ends by itself has to close first. */
export interface Session extends World {
  close(): Promise<void>;
}

/** The running process: one connection a host, one fact loader, one action log for all resources of a run. */
export function openSession(config: SessionConfig): Session {
  const pool = new SshPool({ secrets: config.secret });
  const facts = new FactLoader(pool);
  const log = new ActionLog(process.env.REPMGR_PULUMI_ACTION_LOG ?? join("logs", "actions.jsonl"));
  const today = loadHosts(config.inventory);

  // Today's inventory decides how a host is reached; state is asked only for hosts that are no longer listed.
  const connections =
    (reach: BaseInputs["reach"]) =>
    (host: string): HostConnection => {
      const found = today.get(host) ?? reach[host];
      if (found === undefined)
        throw new Error(`${host}: not in ${config.inventory}, and state does not say how to reach it`);
      return found;
    };
  const ctx = (reach: BaseInputs["reach"], fresh: boolean): Ctx => ({
    ask: (host, probe) => {
      const connection = connections(reach)(host);
      if (connection.lost === true) return ofLost(host, probe);
      if (probe.ofRoot !== undefined && isRestricted(connection))
        return Promise.reject(new NotSeen(host, probe.ofRoot));
      return facts.ask(connection, probe, fresh);
    },
  });
  const underWay = new Set<Promise<void>>();
  whenEngineIsGone(config.stop, async () => {
    await Promise.allSettled(underWay);
    await pool.close();
  });
  return {
    review: (reach) => ctx(reach, false),
    fresh: (reach) => ctx(reach, true),
    // The engine shows what a provider process prints among the diagnostics of the stack.
    say: (line) => void process.stdout.write(`${line}\n`),
    apply: (resource, reach, actions) => {
      const work = new Executor(pool, facts, log, connections(reach), { stop: config.stop }).apply(resource, actions);
      underWay.add(work);
      return work.finally(() => underWay.delete(work));
    },
    claims: () => loadNodes(config.inventory),
    isLost: (host) => today.get(host)?.lost === true,
    isRestricted: (host, reach) => isRestricted(connections(reach)(host)),
    close: () => pool.close(),
  };
}

/** @throws HostLost for what only a host can tell that is there */
async function ofLost<T>(host: string, probe: Probe<T>): Promise<T> {
  if (!("nothing" in probe)) throw new HostLost(host, probe.key);
  return probe.nothing as T;
}

/** Nothing else would ever end this process, and nobody is left to take what it finds. */
function whenEngineIsGone(stop: AbortSignal, wrapUp: () => Promise<void>): void {
  stop.addEventListener("abort", () => {
    if (stop.reason instanceof EngineGone) void wrapUp().finally(() => process.exit(1));
  });
}
