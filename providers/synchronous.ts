import { type Action, waitFor } from "../actions/action";
import { sqlLiteral } from "../ssh/quote";
import { type ClusterInputs, type ClusterView, instanceOf, isLive, type LiveMember } from "./cluster";
import { sqlAction } from "./commands";
import { Refused } from "./kind";

/** A reload takes a moment until new sessions see it. */
const RELOAD_DEADLINE_MS = 15_000;

type Wanting = ClusterInputs & { readonly synchronous?: string };

/** What synchronous_standby_names asks for (PostgreSQL documentation, 19.6.2). */
export interface Synchronous {
  /** So many of the named standbys have to confirm each commit. */
  readonly count: number;
  /** Lower case, as PostgreSQL compares them; "*" is everybody. */
  readonly names: readonly string[];
}

/** @returns undefined when replication is asynchronous */
export function parseSynchronous(text: string): Synchronous | undefined {
  const [, , counted, inside] = /^\s*(?:(first|any)\s+)?(\d+)\s*\((.*)\)\s*$/is.exec(text) ?? [];
  const names = [...(inside ?? text).matchAll(/"((?:[^"]|"")*)"|([^\s,"]+)/g)].map(([, quoted, bare]) =>
    (quoted?.replaceAll('""', '"') ?? bare ?? "").toLowerCase(),
  );
  return names.length === 0 ? undefined : { count: Number(counted ?? 1), names };
}

export function isNamed({ names }: Synchronous, standby: string): boolean {
  return names.includes("*") || names.includes(standby.toLowerCase());
}

/**
 * Sets synchronous_standby_names on all data nodes, the primary last and only when enough standbys stream.
 * @throws Refused when commits wait for standbys that are not there: whatever is written on the primary would hang
 */
export function planSynchronous(want: Wanting, view: ClusterView, primary: LiveMember): Action[] {
  const asked = parseSynchronous(want.synchronous ?? "");
  if (want.synchronous === undefined || asked === undefined) return [];
  const streaming = confirming(asked, primary);
  if (streaming.length < asked.count) {
    if (isWaiting(primary)) throw new Refused(commitsWait(want, primary, asked, streaming));
    return [];
  }
  const text = want.synchronous;
  const wrong = dataNodes(view).filter((m) => namesOn(m) !== text);
  const inOrder = [...wrong.filter((m) => m !== primary), ...wrong.filter((m) => m === primary)];
  return inOrder.flatMap((m) => setNames(want, m, text));
}

/** The wanted text where all is as wanted, or what differs and what that means. */
export function foundSynchronous(
  want: Wanting,
  view: ClusterView,
  primary: LiveMember | undefined,
): string | undefined {
  const asked = parseSynchronous(want.synchronous ?? "");
  if (want.synchronous === undefined || asked === undefined || primary === undefined) return want.synchronous;
  const wrong = dataNodes(view).filter((m) => namesOn(m) !== want.synchronous);
  const streaming = confirming(asked, primary).length;
  const isShort = streaming < asked.count;
  const meaning = isWaiting(primary) ? "every commit waits" : "it is not set";
  return (
    [
      ...wrong.map((m) => `${m.member.node}: ${namesOn(m) || "not set"}`),
      ...(isShort ? [`${streaming} of ${asked.count} standbys stream: ${meaning}`] : []),
    ].join("; ") || want.synchronous
  );
}

function dataNodes(view: ClusterView): LiveMember[] {
  return view.filter(isLive).filter(({ member }) => !member.witness);
}

function namesOn({ facts }: LiveMember): string {
  return facts.running.settings.synchronous_standby_names?.setting ?? "";
}

function confirming(asked: Synchronous, { facts }: LiveMember): string[] {
  return facts.running.replicas
    .filter(({ name, state }) => state === "streaming" && isNamed(asked, name))
    .map(({ name }) => name);
}

/** Every commit waits, because fewer standbys stream than the setting in force asks for. */
export function isWaiting(primary: LiveMember): boolean {
  const inForce = parseSynchronous(namesOn(primary));
  return inForce !== undefined && confirming(inForce, primary).length < inForce.count;
}

function setNames(want: Wanting, { member: { host, node } }: LiveMember, text: string): Action[] {
  const why = `synchronous_standby_names of ${node} has to be ${text}: commits wait for so many, on whichever node is primary`;
  return [
    sqlAction(want, { host, database: "postgres" }, why, [
      `alter system set synchronous_standby_names = ${sqlLiteral(text)};`,
      "select pg_reload_conf();",
    ]),
    waitFor({ host, why: `${node} has loaded it`, deadlineMs: RELOAD_DEADLINE_MS }, instanceOf(want), ({ running }) => {
      const seen = running?.settings.synchronous_standby_names?.setting ?? "";
      return seen === text ? undefined : `synchronous_standby_names is "${seen}"`;
    }),
  ];
}

function commitsWait(
  { cluster }: Wanting,
  primary: LiveMember,
  { count }: Synchronous,
  streaming: readonly string[],
): string {
  const { node, host } = primary.member;
  return (
    `cluster ${cluster}: every commit on ${node} (${host}) waits, because synchronous_standby_names is "${namesOn(primary)}" and ` +
    `${streaming.join(", ") || "no standby"} streams of the ${count} it needs. Bring a standby back and run "pulumi up" again; ` +
    `or give up that no row is lost: make 'synchronous.num' less or take 'synchronous' out of the inventory, then "pulumi up".`
  );
}
