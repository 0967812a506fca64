import type { Action } from "../actions/action";
import type { FileFact } from "../facts/file";
import { editConf } from "../facts/editConf";
import { parsePostgresConf } from "../facts/postgresConf";
import { renderRepmgrConf } from "../facts/repmgrConf";
import { rejoinMark } from "../facts/rewind";
import { clusterPaths } from "../families";
import { repmgrConfValue, sh } from "../ssh/quote";
import { render } from "../templates/render";
import { equal } from "./canonical";
import { isLive, type LiveMember, memberOf, type MemberFacts, thePrimary } from "./cluster";
import { Refused } from "./kind";
import { planFollow, planFormerSlots, planLeftSlots, planSlot } from "./follow";
import { fellBehind, isSuperseded } from "./nodeState";
import { planRegister, planWitness, planWitnessKnows } from "./register";
import { planCopyAnew, planReturn, planSettle, planSupersede, type Return } from "./rejoin";
import { isRotating, planRotation } from "./passwordRotation";
import { foundSudoCommands, type RepmgrNodeFacts, type RepmgrNodeInputs } from "./repmgrNode";
import { planBootstrap, repmgrRoleProblem } from "./repmgrRole";
import { planRevival, planStart } from "./revive";

export const CONF_FILE = { owner: "postgres:postgres", mode: "0640" };
/** sudo ignores a file that others may write (sudoers(5)). */
export const SUDOERS_FILE = { owner: "root:root", mode: "0440" };

/** The plan of one node: its files; then it runs; then it follows; then it is registered. Each needs the one before. */
export function planNode(want: RepmgrNodeInputs, have: RepmgrNodeFacts): Action[] {
  const self = memberOf(have.view, want.node);
  const files = [...planConf(want, have.repmgrConf), ...planSudoers(want, have)];
  if (self.facts.data !== "present") {
    throw new Refused(
      `${want.host}: ${want.cluster}/${want.node} has no data in ${want.dataDirectory}; run "pulumi up" so that it is cloned`,
    );
  }
  if (!isLive(self)) return [...files, ...planRun(want, have, self)];
  return [...files, ...planRunning(want, have, self)];
}

function planRun(want: RepmgrNodeInputs, have: RepmgrNodeFacts, self: MemberFacts): Action[] {
  if (self.member.witness) return planStart(want, self, "the witness votes only while it runs");
  const primary = thePrimary(want, have.view);
  const back = returnOf(have);
  const isSpent = back.mark !== undefined && (!self.facts.alive || !back.mark.startsWith("begun"));
  if (isSpent && primary !== undefined) return planReturn(want, back, self, primary);
  if (self.facts.alive) {
    if (!self.facts.isStandby && primary !== undefined)
      return planSupersede(want, back, { self, primary, isSuperseded: isSuperseded(have.view, want.node) });
    if (self.facts.isStandby && back.mark?.startsWith("begun") === true) return planSettle(want, self);
    return planStart(want, self, "it is up");
  }
  if (primary === undefined) return planRevival(want, have.view);
  if (self.facts.isStandby) return planStart(want, self, `it is a standby and ${primary.member.node} is primary`);
  return planReturn(want, back, self, primary);
}

function returnOf({ rejoinMark: mark, rewind }: RepmgrNodeFacts): Return {
  return { ...(mark === undefined ? {} : { mark: mark.content }), ...(rewind === undefined ? {} : { facts: rewind }) };
}

