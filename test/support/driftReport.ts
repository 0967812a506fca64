import type { NodeReport } from "../../providers/clusterReport";
import type { DriftReport } from "../../scripts/driftReport";

/** A standby of n1. */
export function reportedNode(name: string, over: Partial<NodeReport> = {}): NodeReport {
  return {
    ...{ node: name, host: `host-of-${name}`, role: "standby", timeline: 2, follows: "n1", lag: "none" },
    ...over,
  };
}

/** With something in every place that would act in a page. */
export function hostileReport(): DriftReport {
  const evil = `"'></text></code><script>document.title='owned'</script><img src=x onerror="document.title='owned'">{{at}}`;
  const entry = { at: evil, node: evil, event: evil, successful: false, details: evil };
  const nodes = [
    reportedNode(evil, { role: "primary", follows: "none", host: evil }),
    reportedNode("n2", { follows: evil, lag: evil }),
  ];
  const difference = { property: evil, found: evil, wanted: [evil], cause: "drift" as const };
  return {
    ...{
      stack: evil,
      at: "2026-11-24T11:33:00.000Z",
      result: "drift",
      differences: 1,
      unseen: [evil],
      errors: [evil],
      messages: [evil],
    },
    clusters: [
      {
        ...{
          cluster: evil,
          notes: [evil],
          consequences: [evil],
          state: { primary: evil, timeline: 2, nodes, history: [entry] },
        },
        resources: [{ kind: evil, id: evil, operation: evil, differences: [difference], pending: [evil] }],
      },
    ],
  };
}
