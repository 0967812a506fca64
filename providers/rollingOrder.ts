import type { ClusterInputs, LiveMember } from "./cluster";
import { Refused } from "./kind";

/**
 * A standby must never have less of these than its primary (PostgreSQL documentation, 27.4.1 "User's Overview"); with the
 * defaults of PostgreSQL 13 to 17, to which one falls back that is no longer set.
 */
const PRIMARY_BOUND = {
  max_connections: 100,
  max_wal_senders: 10,
  max_worker_processes: 8,
  max_prepared_transactions: 0,
  max_locks_per_transaction: 64,
};

/**
 * Whether the primary has to restart before its standbys.
 * @param pending the settings of the primary that wait for a restart
 * @throws Refused when one limit goes up and another down: there is no order that is right for both
 */
export function isLowered(
  want: ClusterInputs & { readonly settings: Readonly<Record<string, string>> },
  { facts }: LiveMember,
  pending: readonly string[],
): boolean {
  const steps = Object.entries(PRIMARY_BOUND).flatMap(([name, fallback]) => {
    const live = facts.running.settings[name];
    return live !== undefined && pending.includes(name)
      ? [Math.sign(Number(want.settings[name] ?? fallback) - Number(live.setting))]
      : [];
  });
  if (steps.includes(1) && steps.includes(-1)) {
    throw new Refused(
      `cluster ${want.cluster}: raise and lower ${Object.keys(PRIMARY_BOUND).join(", ")} in two separate runs: standbys must restart first for the one and last for the other`,
    );
  }
  return steps.includes(-1);
}

/** @throws Refused: a standby does not start below limits whose change it has not replayed, and that takes as long as its delay */
export function refuseLate({ cluster }: ClusterInputs, standbys: readonly LiveMember[]): void {
  const late = standbys.find(({ member }) => member.delay !== undefined)?.member;
  if (late === undefined) return;
  throw new Refused(
    `cluster ${cluster}: ${Object.keys(PRIMARY_BOUND).join(", ")} cannot be lowered while ${late.node} on ${late.host} stays ${late.delay} behind: it ` +
      `would not start before it has replayed the primary's change. Take 'delay' of ${late.node} out of the inventory with 'priority: 0' in its place, ` +
      `run "pulumi up" with the lower limit, then put the delay back.`,
  );
}
