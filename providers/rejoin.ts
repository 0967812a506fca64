import type { Action } from "../actions/action";
import { waitFor } from "../actions/action";
import { instanceOf, type LiveMember, type MemberFacts } from "./cluster";
import { repmgr } from "./commands";
import type { RepmgrNodeInputs } from "./repmgrNode";

/** pg_rewind copies what differs; the rest is crash recovery and one checkpoint. */
const REJOIN_DEADLINE_MS = 3_600_000;
const STREAM_DEADLINE_MS = 60_000;

/**
 * An instance that was primary comes back under the node that is primary now, never as a primary (repmgr
 * documentation, "repmgr node rejoin"). The dry run comes first; when it or the rewind says no, nothing is removed.
 */
export function planRejoin(want: RepmgrNodeInputs, self: MemberFacts, primary: LiveMember): Action[] {
  const { address, node } = primary.member;
  const conninfo = `host=${address} port=${want.port} user=repmgr dbname=repmgr connect_timeout=5`;
  const rejoin = `node rejoin -d '${conninfo}' --force-rewind --config-files=postgresql.conf,pg_hba.conf --config-archive-dir=/run/repmgr-rejoin-${want.cluster}`;
  const was = `was primary on timeline ${self.facts.control?.timeline ?? "?"}`;
  return [
    {
      do: "run",
      host: want.host,
      why: `${want.node} ${was}; ${node} is primary on timeline ${primary.facts.running.timeline}: rejoin it as a standby, rewound to where they parted`,
      script: `install -d -o postgres -g postgres -m 0700 /run/repmgr-rejoin-${want.cluster}
trap 'rm -rf /run/repmgr-rejoin-${want.cluster}' EXIT
${repmgr(want, `${rejoin} --dry-run`)} >&2
${repmgr(want, rejoin)} >&2`,
      deadlineMs: REJOIN_DEADLINE_MS,
    },
    waitFor(
      { host: want.host, why: `${want.node} is back as a standby`, deadlineMs: STREAM_DEADLINE_MS },
      instanceOf(want),
      ({ running, refusal }) =>
        running?.inRecovery === true ? undefined : running === undefined ? refusal || "not running" : "it takes writes",
    ),
  ];
}
