import type { Action } from "../actions/action";
import { clusterPaths } from "../families";
import { sh } from "../ssh/quote";
import { type LiveMember, type MemberFacts, memberOf, thePrimary } from "./cluster";
import { Refused } from "./kind";
import { asPostgres, repmgr } from "./commands";
import type { RepmgrNodeFacts, RepmgrNodeInputs } from "./repmgrNode";

const STOP_DEADLINE_MS = 300_000;

/**
 * Takes a node out of its cluster: unregistered, stopped, its slot dropped, repmgr's files gone. PgCluster's delete,
 * which runs first when the whole cluster goes, has emptied repmgr.nodes; that is how the two are told apart.
 * @throws Refused for the live primary of a cluster that stays, for one that cannot be asked, and while two take writes
 */
export function planNodeDelete(have: RepmgrNodeFacts, inputs: RepmgrNodeInputs): Action[] {
  const { host, node, cluster } = inputs;
  const self = memberOf(have.view, node);
  const paths = clusterPaths(inputs.family, cluster);
  const primary = thePrimary(cluster, have.view);
  const rows = primary?.facts.repmgr?.nodes ?? [];
  refuseNeeded(inputs, self, primary);
  const actions: Action[] = [];
  const row = rows.find(({ id }) => id === inputs.nodeId);
  const isRegistered = row !== undefined;
  if (isRegistered && primary !== undefined && primary.member.node !== node) {
    actions.push({
      do: "run",
      host: primary.member.host,
      why: `${node} leaves the cluster: unregister it${row.type === "primary" ? ", a primary that is no longer active" : ""}`,
      script: repmgr(inputs, `${row.type} unregister --node-id=${inputs.nodeId}`),
    });
  }
  if (self.facts.alive) {
    actions.push({
      do: "run",
      host,
      why: `${cluster}/${node} is no longer managed: stop its PostgreSQL`,
      script: `systemctl stop ${paths.postgresqlUnit}`,
      deadlineMs: STOP_DEADLINE_MS,
    });
  }
  const slot = `repmgr_slot_${inputs.nodeId}`;
  if (isRegistered && primary?.facts.running.slots.some(({ name }) => name === slot) === true) {
    const drop = `select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = '${slot}' and not active`;
    actions.push({
      do: "run",
      host: primary.member.host,
      why: `the slot of ${node} would keep WAL for ever: drop it, its node is stopped and unregistered`,
      script: `n=0
until [ "$(${asPostgres(inputs, "psql", `-XAtqc "select count(*) from pg_replication_slots where slot_name = '${slot}' and active" -d postgres`)})" = 0 ]; do
  n=$((n + 1)); [ $n -lt 100 ] || { echo "${slot} is still in use" >&2; exit 1; }; sleep 0.1
done
${asPostgres(inputs, "psql", `-XAtqc "${drop}" -d postgres`)}`,
    });
  }
  const files = [have.repmgrConf && paths.repmgrConf, have.sudoers && paths.sudoers].filter(
    (path) => path !== undefined,
  );
  if (files.length > 0) {
    actions.push({
      do: "run",
      host,
      why: `${cluster}/${node} is no longer managed: remove repmgr's files`,
      script: `rm -f ${files.map(sh).join(" ")}`,
    });
  }
  return actions;
}

function heir({ failover, family, cluster }: RepmgrNodeInputs): string {
  if (failover === "automatic") return "and wait until repmgrd has promoted another";
  return `then "sudo -u postgres repmgr -f ${clusterPaths(family, cluster).repmgrConf} standby promote" on the host of the most advanced standby`;
}

function refuseNeeded(inputs: RepmgrNodeInputs, self: MemberFacts, primary: LiveMember | undefined): void {
  const { host, node, cluster } = inputs;
  const others = (primary?.facts.repmgr?.nodes ?? []).filter(({ id }) => id !== inputs.nodeId);
  if (primary?.member.node === node && others.length > 0) {
    throw new Refused(
      `cluster ${cluster}: ${node} on ${host} is the primary and ${others.map(({ name }) => name).join(", ")} depend on it. ` +
        `Make another node primary first: type "sudo systemctl stop postgresql-${cluster}" on ${host}, ${heir(inputs)}. Then run "pulumi up" with ` +
        `${node} back in the inventory, which brings it back as a standby, and only then remove it.`,
    );
  }
  if (self.facts.alive && primary === undefined && !self.facts.isStandby && !self.member.witness) {
    throw new Refused(
      `cluster ${cluster}: ${node} on ${host} is up as a primary and refuses connections (${self.facts.refusal}), so nobody can see who depends on it. ` +
        `Make it answer, or stop it with "sudo systemctl stop postgresql-${cluster}".`,
    );
  }
}
