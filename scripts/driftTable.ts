import type { Json } from "../providers/canonical";
import type { Cause, Difference } from "./driftDifferences";
import type { ClusterReport, DriftReport, ResourceReport } from "./driftReport";
import { columns, printable, short } from "./textTable";

const COLUMNS = ["property", "found", "wanted", "why"] as const;
/** A terminal line; what is longer is in the JSON and on the page. */
const WIDEST = 48;

export const WHY: Readonly<Record<Cause, string>> = {
  drift: "drift: the host is not as deployed",
  planned: "planned: the inventory or a secret has changed",
  both: "drift, and the inventory has changed, too",
  follows: "follows from another change",
};

const VERDICT: Readonly<Record<DriftReport["result"], string>> = {
  clean: "clean: every host is as the inventory says",
  drift: "drift: hosts are not as they were deployed",
  planned: "planned: the hosts are as deployed, and the inventory or a secret has changed since",
  error: "error: the hosts could not be reviewed",
};

/** The report for a terminal; control characters of any value are shown, never sent. */
export function renderTable(report: DriftReport): string {
  const { stack, at, differences, errors, messages, clusters, unseen } = report;
  const count = differences === 0 ? "" : ` (${differences} ${differences === 1 ? "difference" : "differences"})`;
  return [
    `stack ${stack}, ${at}: ${verdictOf(report)}${count}`,
    ...unseen.map((what) => `not looked at: ${what}`),
    ...errors.map((error) => `error: ${error}`),
    ...messages.map((message) => `says: ${message}`),
    ...clusters.filter(isWorthALine).flatMap(clusterLines),
  ]
    .map(printable)
    .join("\n");
}

/** What only root sees is not called clean by a login that may become postgres only. */
export function verdictOf({ result, unseen }: Pick<DriftReport, "result" | "unseen">): string {
  return result === "clean" && unseen.length > 0
    ? "clean, as far as a login that may become postgres only sees"
    : VERDICT[result];
}

/** A value as one line: text as it is, a list as its entries. */
export function asText(value?: Json): string {
  if (value === undefined) return "(not there)";
  if (typeof value === "string") return value === "" ? '""' : value;
  if (!Array.isArray(value)) return JSON.stringify(value);
  return value.length === 0 ? "(none)" : value.map(asText).join(" | ");
}

/** @returns the title of a cluster's part: "cluster main: n1 is primary on timeline 3" */
export function titleOf({ cluster, state }: ClusterReport): string {
  if (cluster === "") return "shared by the clusters";
  if (state === undefined) return `cluster ${cluster}`;
  const who = state.primary === "none" ? "no primary" : `${state.primary} is primary on timeline ${state.timeline}`;
  return `cluster ${cluster}: ${who}`;
}

export function propertyOf({ property }: Difference): string {
  return property === "" ? "(all of it)" : property;
}

function isWorthALine({ cluster, resources }: ClusterReport): boolean {
  return cluster !== "" || resources.length > 0;
}

function clusterLines(part: ClusterReport): string[] {
  const nodes = (part.state?.nodes ?? []).map(({ node, role, lag, follows }) => {
    const from = follows === "none" ? "" : ` of ${follows}`;
    return `${node} ${role}${from}${lag === "none" ? "" : `, ${lag} behind`}`;
  });
  return [
    "",
    titleOf(part),
    ...(nodes.length === 0 ? [] : [`  ${nodes.join("; ")}`]),
    ...part.notes.map((note) => `  ${note}`),
    ...part.consequences.map((line) => `  up: ${line}`),
    ...part.resources.flatMap(resourceLines),
  ];
}

function resourceLines({ kind, id, operation, differences, pending }: ResourceReport): string[] {
  const rows = differences.map((one) => [
    propertyOf(one),
    ...[one.found, one.wanted].map((value) => short(asText(value), WIDEST)),
    WHY[one.cause],
  ]);
  return [
    "",
    `  ${kind} ${id}: up will ${operation} it`,
    ...columns([[...COLUMNS], ...rows]).map((line) => `    ${line}`),
    ...pending.map((action) => `    up: ${action}`),
  ];
}
