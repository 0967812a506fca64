import type { Action, Effect } from "../actions/action";
import { rootOnce } from "../ssh/sudoRefusal";

/** What up would do to one resource of a cluster, or why it would not. */
export interface Foreseen {
  readonly kind: string;
  /** "" for what exists once a cluster. */
  readonly host: string;
  readonly actions: readonly Action[];
  /** Why nothing may be done. */
  readonly refusal?: string;
  /** What kept it from being found out. */
  readonly failure?: string;
  /** What somebody else has to see to. */
  readonly remarks?: readonly string[];
  /** What needs root where the login may become postgres only; it is left undone. */
  readonly forRoot?: readonly OfHost[];
  /** The program asks for that, and it is no drift. */
  readonly isAsked?: boolean;
  /** What was not looked at, since only root sees it. */
  readonly unseen?: readonly OfHost[];
}

/** Something about one host, in words. */
export interface OfHost {
  readonly host: string;
  readonly what: string;
}

/** What weighs most comes first. */
const BY_WEIGHT: readonly Effect[] = [
  "upgrade",
  "drop",
  "switchover",
  "restart",
  "stop",
  "rejoin",
  "initdb",
  "witness",
  "clone",
  "start",
  "follow",
  "reload",
  "repmgrd",
];
const MOST_QUIET = 6;

/** Collects what the resources of a preview foresee, until their cluster sums it up. */
export class Forecast {
  private readonly clusters = new Map<string, Foreseen[]>();

  add(cluster: string, foreseen: Foreseen): void {
    this.clusters.set(cluster, [...(this.clusters.get(cluster) ?? []), foreseen]);
  }

  /**
   * What has been foreseen for a cluster, a line each, and forgets it.
   * @param now who is primary
   * @returns besides, why nothing of it may begin: the inventory asks for what needs root
   */
  sumUp(cluster: string, now: string): { lines: string[]; refusals: string[] } {
    const foreseen = this.clusters.get(cluster) ?? [];
    this.clusters.delete(cluster);
    const said = (line: string): string => `cluster ${cluster}: ${line}`;
    const isAsked = foreseen.some((one) => one.isAsked === true && (one.forRoot ?? []).length > 0);
    return {
      lines: consequences(foreseen, now).map(said),
      refusals: isAsked ? forRoot(foreseen).map(said) : [],
    };
  }
}

function forRoot(foreseen: readonly Foreseen[]): string[] {
  return forRootLines(foreseen.flatMap((one) => one.forRoot ?? [])).map((line) => `refused: ${line}`);
}

/** What only root can do, all of a host in one line, with what to type. */
export function forRootLines(all: readonly OfHost[]): string[] {
  return byHost(all).map(
    ([host, whats]) =>
      `${host}: this needs root, and the login may become postgres only: ${whats.join("; ")}. ${rootOnce(host)}`,
  );
}

function notLookedAt(foreseen: readonly Foreseen[]): string[] {
  return byHost(foreseen.flatMap((one) => one.unseen ?? [])).map(
    ([host, whats]) => `${host}: not looked at, since the login may become postgres only: ${whats.join("; ")}`,
  );
}

function byHost(all: readonly OfHost[]): [string, string[]][] {
  const hosts = [...new Set(all.map(({ host }) => host))].sort();
  return hosts.map((name) => [name, [...new Set(all.filter(({ host }) => host === name).map(({ what }) => what))]]);
}

/** Consequences for who uses the cluster first, by weight; then, in short, what nobody notices; then what others have to do. */
export function consequences(foreseen: readonly Foreseen[], now: string): string[] {
  const remarks = foreseen.flatMap((one) => one.remarks ?? []);
  return [...ofUp(foreseen, now), ...forRoot(foreseen), ...notLookedAt(foreseen), ...new Set(remarks)];
}

function ofUp(foreseen: readonly Foreseen[], now: string): string[] {
  const unknown = [...new Set(foreseen.flatMap(({ failure }) => failure ?? []))].map(
    (f) => `not known what up would do: ${f}`,
  );
  const birth = birthOf(foreseen);
  if (birth !== undefined) return [...unknown, birth, ...refusals(foreseen.filter(needsNoData))];
  const upgrades = withEffect(foreseen, "upgrade");
  // The others look for data at a place where they are to come in the same up.
  const relevant = upgrades.length > 0 ? upgrades : foreseen;
  const actions = relevant.flatMap((f) => f.actions).filter((action) => action.do !== "waitFor");
  const loud = BY_WEIGHT.flatMap((effect) => grouped(actions.filter((action) => action.effect === effect)));
  const quiet = grouped(actions.filter(({ effect }) => effect === undefined));
  const lines = [...unknown, ...refusals(relevant), ...loud, ...(quiet.length === 0 ? [] : [inShort(quiet)])];
  const isLeft = foreseen.some((one) => (one.forRoot ?? []).length > 0);
  return lines.length === 0 && !isLeft ? [`nothing to do; ${now}`] : lines;
}

/** Of a cluster that begins there is nothing to weigh: nobody uses it yet. */
function birthOf(foreseen: readonly Foreseen[]): string | undefined {
  const [first] = withEffect(foreseen, "initdb");
  const isNew = foreseen.some(({ kind, refusal }) => kind === "PgCluster" && refusal !== undefined);
  if (first === undefined || !isNew) return undefined;
  const others = foreseen.filter(({ kind, refusal }) => kind === "PgInstance" && refusal !== undefined);
  const rest =
    others.length === 0
      ? ""
      : `, from which ${others
          .map(({ host }) => host)
          .sort()
          .join(", ")} will be cloned`;
  const witness = withEffect(foreseen, "witness").map(({ host }) => `; ${host} gets the witness`);
  return `it is new and begins on ${first.host}${rest}${witness.join("")}`;
}

function needsNoData({ kind }: Foreseen): boolean {
  return kind === "FirewallRule";
}

/** What is refused only because data are still to come in the same up is no refusal. */
function refusals(foreseen: readonly Foreseen[]): string[] {
  const effects = ["clone", "initdb", "witness"] as const;
  const gettingData = effects.flatMap((effect) => withEffect(foreseen, effect).map(({ host }) => host));
  const refused = foreseen
    .filter(({ refusal }) => refusal !== undefined)
    .filter(({ kind, host }) => kind !== "RepmgrNode" || !gettingData.includes(host));
  return [...new Set(refused.map(({ refusal }) => `refused: ${refusal ?? ""}`))];
}

function withEffect(foreseen: readonly Foreseen[], effect: Effect): Foreseen[] {
  return foreseen.filter(({ actions }) => actions.some((action) => action.effect === effect));
}

/** The same on several hosts is one line. */
function grouped(actions: readonly Action[]): string[] {
  const hosts = new Map<string, Set<string>>();
  for (const { host, why } of actions) hosts.set(why, (hosts.get(why) ?? new Set()).add(host));
  return [...hosts].map(([why, on]) => `${[...on].sort().join(", ")}: ${why}`);
}

function inShort(quiet: readonly string[]): string {
  const more = quiet.length - MOST_QUIET;
  const shown = quiet.slice(0, MOST_QUIET).join("; ");
  return `nobody notices: ${shown}${more > 0 ? `; and ${more} more` : ""}`;
}
