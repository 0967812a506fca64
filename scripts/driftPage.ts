import type { Json } from "../providers/canonical";
import type { HistoryEntry, NodeReport } from "../providers/clusterReport";
import { renderHtml } from "../templates/render";
import type { Difference } from "./driftDifferences";
import type { ClusterReport, DriftReport, ResourceReport } from "./driftReport";
import { asText, propertyOf, titleOf, verdictOf, WHY } from "./driftTable";
import { BOX, drawTopology } from "./driftTopology";

/** repmgr's names of events in words; others are shown as they are. */
const EVENTS: Readonly<Record<string, string>> = {
  cluster_created: "the cluster was created",
  primary_register: "registered as primary",
  standby_promote: "promoted",
  standby_switchover: "made primary by a switchover",
  repmgrd_failover_promote: "repmgrd promoted it in a failover",
  repmgrd_promote_error: "repmgrd tried to promote it",
  repmgrd_failover_aborted: "repmgrd gave a failover up",
};

const ROLES: readonly NodeReport["role"][] = ["primary", "standby", "witness", "down"];

/** The report as one file: no script, nothing from elsewhere, every value escaped. */
export function renderPage(report: DriftReport): string {
  const { clusters, at, differences, unseen } = report;
  return renderHtml("drift.html", {
    ...report,
    at: `${at.slice(0, 19).replace("T", " ")} UTC`,
    verdict: verdictOf(report),
    hasUnseen: unseen.length > 0,
    count: differences === 0 ? "" : `${differences} ${differences === 1 ? "difference" : "differences"}`,
    clusters: clusters.filter(({ cluster, resources }) => cluster !== "" || resources.length > 0).map(clusterView),
    legend: ROLES.map((role) => ({ role })),
  });
}

function clusterView(part: ClusterReport): object {
  const { state, notes, consequences, resources } = part;
  const history = [...(state?.history ?? [])].reverse();
  return {
    title: titleOf(part),
    notes,
    hasConsequences: consequences.length > 0,
    consequences,
    drawing: state === undefined ? undefined : { ...drawTopology(state.nodes), box: BOX, title: titleOf(part) },
    resources: resources.map(resourceView),
    isClean: resources.length === 0,
    hasHistory: history.length > 0,
    history: history.map(historyView),
  };
}

function resourceView({ kind, id, operation, differences, pending }: ResourceReport): object {
  return { kind, id, operation, hasPending: pending.length > 0, pending, differences: differences.map(differenceView) };
}

function differenceView(one: Difference): object {
  const { cause, found, wanted } = one;
  return { property: propertyOf(one), found: entries(found), wanted: entries(wanted), cause, why: WHY[cause] };
}

function entries(value?: Json): string[] {
  return Array.isArray(value) && value.length > 0 ? value.map(asText) : [asText(value)];
}

function historyView({ at, node, event, successful, details }: HistoryEntry): object {
  return {
    at: at.replace("T", " ").replace("Z", ""),
    node,
    event: EVENTS[event] ?? event,
    details,
    failed: !successful,
  };
}
