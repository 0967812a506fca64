import { type Action, asRoot, type PutFile } from "../actions/action";
import { isOn } from "../config/isOn";
import { parseHba, renderHba } from "../facts/hbaConf";
import type { InstanceFacts } from "../facts/instance";
import type { FileFact } from "../facts/file";
import type { RunningFacts } from "../facts/running";
import { includesConfD, parsePostgresConf } from "../facts/postgresConf";
import { isRotating } from "./passwordRotation";
import { PASS_FILE } from "./passFile";
import { clusterPaths, familyLayout } from "../families";
import { sh, sqlIdentifier } from "../ssh/quote";
import { equal } from "./canonical";
import { planDirectory } from "./clusterDirectory";
import { cannotBuild, foundSettings, hasOwnership, ownedAs, passFileText, settingsText } from "./keptInstance";
import { type LiveMember, livePrimaries, type MemberFacts, memberOf, thePrimary } from "./cluster";
import { hbaCheck, isLoaded, psql, reload } from "./instanceLoad";
import { planLabels } from "./instanceLabels";
import { planLogin, planLoginEnd } from "./instanceLogin";
import { planTlsEnd, planTlsFiles, planTlsProof } from "./instanceTls";
import { fromPrimary, planClone, planInitdb, type Source } from "./instanceData";
import { Refused } from "./kind";
import { expectedUpstream, knowsItself } from "./nodeState";
import { keptSpaces, planSpaces, spaceProblems } from "./spaceDirectories";
import type { PgInstanceFacts, PgInstanceInputs } from "./pgInstance";
import { planRevival } from "./revive";
import { refuseStrangers } from "./stranger";
import { refuseOldSlots } from "./slotVersion";
import { refuseLowerLevel } from "./walLevel";

const HBA = "pg_hba.conf";
export const DIRECTORY_OWNERSHIP = "postgres:postgres 0700";

/** The plan of one instance: password file, data, configuration, reload. */
export function planInstance(want: PgInstanceInputs, have: PgInstanceFacts): Action[] {
  const self = memberOf(have.view, want.node);
  refuseOtherCluster(want, have);
  const labels = planLabels(want, have.labels);
  // What a confined server and its programs say of data that they may not read is not the truth.
  if (labels.length > 0 && self.facts.data === "present") return labels;
  refuseForeignData(want, have, self);
  refuseStrangers(want, have.view);
  refuseLowerLevel(want, self);
  refuseOldSlots(want, self);
  refuseSpaces(want, have, self);
  const tls = planTlsFiles(want, have);
  const spaces = planSpaces(want.host, want.tablespaces ?? {}, have.spaces);
  const login = planLogin(want, have);
  const ended = planLoginEnd(want, have);
  const first = [
    ...labels,
    ...planDirectory(want, self.facts),
    ...planPassFile(want, have),
    ...spaces,
    ...tls,
    ...login,
    ...ended,
    ...planDoor(want, have),
  ];
  if (self.facts.data !== "present") {
    const data = planData(want, have, self);
    // Copies of tablespaces are made beside their directories, where root alone may be able to write.
    return [...first, ...(have.spaces.length > 0 ? asRoot(data) : data)];
  }
  return [...first, ...planOwnership(want, self.facts), ...planConfiguration(want, have, tls, login)];
}

/**
 * Files, and what loads them. A rule for TLS lets nobody in while the server does without, so on the way there the server
 * loads it first and is tried, and on the way back the rules go first.
 * @param tls what is done before to the files that the server reads for TLS
 * @param login what is done before to the certificate that it logs in with elsewhere
 */
