import type { Action } from "../actions/action";
import { rejoinMark } from "../facts/rewind";
import { clusterPaths } from "../families";
import { sh, shJoin } from "../ssh/quote";
import { type Claims, claimsOfOthers, isDirectoryClaimed, isRenamed } from "./claims";
import { livePrimaries, memberOf } from "./cluster";
import { oneAtATime } from "./instanceData";
import { directoriesOf } from "./spaceDirectories";
import { Refused } from "./kind";
import type { PgInstanceFacts, PgInstanceInputs } from "./pgInstance";
import { refuseOtherCluster } from "./pgInstancePlan";
import { REMOVE_DATA } from "./spaceScripts";
import { planSlots } from "./slots";

const REMOVE_DEADLINE_MS = 600_000;

/**
 * Removes what is ours and keeps PGDATA, unless the inventory allowed its loss before.
 * @throws Refused while it runs, and when the data to remove are another cluster's
 */
export function planInstanceDelete(have: PgInstanceFacts, inputs: PgInstanceInputs, claims: Claims): Action[] {
  if (isRenamed(claims, inputs)) return [];
  const secrets = planSecretFiles(have, inputs);
  if (isDirectoryClaimed(claims, inputs)) return secrets;
  const { host, node, cluster, dataDirectory } = inputs;
  const { facts } = memberOf(have.view, node);
  if (facts.alive)
    throw new Refused(
      `${host}: PostgreSQL of ${cluster}/${node} still runs in ${dataDirectory}; it is not taken away under it`,
    );
  const kept = [...planStraySlot(have, inputs, claims), ...secrets];
  const goes = inputs.allowDataLoss && facts.data === "present";
  const spaces = directoriesOf(inputs.tablespaces);
  if (goes) refuseOtherCluster(inputs, have);
  if (!goes && !have.isBuilding) return kept;
  const why = goes
    ? `remove the data of ${cluster}/${node} in ${dataDirectory}, as allow_data_loss says${spaces.length === 0 ? "" : `, and its files in ${spaces.join(", ")}`}`
    : `${dataDirectory}.building is a copy that was never finished: remove it`;
  const script = removeScript(inputs, goes);
  return [...kept, { do: "run", host, why, script, deadlineMs: REMOVE_DEADLINE_MS }];
}

/** Password file, private key and certificates. */
function planSecretFiles(have: PgInstanceFacts, inputs: PgInstanceInputs): Action[] {
  const { passFile, certificate, authorities, loginCertificate } = have;
  const paths = clusterPaths(inputs);
  const files = [
    ...(passFile === undefined ? [] : [paths.passFile]),
    ...(certificate === undefined ? [] : [paths.certificate]),
    ...(authorities === undefined ? [] : [paths.authorities]),
    ...(loginCertificate === undefined ? [] : [paths.loginCertificate]),
  ];
  // A password file of others may open other doors besides.
  if (files.length === 0 || inputs.layout !== undefined) return [];
  const { host, node, cluster } = inputs;
  const what = certificate === undefined ? "passwords" : "passwords and its private key";
  const why = `${cluster}/${node} is no longer managed: remove its ${what}`;
  return [{ do: "run", host, why, script: `rm -f ${shJoin(files)}` }];
}

/** A clone makes its slot before its node is registered; when it never was, this is the only one who knows of it. */
function planStraySlot({ view }: PgInstanceFacts, inputs: PgInstanceInputs, claims: Claims): Action[] {
  const { id } = memberOf(view, inputs.node).member;
  const isClaimed = claimsOfOthers(claims, inputs).some((c) => c.cluster === inputs.cluster && c.id === id);
  const [primary] = livePrimaries(view);
  if (isClaimed || primary === undefined || primary.facts.repmgr === undefined) return [];
  const { nodes } = primary.facts.repmgr;
  // Of a cluster that goes as a whole nobody is registered: its slots keep the WAL with which it is taken up again.
  if (nodes.length === 0 || primary.member.id === id || nodes.some((row) => row.id === id)) return [];
  return planSlots(inputs, [primary], { node: inputs.node, id });
}

/** Put aside first: what is half removed must never be taken for PGDATA, and is found again after a cut. */
function removeScript(inputs: PgInstanceInputs, goes: boolean): string {
  const aside = `if [ -d "$data" ]; then
  remove_data "$data.building"
  rm -f ${sh(rejoinMark(inputs.dataDirectory))}
  mv "$data" "$data.building"
fi
`;
  return oneAtATime(
    inputs,
    `${REMOVE_DATA}
${goes ? aside : ""}remove_data "$data.building"`,
  );
}
