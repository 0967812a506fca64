import type { Action } from "../actions/action";
import { clusterPaths } from "../families";
import { sh } from "../ssh/quote";
import { asPostgres, repmgr, sqlAction } from "./commands";
import { Refused } from "./kind";
import {
  clusterOf,
  type FormerNode,
  formerOf,
  formerPrimaries,
  hasFormer,
  isDue,
  isThere,
  packagesOf,
} from "./majorUpgrade";
import type { UpgradeNode, UpgradeView } from "./majorUpgrade";
import { upgradeProblems } from "./majorUpgradeProblems";
import {
  asideScript,
  checkScript,
  type Passage,
  startScript,
  switchScript,
  takeBackScript,
} from "./majorUpgradeScripts";
import { planPackages } from "./pgPackagesPlan";
import type { PreflightInputs } from "./preflight";

const CHECK_DEADLINE_MS = 600_000;
/** pg_upgrade dumps and restores the schema of every database: many thousand tables take minutes. */
const SWITCH_DEADLINE_MS = 4 * 3_600_000;
const ANALYZE_DEADLINE_MS = 24 * 3_600_000;

/**
 * Takes a cluster to the wanted major version, as far as the primary: packages everywhere, pg_upgrade there, then the old
 * instances are stopped. What the other nodes lack then, their own resources see: they have no data, so they are cloned.
 * @throws Refused when something stands in the way
 */
export function planMajorUpgrade(
  want: PreflightInputs,
  view: UpgradeView,
  free: Readonly<Record<string, number>>,
): Action[] {
  const [problem] = upgradeProblems(want, view, free);
  if (problem !== undefined) throw new Refused(problem);
  const back = view.filter(({ facts }) => facts.mark?.from === want.version);
  if (back.length > 0) return back.map((seen) => takeBack(want, seen));
  if (!isDue(want, view)) return planFinish(want, view);
  const [primary] = formerPrimaries(view) as [FormerNode];
  return [...planInstall(want, view), planCheck(want, primary), planSwitch(want, view, primary)];
}

function planInstall(want: PreflightInputs, view: UpgradeView): Action[] {
  return view.flatMap(({ node, due }) => (due === undefined ? [] : planPackages(packagesOf(want, node), due.packages)));
}

function passageOf(want: PreflightInputs, primary: FormerNode): Passage {
  return { now: clusterOf(want), before: formerOf(want, primary) };
}

function planCheck(want: PreflightInputs, primary: FormerNode): Action {
  const { node, host } = primary.node;
  const { version } = primary.facts.former;
  return {
    do: "run",
    host,
    why: `pg_upgrade --check of ${node} from ${version} to ${want.version}: whatever it finds, nothing has been stopped yet`,
    script: checkScript(passageOf(want, primary)),
    deadlineMs: CHECK_DEADLINE_MS,
  };
}

/** repmgrd is paused on the standbys, whose instances of before run on until the new primary takes writes. */
function planSwitch(want: PreflightInputs, view: UpgradeView, primary: FormerNode): Action {
  const { node, host } = primary.node;
  const passage = passageOf(want, primary);
  const { version } = primary.facts.former;
  const others = view.filter((seen) => seen !== primary).map((seen) => seen.node.node);
  const then =
    others.length === 0
      ? ""
      : `; then ${others.join(", ")} get new copies, the old ones stay in ${passage.before.dataDirectory}`;
  const unpause = `[ -f ${sh(`${want.dataDirectory}/PG_VERSION`)} ] || ${repmgr(passage.before, "service unpause")}`;
  const isUp = primary.due?.old.running !== undefined;
  return {
    do: "bracket",
    host,
    effect: "upgrade",
    why:
      `major upgrade ${version} -> ${want.version}: ${node}, the primary, stops, pg_upgrade --link takes its data over, and it starts again: ` +
      `down for some seconds, longer with thousands of tables${then}`,
    before: isUp
      ? [
          {
            do: "run",
            host,
            why: "a planned upgrade must not look like a failure: pause repmgrd",
            script: repmgr(passage.before, "service pause"),
          },
        ]
      : [],
    body: [
      {
        do: "run",
        host,
        why: `stop PostgreSQL ${version} of ${node}, pg_upgrade --link, start PostgreSQL ${want.version}; until that starts, a failure starts ${version} again`,
        script: switchScript(passage),
        deadlineMs: SWITCH_DEADLINE_MS,
      },
    ],
    after: [{ do: "run", host, why: "repmgrd watches again, where the old version goes on", script: unpause }],
  };
}