function planConfiguration(
  want: PgInstanceInputs,
  have: PgInstanceFacts,
  tls: readonly Action[],
  login: readonly Action[],
): Action[] {
  const { facts } = memberOf(have.view, want.node);
  const settings = [...planSettings(want, have, false), ...planAlterSystem(want, facts)];
  const hba = planHba(want, have, false);
  const { running } = facts;
  if (running === undefined) return [...settings, ...hba];
  const end = planTlsEnd(want, have);
  const isCurrent = isLoaded(facts, have);
  if (settings.length + hba.length + tls.length + login.length + end.length === 0 && isCurrent) return [];
  const names = settings.length === 0 ? [] : reasonsOf(want, have, facts);
  const changed = [...names, ...(tls.length === 0 ? [] : ["certificates"])];
  const load = (about: readonly string[]): Action =>
    reload(want, about.join(", ") || "files changed since they were last loaded");
  const rules = hba.length === 0 ? [] : [...hba, load([HBA])];
  if (end.length > 0) return [...rules, ...settings, ...end, load([...names, ...(names.length === 0 ? ["ssl"] : [])])];
  const hasTls = running.settings.ssl?.setting === "on";
  if (want.tls === undefined && (hasTls || !isOn(want.settings.ssl))) {
    return [...settings, ...hba, load([...changed, ...(hba.length === 0 ? [] : [HBA])])];
  }
  const before = settings.length + tls.length > 0 || !isCurrent ? [...settings, load(changed)] : [];
  const proof = tls.length + login.length + hba.length > 0 || !hasTls ? planTlsProof(want, have) : [];
  return [...before, ...proof, ...rules];
}

/** The settings that are loaded, in the words of the file. */
function reasonsOf(want: PgInstanceInputs, have: PgInstanceFacts, { running }: InstanceFacts): string[] {
  const conf = foundSettings(want, have.postgresConf, running);
  const names = [...new Set([...Object.keys(conf), ...Object.keys(want.settings)])].filter(
    (name) => conf[name] !== want.settings[name],
  );
  const all = [...new Set([...names, ...alteredBySystem(want, running)])].sort();
  return all.length === 0 ? ["conf.d"] : all;
}

/** @throws Refused when a directory cannot be that of a tablespace */
function refuseSpaces(want: PgInstanceInputs, { view, spaces, former }: PgInstanceFacts, { facts }: MemberFacts): void {
  if (want.tablespaces === undefined) return;
  const begins = view.every((m) => m.member.witness || m.facts.data !== "present");
  const judged = { ...want, spaces: want.tablespaces, data: facts.data, begins, isOthers: want.layout !== undefined };
  const problems = spaceProblems({ ...judged, former: former?.dataDirectory }, spaces);
  if (problems.length > 0) throw new Refused(problems.map((problem) => `${want.host}: ${problem}`).join("; "));
}

function refuseForeignData(want: PgInstanceInputs, have: PgInstanceFacts, { facts }: MemberFacts): void {
  const where = `${want.host}: ${want.dataDirectory}`;
  if (facts.data === "foreign") {
    throw new Refused(
      `${where} holds files but no PG_VERSION, so it is no PGDATA; choose another data_directory or move them away`,
    );
  }
  if (facts.data !== "present") return;
  if (facts.majorVersion !== want.version) {
    throw new Refused(
      `${where} holds PostgreSQL ${facts.majorVersion}, cluster ${want.cluster} is version ${want.version}`,
    );
  }
  refuseOtherCluster(want, have);
  if (memberOf(have.view, want.node).member.witness) return;
  for (const other of have.view) {
    const theirs = other.facts.control?.systemIdentifier;
    if (other.member.witness || theirs === undefined || theirs === facts.control?.systemIdentifier) continue;
    throw new Refused(
      `${where} has the system identifier ${facts.control?.systemIdentifier}, ${other.member.node} on ${other.member.host} has ${theirs}: ` +
        `they are different databases. Move the wrong one aside and run "pulumi up": it is cloned anew.`,
    );
  }
}

/** @throws Refused when postgresql.conf names another cluster */
export function refuseOtherCluster(
  { host, dataDirectory, cluster, layout }: PgInstanceInputs,
  { postgresConf }: PgInstanceFacts,
): void {
  // Others name a cluster as they like.
  if (layout !== undefined) return;
  const named = parsePostgresConf(postgresConf?.content ?? "").cluster_name;
  if (named === undefined || named === cluster) return;
  throw new Refused(
    `${host}: ${dataDirectory} belongs to the cluster ${named}, not to ${cluster}; choose another data_directory`,
  );
}

