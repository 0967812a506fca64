import type { ClusterInputs, MemberFacts } from "./cluster";
import { Refused } from "./kind";

type Wanting = ClusterInputs & { readonly settings: Readonly<Record<string, string>> };

/** Of PostgreSQL 17. */
const LEAST_MINOR = 7;

/**
 * Before 17.7 the workers of a parallel query fail as long as a name in synchronized_standby_slots has no slot, as after a
 * failover (its release notes).
 * @throws Refused where such a server would get that list
 */
export function refuseOldSlots(want: Wanting, { member: { host }, facts: { running } }: MemberFacts): void {
  const [version = "", minor] = /^17\.(\d+)/.exec(running?.version ?? "") ?? [];
  if (!want.settings.synchronized_standby_slots || minor === undefined || Number(minor) >= LEAST_MINOR) return;
  throw new Refused(
    `${host}: logical slots fail over from PostgreSQL 17.${LEAST_MINOR} on, and ${version} runs: after a failover its parallel queries would fail ` +
      `until the old primary is back. Bring its packages up to date without 'failover' of the slots first ('package_version' of the cluster)`,
  );
}
