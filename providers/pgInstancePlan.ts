import type { Action, PutFile } from "../actions/action";
import { parseHba, renderHba } from "../facts/hbaConf";
import type { InstanceFacts } from "../facts/instance";
import type { FileFact } from "../facts/file";
import type { RunningFacts } from "../facts/running";
import { includesConfD, parsePostgresConf } from "../facts/postgresConf";
import { clusterPaths, familyLayout } from "../families";
import { pgpassField, sh, sqlIdentifier } from "../ssh/quote";
import { equal } from "./canonical";
import { cannotBuild, foundSettings, hasOwnership, ownedAs, passFileText, settingsText } from "./keptInstance";
import { type LiveMember, livePrimaries, type MemberFacts, memberOf, thePrimary } from "./cluster";
import { asPostgres, dateNow } from "./commands";
import { fromPrimary, planClone, planInitdb, type Source } from "./instanceData";
import { Refused } from "./kind";
import { expectedUpstream, knowsItself } from "./nodeState";
import type { PgInstanceFacts, PgInstanceInputs } from "./pgInstance";
import { planRevival } from "./revive";
import { refuseStrangers } from "./stranger";

export const DIRECTORY_OWNERSHIP = "postgres:postgres 0700";
const FILE_OWNER = "postgres:postgres";
/** libpq ignores a password file that others may read (PostgreSQL documentation, 34.16). */
export const PASS_FILE = { owner: FILE_OWNER, mode: "0600" };

/** The plan of one instance: password file, data, configuration, reload. */
export function planInstance(want: PgInstanceInputs, have: PgInstanceFacts): Action[] {
  const self = memberOf(have.view, want.node);
  refuseForeignData(want, have, self);
  refuseStrangers(want, have.view);
  const passFile = [...planPassFile(want, have), ...planDoor(want, have)];
  if (self.facts.data !== "present") return [...passFile, ...planData(want, have, self)];
  const changes = [...planFiles(want, have, false), ...planAlterSystem(want, self.facts)];
  const loads = self.facts.running !== undefined && (changes.length > 0 || !isLoaded(self.facts, have));
  const about = changes.length === 0 ? "files changed since they were last loaded" : reasonsOf(want, have, self.facts);
  return [...passFile, ...changes, ...planOwnership(want, self.facts), ...(loads ? [reload(want, about)] : [])];
}

/** Lines of the password file: repmgr's database and replication, for every node (repmgr documentation, "Password Management"). */
export function pgpass(inputs: PgInstanceInputs): string {
  const password = pgpassField(inputs.repmgrPassword);
  return inputs.members
    .flatMap(({ address }) =>
      ["repmgr", "replication"].map(
        (database) => `${pgpassField(address)}:${inputs.port}:${database}:repmgr:${password}\n`,
      ),
    )
    .join("");
}

/** False when the server runs with files older than those on disk. */
export function isLoaded(facts: InstanceFacts, have: PgInstanceFacts): boolean {
  const { running } = facts;
  if (running === undefined) return true;
  const changedAt = Math.max(have.postgresConf?.modifiedAt ?? 0, have.hbaConf?.modifiedAt ?? 0);
  return running.configurationLoadedAt >= changedAt;
}

/** What is loaded, in the words of a file. */
function reasonsOf(want: PgInstanceInputs, have: PgInstanceFacts, { running }: InstanceFacts): string {
  const conf = foundSettings(want, have.postgresConf, running);
  const names = [...new Set([...Object.keys(conf), ...Object.keys(want.settings)])].filter(
    (name) => conf[name] !== want.settings[name],
  );
  const hba = equal(parseHba(have.hbaConf?.content ?? ""), want.hba) ? [] : ["pg_hba.conf"];
  return [...new Set([...names, ...alteredBySystem(want, running)])].sort().concat(hba).join(", ") || "conf.d";
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
  const files = planFiles(want, have, true);
  if (self.member.witness) return [...planInitdb(want, "a witness has an instance of its own", "witness"), ...files];
  const primary = thePrimary(want, have.view);
  if (primary !== undefined) return [...planClone(want, sourceOf(want, have, primary)), ...files];
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
  if (primary === undefined || primaryHba === undefined || equal(parseHba(primaryHba.content), want.hba)) return [];
  const { node, host } = primary.member;
  const there = { ...want, host };
  const why = `${node}, which is the primary now, has to let ${want.node} in: who may connect, ${want.hba.length} rules from the topology and the inventory`;
  return [{ ...putHba(there, primaryHba, why), verify: hbaCheck(there) }, reload(there, "pg_hba.conf")];
}