/** Files go into a PGDATA only with its data: alone they would look like somebody else's directory the next time. */
function planData(want: PgInstanceInputs, have: PgInstanceFacts, self: MemberFacts): Action[] {
  if (want.layout !== undefined) throw cannotBuild(want);
  const files = planFiles(want, have);
  if (self.member.witness) return [...planInitdb(want, "a witness has an instance of its own", "witness"), ...files];
  const primary = thePrimary(want, have.view);
  if (primary !== undefined)
    return [...planClone(want, sourceOf(want, have, primary), keptSpaces(have.spaces)), ...files];
  const others = have.view.filter(({ member, facts }) => !member.witness && facts.data === "present");
  if (others.length > 0) return planRevival(want, have.view);
  if (want.initial) {
    refuseFormerData(want, have);
    return [...planInitdb(want, "no node has data yet and the inventory says this one begins"), ...files];
  }
  throw new Refused(`cluster ${want.cluster}: ${want.node} has nothing to be cloned from, no node has data yet`);
}

/** A cascading standby is cloned from the node it shall follow, once that follows in its turn and repmgr knows it. */
function sourceOf(want: PgInstanceInputs, { view }: PgInstanceFacts, primary: LiveMember): Source {
  const upstream = expectedUpstream(want, view);
  const isReady = upstream?.facts.running.walReceiver?.status === "streaming" && knowsItself(upstream);
  if (upstream === undefined || !isReady) return fromPrimary(primary.member);
  return { member: upstream.member, because: `${want.node} follows`, isUpstream: true };
}

/** @throws Refused when the cluster's data are elsewhere on the host: an empty database would take their place */
function refuseFormerData({ host, cluster, dataDirectory }: PgInstanceInputs, { former }: PgInstanceFacts): void {
  if (former === undefined) return;
  throw new Refused(
    `${host}: ${cluster} has no data in ${dataDirectory}, but those of PostgreSQL ${former.version} in ${former.dataDirectory}: no new database is begun beside them. ` +
      `Run "pulumi up" for the whole cluster, which takes them to the new version; or move them away, if they are not wanted any more.`,
  );
}

/**
 * A node that is added or comes back needs the primary to let it in, whose own resource may come later: the node that
 * begins a cluster's life comes before all others, whoever is primary now. Every node's pg_hba.conf is the same.
 */
function planDoor(want: PgInstanceInputs, { view, primaryHba }: PgInstanceFacts): Action[] {
  const [primary] = livePrimaries(view);
  if (primary === undefined || primaryHba === undefined) return [];
  const found = parseHba(primaryHba.content);
  const hba = doorOf(want, primary, found);
  if (equal(found, hba)) return [];
  const { node, host } = primary.member;
  const there = { ...want, host, hba };
  const why = `${node}, which is the primary now, has to let ${want.node} in: who may connect, ${want.hba.length} rules from the topology and the inventory`;
  return [{ ...putHba(there, primaryHba, why), verify: hbaCheck(there) }, reload(there, "pg_hba.conf")];
}

/** Until the primary does TLS, the rules for it would let nobody in: then the nodes are added to what it has. */
function doorOf({ tls, hba }: PgInstanceInputs, { facts }: LiveMember, found: readonly string[]): readonly string[] {
  if (tls === undefined || facts.running.settings.ssl?.setting === "on") return hba;
  const peers = hba
    .filter((line) => / repmgr /.test(line))
    .map((line) => line.replace(/^hostssl /, "host ").replace(/ cert$/, " scram-sha-256"));
  return [...found, ...peers.filter((line) => !found.includes(line))];
}

function putHba(want: PgInstanceInputs, file: FileFact | undefined, why: string): PutFile {
  const { host, cluster, hba } = want;
  const path = clusterPaths(want).hbaFile;
  return { do: "putFile", host, why, path, content: renderHba(cluster, hba), ...ownedAs(want, file) };
}

function planFiles(want: PgInstanceInputs, have: PgInstanceFacts): Action[] {
  return [...planSettings(want, have, true), ...planHba(want, have, true)];
}

function planSettings(want: PgInstanceInputs, have: PgInstanceFacts, isNew: boolean): Action[] {
  const { running, hasConfD } = memberOf(have.view, want.node).facts;
  const found = foundSettings(want, have.postgresConf, running);
  const isOurs = want.layout === undefined;
  const actions: Action[] = isOurs && (isNew || !hasConfD) ? [planConfD(want)] : [];
  const includes = !isOurs || includesConfD(have.postgresConf?.content ?? "");
  if (isNew || !equal(found, want.settings) || !includes) {
    actions.push({
      do: "putFile",
      host: want.host,
      why: `settings: ${changes(found, want.settings)}`,
      path: clusterPaths(want).configFile,
      content: settingsText(want, have.postgresConf, found),
      ...(isNew ? {} : { found: have.postgresConf?.content ?? null }),
      ...ownedAs(want, have.postgresConf),
      check: settingsCheck(want),
    });
  }
  return actions;
}

