import { editConf } from "../facts/editConf";
import type { FileFact } from "../facts/file";
import { parsePgpass, passwordFor } from "../facts/pgpass";
import { parsePostgresConf, renderPostgresConf } from "../facts/postgresConf";
import type { RunningFacts } from "../facts/running";
import { postgresConfValue } from "../ssh/quote";
import type { InstanceFacts } from "../facts/instance";
import { Refused } from "./kind";
import { pgpass } from "./passFile";
import { DIRECTORY_OWNERSHIP } from "./pgInstancePlan";
import type { PgInstanceInputs } from "./pgInstance";

/**
 * What is written to an instance that others have set up, where it is not what is written to one of ours: their files keep
 * what the inventory says nothing about.
 */

/** The settings of postgresql.conf that count. Of a file of others, those that another file overrides do not: they stay. */
export function foundSettings(
  want: PgInstanceInputs,
  conf: FileFact | undefined,
  running: RunningFacts | undefined,
): Record<string, string> {
  const settings = parsePostgresConf(conf?.content ?? "");
  const { layout } = want;
  if (layout === undefined) return settings;
  const isTheirs = (name: string): boolean => {
    const source = running?.fileSettings[name]?.sourceFile ?? layout.configFile;
    return want.settings[name] === undefined && source !== layout.configFile;
  };
  return Object.fromEntries(Object.entries(settings).filter(([name]) => !isTheirs(name)));
}

/** The whole postgresql.conf as it is to be. @param counting of the settings in it, those that count */
export function settingsText(
  want: PgInstanceInputs,
  conf: FileFact | undefined,
  counting: Readonly<Record<string, string>>,
): string {
  if (want.layout === undefined || conf === undefined) return renderPostgresConf(want.cluster, want.settings);
  const others = Object.entries(parsePostgresConf(conf.content)).filter(([name]) => counting[name] === undefined);
  return editConf(conf.content, { ...Object.fromEntries(others), ...want.settings }, postgresConfValue);
}

/** Files of others go on belonging to whom they belonged to. */
export function ownedAs(want: PgInstanceInputs, file: FileFact | undefined): { owner: string; mode: string } {
  if (want.layout === undefined || file === undefined) return { owner: "postgres:postgres", mode: "0600" };
  return { owner: file.owner, mode: file.mode };
}

/** The whole password file as it is to be: ours, or theirs, with our lines before it when it does not open every door. */
export function passFileText(want: PgInstanceInputs, file: FileFact | undefined): string {
  if (want.layout === undefined || file === undefined) return pgpass(want);
  const entries = parsePgpass(file.content);
  const opens = want.members.every(({ address }) =>
    ["repmgr", "replication"].every((database) => {
      return passwordFor(entries, [address, String(want.port), database, "repmgr"]) === want.repmgrPassword;
    }),
  );
  return opens ? file.content : `${pgpass(want)}${file.content}`;
}

/** A node of theirs that has no data. */
export function cannotBuild({ host, cluster, node, dataDirectory, layout }: PgInstanceInputs): Refused {
  return new Refused(
    `${host}: ${cluster}/${node} has no data in ${dataDirectory}, and a node of a cluster that was built by others is not built by this program. ` +
      `Clone it the way the others were: "sudo -u postgres repmgr -f ${layout?.repmgrConf} -h <primary> -U repmgr -d repmgr standby clone", ` +
      `start ${layout?.postgresqlUnit}, register it, then run "pulumi up".`,
  );
}

/** Others may have let the group of postgres read the data (PostgreSQL documentation, initdb --allow-group-access). */
export function hasOwnership({ layout }: PgInstanceInputs, { ownership }: InstanceFacts): boolean {
  return ownership === DIRECTORY_OWNERSHIP || (layout !== undefined && ownership === "postgres:postgres 0750");
}
