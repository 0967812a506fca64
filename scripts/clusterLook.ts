import type { ClusterSpec } from "../config/types";
import type { InstanceFacts } from "../facts/instance";
import { asError } from "../facts/loader";
import { type ClusterInputs, type ClusterView, instanceOf } from "../providers/cluster";
import { sharedInputs } from "../resources/inputs";
import type { ClusterSession } from "./clusterSession";

/** A host that has not said anything for so long is shown as that, and the others are shown. */
const PATIENCE_MS = 8_000;

/** What a host said of its instance, or why it said nothing. */
export type Look = InstanceFacts | Error;

export function clusterInputs(session: ClusterSession, spec: ClusterSpec): ClusterInputs {
  return { ...sharedInputs(spec, session.inventory), kind: "PgCluster", pending: [] };
}

/** The members that answered. @param looks in the order of the members */
export function answered({ members }: ClusterInputs, looks: readonly Look[]): ClusterView {
  return members.flatMap((member, index) => {
    const facts = looks[index];
    return facts === undefined || facts instanceof Error ? [] : [{ member, facts }];
  });
}

/** Looks at clusters again and again; a host that hangs is asked once until it answers. */
export class Looker {
  private readonly underWay = new Map<string, Promise<Look>>();

  constructor(private readonly session: ClusterSession) {}

  /** In the order of the members. Never throws for a host. */
  look(spec: ClusterSpec): Promise<Look[]> {
    const inputs = clusterInputs(this.session, spec);
    const ctx = this.session.hostsOf(spec);
    return Promise.all(
      inputs.members.map(({ node, host }) => {
        const key = `${spec.name}/${node}`;
        const asked = this.underWay.get(key) ?? ctx.ask(host, instanceOf(inputs)).catch(asError);
        this.underWay.set(key, asked);
        void asked.finally(() => this.underWay.delete(key));
        return inTime(asked);
      }),
    );
  }
}

async function inTime(asked: Promise<Look>): Promise<Look> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<Error>((resolve) => {
    timer = setTimeout(() => resolve(new Error(`no answer within ${PATIENCE_MS / 1_000} s`)), PATIENCE_MS);
  });
  return Promise.race([asked, late]).finally(() => clearTimeout(timer));
}
