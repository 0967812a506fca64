import type { Action } from "../actions/action";
import { type ClusterInputs, type ClusterView, isLive } from "./cluster";
import { asPostgres } from "./commands";

/**
 * Drops the slot of a node that is stopped and leaves, wherever it is: a standby that follows another than the primary
 * has it there. The caller has the proof that the slot is this node's.
 */
export function planSlots(inputs: ClusterInputs, view: ClusterView, of: { node: string; id: number }): Action[] {
  const slot = `repmgr_slot_${of.id}`;
  const holders = view.filter(isLive).filter(({ member, facts }) => {
    return member.node !== of.node && facts.running.slots.some(({ name }) => name === slot);
  });
  const ask = (sql: string): string => asPostgres(inputs, "psql", `-XAtqc "${sql}" -d postgres`);
  return holders.map(({ member }) => ({
    do: "run",
    host: member.host,
    why: `the slot of ${of.node} would keep WAL for ever: drop it, its node is stopped and leaves the cluster`,
    script: `n=0
until [ "$(${ask(`select count(*) from pg_replication_slots where slot_name = '${slot}' and active`)})" = 0 ]; do
  n=$((n + 1)); [ $n -lt 100 ] || { echo "${slot} is still in use" >&2; exit 1; }; sleep 0.1
done
${ask(`select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = '${slot}' and not active`)}`,
  }));
}
