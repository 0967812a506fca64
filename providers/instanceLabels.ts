import { type Action, asRoot } from "../actions/action";
import type { LabelFacts, LabelQuestion, PlaceFact, Purpose, SelinuxMode } from "../facts/selinux";
import { clusterPaths, type ClusterPlace, familyLayout } from "../families";
import { pathPattern, sh, shJoin } from "../ssh/quote";
import { Refused } from "./kind";
import { packageCommands } from "./packageCommands";
import { directoriesOf, type Spaces } from "./spaceDirectories";

/** The policy changes while the whole of it is compiled anew. */
const SEMANAGE_DEADLINE_MS = 300_000;
const LOCK_SECONDS = 200;
/** As long as a large PGDATA takes. */
const RESTORE_DEADLINE_MS = 3_600_000;
const PORT_TYPE = "postgresql_port_t";
/** The one port that every policy gives PostgreSQL. */
const DEFAULT_PORT = 5432;
/** Named alike in both families. */
const SEMANAGE_PACKAGE = "policycoreutils-python-utils";
const RSYNC = "postgresql_can_rsync";

/** The types that will do, the one that is given first: newer policies have another name for that of the sockets. */
const TYPES: Readonly<Record<Purpose, readonly [string, ...string[]]>> = {
  data: ["postgresql_db_t"],
  log: ["postgresql_log_t"],
  socket: ["postgresql_var_run_t", "postgresql_runtime_t"],
  // What every service may pass through.
  way: ["var_t"],
};

/** Labels of an instance as its host has them, with what they need to be judged by. */
export interface LabelView extends LabelFacts {
  readonly mode: SelinuxMode;
}

type LabelPlace = ClusterPlace & { readonly port: number; readonly tablespaces?: Spaces };
/** The settings, where they are known, tell what the server has to run. */
type Wanted = LabelPlace & { readonly settings?: Readonly<Record<string, string>> };
type OnHost = { readonly host: string };

/** What is asked on a host with SELinux; undefined for an instance that others have set up, whose labels are theirs. */
export function labelQuestion(inputs: LabelPlace): LabelQuestion | undefined {
  if (inputs.layout !== undefined) return undefined;
  const { configFile, logDirectory, socketDirectory } = clusterPaths(inputs);
  const tablespaces = directoriesOf(inputs.tablespaces);
  return {
    port: inputs.port,
    dataDirectory: inputs.dataDirectory,
    tablespaces,
    configFile,
    logDirectory,
    socketDirectory,
  };
}

/** Types of what was never labelled. */
const NOBODY_MAY_PASS = ["default_t", "unlabeled_t"];

/** What a review shows: everything that `up` would put right, a line each; none on a host that is as wanted. */
export function labelProblems(want: Wanted, view: LabelView | undefined): string[] {
  if (view === undefined) return [];
  const rules = view.hasSemanage ? rulesNeeded(want, view).map(({ problem }) => problem) : [];
  return [...rules, ...wrongFiles(view).map(({ path, found, wanted }) => `${path} is ${found}, not ${wanted}`)];
}

/**
 * Rules first, in one batch, since each one compiles the policy anew; then what they are about.
 * @throws Refused on an enforcing host that lacks what changes its rules
 */
export function planLabels(want: Wanted & OnHost, view: LabelView | undefined): Action[] {
  if (view === undefined) return [];
  const problem = semanageMissing(want, view);
  if (problem !== undefined) throw new Refused(`${want.host}: ${problem}`);
  return asRoot([...planRules(want, view), ...planRestore(want, view)]);
}

/** Why labels that are needed cannot be given, and what to type; undefined where nothing is in the way. */
export function semanageMissing(want: Wanted, view: LabelView): string | undefined {
  if (view.mode !== "enforcing") return undefined;
  return withoutSemanage(want, view);
}

/** On a permissive host all of it works meanwhile. */
export function labelRemarks(want: Wanted & OnHost, view: LabelView | undefined): string[] {
  if (view?.mode !== "permissive") return [];
  const said = withoutSemanage(want, view);
  return said === undefined ? [] : [`${want.host}: ${said}`];
}

function withoutSemanage(want: Wanted, view: LabelView): string | undefined {
  const needed = rulesNeeded(want, view);
  if (view.hasSemanage || needed.length === 0) return undefined;
  return (
    `SELinux is ${view.mode} here, and semanage, which gives labels, is not installed; missing: ` +
    `${needed.map(({ problem }) => problem).join("; ")}. Type there: ${packageCommands(familyLayout(want.family).packageManager).add(SEMANAGE_PACKAGE)}` +
    (view.mode === "permissive" ? ", before SELinux enforces" : "")
  );
}

interface Rule {
  readonly problem: string;
  /** A line of "semanage import"; the verb comes between. */
  readonly object: "port" | "fcontext" | "boolean";
  readonly rest: string;
}