function planRunning(want: RepmgrNodeInputs, have: RepmgrNodeFacts, self: LiveMember): Action[] {
  if (self.member.witness) return planWitness(want, have, self);
  const primary = thePrimary(want, have.view);
  if (primary === undefined) return planRevival(want, have.view);
  const isPrimary = primary.member.node === want.node;
  const role = repmgrRoleProblem(want, primary.facts);
  if (isPrimary && role !== undefined && isRotating(want, have.view))
    return planRotation(want, have.view, primary, role);
  if (isPrimary && (role !== undefined || primary.facts.repmgr === undefined)) {
    return planBootstrap(want, role ?? "without its extension");
  }
  if (primary.facts.repmgr === undefined) {
    throw new Refused(
      `${primary.member.node} is primary but has no repmgr extension; run "pulumi up" for the whole cluster`,
    );
  }
  const following = isPrimary ? [] : [...planSlot(want, have), ...planFollow(want, have, self, primary)];
  const back = returnOf(have);
  const behind = fellBehind(want, have.view);
  if (behind !== undefined) return planCopyAnew(want, back, behind, self, primary);
  if (following.length > 0)
    return back.mark?.startsWith("failed") === true ? planReturn(want, back, self, primary) : following;
  return [
    ...planUnmark(want, back),
    ...planRegister(want, have, self, primary),
    ...planWitnessKnows(want, have.view, primary),
    ...planLeftSlots(want, have.view),
    ...planFormerSlots(want, have.view),
  ];
}

/** The connection was lost after the rejoin and before its last step. */
function planUnmark({ host, node, dataDirectory }: RepmgrNodeInputs, { mark }: Return): Action[] {
  if (mark === undefined) return [];
  const why = `${node} works, so the mark of an unfinished rejoin is no longer true`;
  return [{ do: "run", host, why, script: `mark=${sh(rejoinMark(dataDirectory))}\nrm -f "$mark"` }];
}

function planConf(want: RepmgrNodeInputs, file: FileFact | undefined): Action[] {
  const path = clusterPaths(want).repmgrConf;
  const have = parsePostgresConf(file?.content ?? "");
  const kept = want.layout === undefined ? undefined : file;
  const { owner, mode } = kept ?? CONF_FILE;
  if (equal(have, want.repmgrConf) && file?.owner === owner && file.mode === mode) return [];
  const names = Object.keys(want.repmgrConf).filter((name) => have[name] !== want.repmgrConf[name]);
  const why =
    file === undefined
      ? "repmgr needs its configuration"
      : `repmgr.conf differs in ${names.join(", ") || "what it holds besides"}`;
  const content =
    kept === undefined
      ? renderRepmgrConf(want.cluster, want.repmgrConf)
      : editConf(kept.content, want.repmgrConf, repmgrConfValue);
  const found = file?.content ?? null;
  const put: Action = { do: "putFile", host: want.host, why, path, content, found, owner, mode };
  if (file === undefined) return [put];
  const unit = clusterPaths(want).repmgrdUnit;
  // Only some keys are read again on SIGHUP (repmgr documentation, "repmgrd configuration: reloading"); a restart takes them all.
  return [
    put,
    {
      do: "run",
      host: want.host,
      effect: "repmgrd",
      why: "restart repmgrd, which reads its configuration when it starts; PostgreSQL goes on",
      // A node that comes back may still have its file, and has no unit yet.
      script: `if systemctl cat ${unit} >/dev/null 2>&1; then systemctl try-restart ${unit}; fi`,
    },
  ];
}

function planSudoers(want: RepmgrNodeInputs, have: RepmgrNodeFacts): Action[] {
  const { sudoers: file } = have;
  const isRight =
    equal(foundSudoCommands(want, have), want.sudoCommands) &&
    (have.sudoList !== undefined || (file?.mode === SUDOERS_FILE.mode && file.owner === SUDOERS_FILE.owner));
  // What others allow repmgr to do is theirs to say.
  if (isRight || want.layout !== undefined) return [];
  return [
    {
      do: "putFile",
      host: want.host,
      why: `repmgr starts and stops PostgreSQL through systemd with ${want.sudoCommands.length} exact commands`,
      path: clusterPaths(want).sudoers,
      content: render("sudoers", { cluster: want.cluster, commands: want.sudoCommands }),
      found: file?.content ?? null,
      ...SUDOERS_FILE,
      check: 'visudo -cqf "$1"',
    },
  ];
}