/** What is left once a node has the new data. */
function planFinish(want: PreflightInputs, view: UpgradeView): Action[] {
  const now = clusterOf(want);
  const marked = view.filter((seen) => seen.facts.mark !== undefined && isThere(want, seen));
  const starts = marked.filter(({ facts }) => !facts.isAlive).map((seen) => start(want, seen));
  const stops = view
    .filter(hasFormer)
    .filter(({ facts }) => facts.former.pid > 0 && facts.former.version < want.version);
  return [
    ...starts,
    ...marked.map(({ node: { host } }) => {
      const why = `repmgr's extension is that of PostgreSQL ${want.version}'s package`;
      return sqlAction(now, { host, database: "repmgr" }, why, ["alter extension repmgr update;"]);
    }),
    ...stops.map((seen) => stop(want, seen)),
    ...view
      .filter(hasFormer)
      .filter(({ facts: { former } }) => former.version < want.version && former.spaces !== undefined)
      .map((seen) => putAside(want, seen)),
    ...marked.flatMap(({ node }) => analyze(want, node.host)),
  ];
}

function start(want: PreflightInputs, { node: { node, host }, facts }: UpgradeNode): Action {
  const why = `${node} has been upgraded to ${want.version}, but does not run: start it`;
  const before = { ...clusterOf(want), version: facts.mark?.from ?? want.version };
  return { do: "run", host, effect: "start", why, script: startScript({ now: clusterOf(want), before }) };
}

function stop(want: PreflightInputs, { node: { node, host }, facts: { former } }: FormerNode): Action {
  const { postgresqlUnit, repmgrdUnit } = clusterPaths(want);
  return {
    do: "run",
    host,
    effect: "stop",
    why: `the cluster is one of PostgreSQL ${want.version} now: stop the ${former.version} of ${node}, whose data stay in ${former.dataDirectory}`,
    script: `systemctl stop ${repmgrdUnit}\nsystemctl stop ${postgresqlUnit}`,
    deadlineMs: CHECK_DEADLINE_MS,
  };
}

function putAside(want: PreflightInputs, seen: FormerNode): Action {
  const { node, host } = seen.node;
  const { version } = seen.facts.former;
  return {
    do: "run",
    host,
    why: `the files of PostgreSQL ${version} of ${node} in tablespaces are kept, each beside its directory, in ...former-${version}`,
    script: asideScript(formerOf(want, seen)),
    deadlineMs: CHECK_DEADLINE_MS,
  };
}

/** pg_upgrade carries no statistics over, and without them plans are bad (PostgreSQL documentation, pg_upgrade, step 14). */
function analyze(want: PreflightInputs, host: string): Action[] {
  const now = clusterOf(want);
  return [
    {
      do: "run",
      host,
      why: `make the planner's statistics, which pg_upgrade leaves behind`,
      // No standby is there yet that could confirm a commit.
      script: `export PGOPTIONS='-c synchronous_commit=local'
${asPostgres(now, "vacuumdb", "--all --analyze-in-stages --quiet")} >&2
rm -f ${sh(clusterPaths(now).upgradeMark)}`,
      deadlineMs: ANALYZE_DEADLINE_MS,
    },
  ];
}

function takeBack(want: PreflightInputs, { node: { node, host }, facts: { mark } }: UpgradeNode): Action {
  const now = { ...clusterOf(want), version: mark?.to ?? want.version, dataDirectory: mark?.dataDirectory ?? "" };
  return {
    do: "run",
    host,
    effect: "start",
    why: `the upgrade of ${node} to ${mark?.to} was begun and never started: take it back, ${want.version} goes on`,
    script: takeBackScript({ now, before: clusterOf(want) }),
    deadlineMs: CHECK_DEADLINE_MS,
  };
}
