import { dirname } from "node:path";
import { parseConninfo } from "../../facts/conninfo";
import { contentProbe } from "../../facts/content";
import { fileProbe } from "../../facts/file";
import { instanceProbe } from "../../facts/instance";
import { AT_HOME } from "../../facts/login";
import { parsePostgresConf } from "../../facts/postgresConf";
import type { Probe } from "../../facts/probe";
import { type PostmasterFact, processesProbe, type ProcessesFact } from "../../facts/processes";
import { registeredConfProbe, serverProbe } from "../../facts/server";
import { sh } from "../../ssh/quote";
import { type Found, type FoundNode, isPrimary, type Target } from "./found";

/** Asks a host; throws when it cannot be asked or its answer makes no sense. */
export type AskHost = <T>(target: Target, probe: Probe<T>) => Promise<T>;

/** Something that keeps a host from being read at all. */
class NotRead extends Error {}

/**
 * Reads what runs on the hosts; changes nothing.
 * @param port of the PostgreSQL to read, needed where a host has several
 * @returns the nodes that could be read, and per host that could not why
 */
export async function discover(
  targets: readonly Target[],
  ask: AskHost,
  port: number | undefined,
): Promise<{ found: Found; problems: string[] }> {
  const read = await Promise.all(
    targets.map((target) =>
      readNode(target, ask, port).catch((error: unknown) => {
        const said = error instanceof Error ? error.message : String(error);
        return error instanceof NotRead ? `${target.name}: ${said}` : said;
      }),
    ),
  );
  const nodes = read.filter((node) => typeof node !== "string");
  const problems = read.filter((node) => typeof node === "string");
  const [primary] = nodes.filter(isPrimary);
  const content =
    primary === undefined
      ? { roles: [], tablespaces: [], databases: [], slots: [] }
      : await ask(primary.target, contentProbe(psqlOf(primary.postmaster)));
  return { found: { nodes, isWhole: problems.length === 0, content }, problems };
}

async function readNode(target: Target, ask: AskHost, port: number | undefined): Promise<FoundNode> {
  const processes = await ask(target, processesProbe);
  const postmaster = choose(processes.postmasters, port);
  const psql = psqlOf(postmaster);
  const [server, registered] = await Promise.all([
    ask(target, serverProbe(psql)),
    ask(target, registeredConfProbe(psql)),
  ]);
  const { repmgrConf: repmgrConfPath, unit } = findRepmgr(processes, Object.values(registered ?? {}));
  const [instance, conf, hba, repmgrConf] = await Promise.all([
    ask(target, instanceProbe(questionOf(postmaster, unit))),
    ask(target, fileProbe(server.configFile)),
    ask(target, fileProbe(server.hbaFile)),
    ask(target, fileProbe(repmgrConfPath)),
  ]);
  const options = parsePostgresConf(repmgrConf?.content ?? "");
  const passFilePath =
    parseConninfo(options.conninfo ?? "").passfile ?? options.passfile ?? `${processes.home}/.pgpass`;
  const passFile = await ask(target, fileProbe(passFilePath));
  const facts = { server, instance, conf, hba, repmgrConf, passFile };
  return { target, postmaster, repmgrdUnit: unit, repmgrConfPath, passFilePath, ...facts };
}

/** @throws NotRead when there is none, or more than one and nothing says which */
function choose(postmasters: readonly PostmasterFact[], port: number | undefined): PostmasterFact {
  const fitting = postmasters.filter((p) => port === undefined || p.port === port);
  const [first, second] = fitting;
  const list = postmasters.map((p) => `${p.dataDirectory} on port ${p.port}`).join(", ");
  if (first === undefined && port !== undefined) {
    throw new NotRead(`no PostgreSQL runs on port ${port}; found: ${list || "none"}`);
  }
  if (first === undefined) throw new NotRead("no PostgreSQL runs here; start it first, so that it can be read");
  if (second !== undefined) throw new NotRead(`several run here: ${list}. Say which one with --port`);
  if (first.socketDirectory === "") {
    throw new NotRead(
      `${first.dataDirectory} has no Unix socket, through which this program asks (unix_socket_directories)`,
    );
  }
  return first;
}

/** @throws NotRead when nothing names a repmgr.conf, or several are named and nothing says which */
function findRepmgr({ repmgrds }: ProcessesFact, registered: readonly string[]): { repmgrConf: string; unit?: string } {
  const named = [...new Set(registered)];
  const [first, second] = repmgrds;
  // With several clusters on the host there are several daemons: the registered file tells which is this one's.
  const mine = second === undefined ? first : repmgrds.find(({ configFile }) => named.includes(configFile));
  const unit = mine?.unit;
  if (mine !== undefined && mine.configFile !== "") return { repmgrConf: mine.configFile, unit };
  const [only, other] = named;
  if (only !== undefined && other === undefined) return { repmgrConf: only, unit };
  if (only === undefined) {
    throw new NotRead(
      "no repmgrd runs here and the database repmgr names no repmgr.conf: this is no node of a repmgr cluster",
    );
  }
  throw new NotRead(
    `no repmgrd says which repmgr.conf is this node's; registered are ${named.join(", ")}. Start repmgrd first`,
  );
}

function psqlOf({ program, socketDirectory, port }: PostmasterFact): string {
  const psql = sh(`${dirname(program)}/psql`);
  return `runuser -u postgres -- ${AT_HOME} -C / PGCONNECT_TIMEOUT=5 ${psql} -XAtq -h ${sh(socketDirectory)} -p ${port}`;
}

function questionOf({ program, socketDirectory, port, dataDirectory }: PostmasterFact, unit: string | undefined) {
  const binDirectory = dirname(program);
  const version = 0;
  return { version, port, dataDirectory, binDirectory, socketDirectory, repmgrdUnit: unit ?? "repmgrd.service" };
}
