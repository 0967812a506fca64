import { type Action, type WaitFor } from "../actions/action";
import { type ClusterInputs, type ClusterView, instanceOf, isLive, type LiveMember, type Member } from "./cluster";
import { asPostgres } from "./commands";
import { planAfterwards } from "./handoverRest";
import { handOverScript } from "./handoverScript";

const FOLLOW_DEADLINE_MS = 60_000;
/** A clean stop waits for the checkpoint, for the archiver, and for standbys to have everything. */
const HAND_OVER_DEADLINE_MS = 420_000;
const CHECKPOINT_DEADLINE_MS = 3_600_000;
/** So much may still be missing on the next primary when the old one begins to stop: a moment's work. */
export const LAG_LIMIT_BYTES = 16 * 1024 * 1024;

/** What decides who follows whom once the primary has moved. */
export interface TreeInputs extends ClusterInputs {
  /** Node to the node that the inventory has it follow; of those that name one. Never compared. */
  readonly upstreams?: Readonly<Record<string, string>>;
}

/** Who hands over to whom, and what becomes of the others. */
export interface Handover {
  readonly from: Member;
  readonly to: Member;
  /** Standbys of `from` that move to `to`. */
  readonly siblings: readonly Member[];
  /** Standbys of `from` that the inventory has follow it, whatever it is. */
  readonly staying: readonly Member[];
  /** Whom the inventory has `from` follow, where that is not `to`. */
  readonly upstream?: Member;
  readonly witness?: Member;
  /** Logical slots that `to` has copies of. */
  readonly slots?: readonly string[];
}

export function handoverOf(inputs: TreeInputs, view: ClusterView, from: Member, to: Member): Handover {
  const live = view.filter(isLive).filter(({ member }) => ![from.node, to.node].includes(member.node));
  const below = live.filter((m) => follows(m, from.address)).map(({ member }) => member);
  const wishOf = (node: string): string | undefined => inputs.upstreams?.[node];
  const hasOther = (node: string): boolean => live.some(({ member }) => member.node === wishOf(node));
  const isStaying = ({ node }: Member): boolean => wishOf(node) === from.node;
  const upstream = live.find(({ member }) => member.node === wishOf(from.node))?.member;
  const witness = view.find(({ member }) => member.witness)?.member;
  return {
    from,
    to,
    siblings: below.filter((member) => !isStaying(member) && !hasOther(member.node)),
    staying: below.filter(isStaying),
    ...(upstream === undefined ? {} : { upstream }),
    ...(witness === undefined ? {} : { witness }),
  };
}

/** The way back, once who moved has moved. */
export function backOf(inputs: TreeInputs, view: ClusterView, { from, to, siblings }: Handover): Handover {
  return { ...handoverOf(inputs, view, to, from), siblings };
}

function follows({ member, facts }: LiveMember, address: string): boolean {
  const { walReceiver, inRecovery } = facts.running;
  // One whose primary is gone streams from nobody.
  return !member.witness && inRecovery && (walReceiver?.senderHost ?? address) === address;
}

/**
 * The steps of a planned switchover; repmgrd is to be paused before. No host logs in to another with SSH, as "repmgr
 * standby switchover" would: from and to talk as databases do, with the role and the password they replicate with.
 */
export function planHandover(inputs: ClusterInputs, handover: Handover): Action[] {
  const { from, to } = handover;
  return [
    ...[from, to].map((member) => checkpoint(inputs, member)),
    caughtUp(inputs, from, to),
    {
      do: "run",
      host: from.host,
      why: `hand over from ${from.node} to ${to.node}: let transactions end, stop ${from.node} cleanly, promote ${to.node} once it has received everything`,
      script: handOverScript(inputs, from, to),
      deadlineMs: HAND_OVER_DEADLINE_MS,
    },
    ...planAfterwards(inputs, handover),
  ];
}

/** Otherwise the checkpoint of the stop would write all that is dirty while nobody can write. */
function checkpoint(inputs: ClusterInputs, { host, node }: Member): Action {
  const script = asPostgres(inputs, "psql", "-Xq -v ON_ERROR_STOP=1 -d postgres -c checkpoint");
  return {
    do: "run",
    host,
    why: `checkpoint on ${node}, so that the switch is short`,
    script,
    deadlineMs: CHECKPOINT_DEADLINE_MS,
  };
}

function caughtUp(inputs: ClusterInputs, from: Member, to: Member): WaitFor {
  const probe = instanceOf(inputs);
  return {
    do: "waitFor",
    host: to.host,
    why: `${to.node} streams from ${from.node} and has replayed nearly everything`,
    deadlineMs: FOLLOW_DEADLINE_MS,
    look: async (ask) => {
      const [source, target] = await Promise.all([ask(from.host, probe), ask(to.host, probe)]);
      if (source.running === undefined || source.running.inRecovery) return `${from.node} takes no writes`;
      const receiver = target.running?.walReceiver;
      if (target.running === undefined) return target.refusal || "not running";
      if (receiver?.status !== "streaming" || receiver.senderHost !== from.address) return "it does not stream from it";
      const lag = source.running.walBytes - target.running.walBytes;
      return lag <= LAG_LIMIT_BYTES ? undefined : `${lag} bytes of WAL are not replayed yet`;
    },
  };
}