function rulesNeeded(want: Wanted, view: LabelView): Rule[] {
  const { portType } = view;
  const hasPort = portType === PORT_TYPE || (portType === "" && want.port === DEFAULT_PORT);
  const port: Rule = {
    problem: `port ${want.port} is ${portType || "no port of PostgreSQL by the policy"}, not ${PORT_TYPE}`,
    object: "port",
    rest: `-t ${PORT_TYPE} -p tcp ${want.port}`,
  };
  return [...(hasPort ? [] : [port]), ...view.places.flatMap(placeRule), ...rsyncRule(want, view)];
}

function placeRule({ purpose, path, ruled }: PlaceFact): Rule[] {
  const [type] = TYPES[purpose];
  if (TYPES[purpose].includes(ruled) || (purpose === "way" && !NOBODY_MAY_PASS.includes(ruled))) return [];
  // Data are made beside their place.
  const pattern =
    pathPattern(path) + { way: "", data: "(\\.building)?(/.*)?", log: "(/.*)?", socket: "(/.*)?" }[purpose];
  const problem = `${path} is ${ruled || "without a label"} by the policy, not ${type}`;
  return [{ problem, object: "fcontext", rest: `-t ${type} ${sh(pattern)}` }];
}

/** A confined server may run neither rsync nor ssh to archive, unless the policy is told that it may. */
function rsyncRule({ settings = {} }: Wanted, { mayRsync }: LabelView): Rule[] {
  const commands = [settings.archive_command, settings.restore_command].join(" ");
  if (mayRsync !== false || !/\b(rsync|ssh|scp)\b/.test(commands)) return [];
  const problem = `${RSYNC} is off, and archive_command or restore_command needs it`;
  return [{ problem, object: "boolean", rest: `--on ${RSYNC}` }];
}

/** A rule that exists with another label can only be modified, and some versions of semanage say so instead of doing it. */
function planRules(want: Wanted & OnHost, view: LabelView): Action[] {
  const rules = rulesNeeded(want, view);
  if (rules.length === 0 || !view.hasSemanage) return [];
  const line = (verb: string, { object, rest }: Rule): string =>
    `${object} ${object === "boolean" ? "-m" : verb} ${rest}`;
  const singly = rules.map((rule) => `semanage ${line("-a", rule)} 2>/dev/null || semanage ${line("-m", rule)}`);
  // Another cluster of the host may be doing the same, and semanage waits for seconds only.
  const script = `exec 9>/run/lock/repmgr-pulumi-selinux
flock -w ${LOCK_SECONDS} 9
( semanage import 2>/dev/null || {
${singly.join("\n")}
} ) 9>&-`;
  const why = `SELinux has to know of the cluster: ${rules.map(({ problem }) => problem).join("; ")}`;
  const stdin = rules.map((rule) => `${line("-a", rule)}\n`).join("");
  return [{ do: "run", host: want.host, why, script, stdin, deadlineMs: SEMANAGE_DEADLINE_MS }];
}

/** -F: types that an administrator gave by hand ("customizable") would be left otherwise. */
function planRestore(want: Wanted & OnHost, view: LabelView): Action[] {
  const wrong = wrongFiles(view);
  const isNew = (place: PlaceFact): boolean => view.hasSemanage && place.exists && placeRule(place).length > 0;
  const places = view.places.filter((place) => isNew(place) || wrong.some(({ path }) => isWithin(path, place)));
  const [ways, whole] = [true, false].map((isWay) =>
    places.filter(({ purpose }) => (purpose === "way") === isWay).map(({ path }) => path),
  ) as [string[], string[]];
  if (places.length === 0) return [];
  const script = [
    ...(ways.length === 0 ? [] : [`restorecon -F ${shJoin(ways)}`]),
    ...(whole.length === 0 ? [] : [`restorecon -RF ${shJoin(whole)}`]),
  ].join("\n");
  const [first] = wrong;
  const because = first === undefined ? "their rules are new" : `${first.path} is ${first.found}, not ${first.wanted}`;
  const why = `give ${places.map(({ path }) => path).join(", ")} the labels of the policy again: ${because}`;
  return [{ do: "run", host: want.host, why, script, deadlineMs: RESTORE_DEADLINE_MS }];
}

/** What a rule is still missing for is no error of the file; and who gave a directory on the way a label knows why. */
function wrongFiles({ places, mislabelled }: LabelView): LabelFacts["mislabelled"] {
  return mislabelled.filter(({ path, found }) => {
    const place = places.find((one) => isWithin(path, one));
    if (place === undefined || placeRule(place).length > 0) return false;
    return place.purpose !== "way" || NOBODY_MAY_PASS.includes(found);
  });
}

function isWithin(path: string, place: PlaceFact): boolean {
  return path === place.path || (place.purpose !== "way" && path.startsWith(`${place.path}/`));
}