function putHba(want: PgInstanceInputs, file: FileFact | undefined, why: string): PutFile {
  const { host, cluster, hba } = want;
  const path = clusterPaths(want).hbaFile;
  return { do: "putFile", host, why, path, content: renderHba(cluster, hba), ...ownedAs(want, file) };
}

function planFiles(want: PgInstanceInputs, have: PgInstanceFacts, isNew: boolean): Action[] {
  const { running, hasConfD } = memberOf(have.view, want.node).facts;
  const found = foundSettings(want, have.postgresConf, running);
  const isRunning = !isNew && running !== undefined;
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
  if (isNew || !equal(parseHba(have.hbaConf?.content ?? ""), want.hba)) {
    const hba = putHba(
      want,
      have.hbaConf,
      `who may connect: ${want.hba.length} rules from the topology and the inventory`,
    );
    const before = isNew ? {} : { found: have.hbaConf?.content ?? null };
    actions.push({ ...hba, ...before, ...(isRunning ? { verify: hbaCheck(want) } : {}) });
  }
  return actions;
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

function planPassFile(want: PgInstanceInputs, { passFile }: PgInstanceFacts): Action[] {
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
  return [{ do: "run", host: want.host, why, script: `chown postgres:postgres ${d}; chmod 0700 ${d}` }];
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

/** Its messages are in English, because reload looks into them. */
function psql(want: PgInstanceInputs): string {
  return asPostgres(want, "psql", `-XAtq -v ON_ERROR_STOP=1 -d ${sh("dbname=postgres options='-c lc_messages=C'")}`);
}

/** The server's own parser reads the new file before it takes the place of the old one: a wrong one would end the next start. */
function settingsCheck(want: PgInstanceInputs): string {
  const postgres = sh(`${familyLayout(want.family).binDirectory(want.version)}/postgres`);
  return `runuser -u postgres -- ${postgres} -D ${sh(want.dataDirectory)} --config-file="$1" -C port >/dev/null`;
}

/** Only a running server can judge a pg_hba.conf (PostgreSQL documentation, 52.10 pg_hba_file_rules); it goes on with the old rules meanwhile. */
function hbaCheck(want: PgInstanceInputs): string {
  return `wrong=$(${psql(want)} -c "select format('pg_hba.conf line %s: %s', line_number, error) from pg_hba_file_rules where error is not null") || exit 1
[ -z "$wrong" ] || { printf '%s\\n' "$wrong" >&2; exit 1; }`;
}

/** Looks at both files with the server's own eyes once more: what a person left in conf.d must not spoil the reload either. */
function reload(want: PgInstanceInputs, about: string): Action {
  const ask = psql(want);
  return {
    do: "run",
    host: want.host,
    effect: "reload",
    why: `load the configuration without a restart: ${about}`,
    script: `${dateNow(["postgresql.conf", "pg_hba.conf"].map((file) => `${want.dataDirectory}/${file}`))}
wrong=$(${ask} -c "select format('pg_hba.conf line %s: %s', line_number, error) from pg_hba_file_rules where error is not null
  union all select format('%s line %s: %s', sourcefile, sourceline, error) from pg_file_settings where error is not null and error <> 'setting could not be applied' and error !~ 'cannot be changed without restarting'")
[ -z "$wrong" ] || { printf 'not loaded, the old configuration stays in force: %s\\n' "$wrong" >&2; exit 1; }
before=$(${ask} -c 'select pg_conf_load_time()')
${ask} -c 'select pg_reload_conf()' >/dev/null
tries=0
until [ "$(${ask} -c 'select pg_conf_load_time()')" != "$before" ]; do
  tries=$((tries + 1)); [ $tries -lt 100 ] || { echo "pg_conf_load_time() is still $before" >&2; exit 1; }
  sleep 0.1
done`,
  };
}
