import { clusterPaths, shortUnit } from "../families";
import { type ClusterInputs, type ClusterView, isLive, type LiveMember, livePrimaries } from "./cluster";
import { Refused } from "./kind";

/**
 * A primary that was taken out of the inventory is never asked, and may take writes all the same: then nothing may be
 * started, promoted or told to follow another.
 * @throws Refused when a running standby streams from an address that is no member's, or knows a primary that is none
 */
export function refuseStrangers(inputs: ClusterInputs, view: ClusterView): void {
  if (livePrimaries(view).length > 0) return;
  const standbys = view.filter(isLive).filter(({ member }) => !member.witness);
  refuseStreaming(inputs, standbys);
  // While repmgrd elects, the rows are those from before; it promotes nobody beside a primary that it sees.
  if (electors(inputs, view).length === 0) refuseRegistered(inputs, standbys);
}

/**
 * The running nodes whose repmgrd may promote one, which one that stays behind on purpose never does. A paused one does not,
 * and does not make up for it when it is unpaused. One that never saw its upstream ends at its start, to be started again
 * and again (repmgrd-physical.c, monitor_streaming_standby): after a boot without a primary it only looks as if it watched.
 */
export function electors(inputs: ClusterInputs, view: ClusterView): LiveMember[] {
  if (inputs.failover === "manual") return [];
  const running = view.filter(({ member }) => !member.witness && member.delay === undefined).filter(isLive);
  return running.filter(
    ({ facts: { repmgrd, repmgr } }) => repmgrd === "active" && repmgr?.paused !== true && repmgr?.watched !== false,
  );
}

function refuseStreaming(inputs: ClusterInputs, standbys: readonly LiveMember[]): void {
  const addresses = inputs.members.map(({ address }) => address);
  const from = (m: LiveMember): string | undefined => {
    const { walReceiver } = m.facts.running;
    return walReceiver?.status === "streaming" ? (walReceiver.senderHost ?? undefined) : undefined;
  };
  const strange = standbys.map(from).find((sender) => sender !== undefined && !addresses.includes(sender));
  if (strange === undefined) return;
  const names = standbys.filter((m) => from(m) === strange).map(({ member }) => member.node);
  throw new Refused(
    `cluster ${inputs.cluster}: ${names.join(" and ")} ${names.length > 1 ? "stream" : "streams"} from ${strange}, which is no node of this inventory any more. ` +
      putBack(inputs),
  );
}

function refuseRegistered(inputs: ClusterInputs, standbys: readonly LiveMember[]): void {
  const ids = inputs.members.map(({ id }) => id);
  for (const { member, facts } of standbys) {
    const stranger = facts.repmgr?.nodes.find(
      ({ id, type, active }) => type === "primary" && active && !ids.includes(id),
    );
    if (stranger === undefined) continue;
    const [best] = [...standbys].sort((a, b) => b.facts.running.walBytes - a.facts.running.walBytes);
    throw new Refused(
      `cluster ${inputs.cluster}: ${member.node} has ${stranger.name} (node ${stranger.id}) registered as the active primary, which is no node of this ` +
        `inventory any more. It may take writes all the same. ${putBack(inputs)} When it is gone for good, promote the most advanced standby: ` +
        `"sudo -u postgres repmgr -f ${clusterPaths(inputs).repmgrConf} standby promote" on ${best?.member.host ?? member.host}, then run "pulumi up".`,
    );
  }
}

function putBack(inputs: ClusterInputs): string {
  const stop = `sudo systemctl stop ${shortUnit(clusterPaths(inputs).postgresqlUnit)}`;
  const next =
    inputs.failover === "automatic"
      ? `"${stop}" on its host, and wait until repmgrd has promoted another node`
      : `"${stop}" on its host, then "repmgr standby promote" on another`;
  return (
    `Put it back into the inventory and run "pulumi up". To take it out, move the primary away first: ${next}; ` +
    `run "pulumi up" while it is in the inventory, then remove it.`
  );
}
