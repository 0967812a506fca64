import type { Action } from "../actions/action";
import { verifies } from "../facts/scram";
import { clusterPaths } from "../families";
import { shJoin } from "../ssh/quote";
import { type ClusterView, isLive, type LiveMember, livePrimaries } from "./cluster";
import { asPostgres } from "./commands";
import { planBootstrap, type RoleInputs } from "./repmgrRole";
import { PASS_FILE, pgpass } from "./passFile";

/**
 * The role has another password than the wanted one, so that the nodes still log in with the old one. Then the password
 * files wait for the role, and one plan changes them all: a file or a role alone would keep out whoever logs in meanwhile,
 * an election among them. Of clusters of others the files are edited one by one.
 */
export function isRotating({ layout, repmgrPassword }: RoleInputs, view: ClusterView): boolean {
  const role = livePrimaries(view)[0]?.facts.running.roles.find(({ name }) => name === "repmgr");
  return layout === undefined && role !== undefined && !verifies(role.verifier, repmgrPassword);
}

/**
 * The password files of all nodes, then the role, then every node logs in with what it has.
 * @param problem what is wrong with the role, the password among it
 */
export function planRotation(want: RoleInputs, view: ClusterView, primary: LiveMember, problem: string): Action[] {
  const { passFile: path } = clusterPaths(want);
  const files = view
    .filter(({ facts }) => facts.data === "present")
    .map(({ member }): Action => ({
      do: "putFile",
      host: member.host,
      why: `repmgr's password changes: ${member.node} logs in with the new one from the moment on in which the role has it`,
      path,
      content: pgpass(want),
      ...PASS_FILE,
    }));
  const proofs = view.filter(isLive).map(({ member }): Action => ({
    do: "run",
    host: member.host,
    // A certificate may be all that it is asked for; then the password counts for nobody over the network.
    why: `${member.node} logs in to ${primary.member.node} with ${want.hasLoginCertificates === true ? "what it has" : "repmgr's new password"}`,
    script: asPostgres(want, "psql", `-XAtqw ${shJoin(["-d", primary.member.conninfo, "-c", "select 1"])}`),
  }));
  return [...files, ...planBootstrap(want, problem), ...proofs];
}