function planHba(want: PgInstanceInputs, have: PgInstanceFacts, isNew: boolean): Action[] {
  if (!isNew && equal(parseHba(have.hbaConf?.content ?? ""), want.hba)) return [];
  const isRunning = !isNew && memberOf(have.view, want.node).facts.running !== undefined;
  const why = `who may connect: ${want.hba.length} rules from the topology and the inventory`;
  const before = isNew ? {} : { found: have.hbaConf?.content ?? null };
  return [{ ...putHba(want, have.hbaConf, why), ...before, ...(isRunning ? { verify: hbaCheck(want) } : {}) }];
}

/** Named by an include_dir, without which the server does not start. A clone brings it along. */
function planConfD(want: PgInstanceInputs): Action {
  const confD = sh(`${want.dataDirectory}/conf.d`);
  const script = `[ -d ${confD} ] || install -d -o postgres -g postgres -m 0700 ${confD}`;
  return { do: "run", host: want.host, why: "a person's own settings have a place of their own", script };
}

function changes(have: Record<string, string>, want: Readonly<Record<string, string>>): string {
  const names = [...new Set([...Object.keys(have), ...Object.keys(want)])]
    .filter((name) => have[name] !== want[name])
    .sort();
  if (Object.keys(have).length === 0) return `${names.length} managed settings`;
  return (
    names.map((name) => `${name}: ${have[name] ?? "(not set)"} => ${want[name] ?? "(not managed)"}`).join(", ") ||
    "conf.d is included again"
  );
}

function planPassFile(want: PgInstanceInputs, { passFile, view }: PgInstanceFacts): Action[] {
  if (passFile !== undefined && isRotating(want, view)) return [];
  const content = passFileText(want, passFile);
  const { passFile: path } = clusterPaths(want);
  const isRight =
    passFile?.content === content && passFile.owner === PASS_FILE.owner && passFile.mode === PASS_FILE.mode;
  if (isRight) return [];
  const why = `the nodes log in to each other with the password kept in ${path}`;
  return [{ do: "putFile", host: want.host, why, path, content, ...PASS_FILE }];
}

function planOwnership(want: PgInstanceInputs, facts: InstanceFacts): Action[] {
  if (facts.data !== "present" || hasOwnership(want, facts)) return [];
  const d = sh(want.dataDirectory);
  const why = `PGDATA is "${facts.ownership}", PostgreSQL asks for "${DIRECTORY_OWNERSHIP}"`;
  return [{ do: "run", host: want.host, needs: "root", why, script: `chown postgres:postgres ${d}; chmod 0700 ${d}` }];
}

/** The managed settings that ALTER SYSTEM has a word on, in force already or from the next reload or restart on. */
export function alteredBySystem({ settings }: PgInstanceInputs, running: RunningFacts | undefined): string[] {
  return Object.keys(settings).filter((name) =>
    running?.fileSettings[name]?.sourceFile.endsWith("/postgresql.auto.conf"),
  );
}

/** ALTER SYSTEM wins over every file; a managed setting must come from the inventory alone. */
function planAlterSystem(want: PgInstanceInputs, { running }: InstanceFacts): Action[] {
  const names = alteredBySystem(want, running);
  if (names.length === 0) return [];
  const sql = names.map((name) => `ALTER SYSTEM RESET ${sqlIdentifier(name)};`).join("\n");
  return [
    { do: "run", host: want.host, why: `ALTER SYSTEM overrides ${names.join(", ")}`, script: psql(want), stdin: sql },
  ];
}

/** The server's own parser reads the new file before it takes the place of the old one: a wrong one would end the next start. */
function settingsCheck(want: PgInstanceInputs): string {
  const postgres = sh(`${familyLayout(want.family).binDirectory(want.version)}/postgres`);
  return `runuser -u postgres -- ${postgres} -D ${sh(want.dataDirectory)} --config-file="$1" -C port >/dev/null`;
}
