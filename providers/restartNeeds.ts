import type { RunningFacts } from "../facts/running";
import { sameValue } from "../facts/settingValue";
import { clusterPaths, type ClusterPlace, familyLayout } from "../families";
import { type ClusterView, isLive, type LiveMember } from "./cluster";

/** What decides which settings are ours. */
export interface SettingsOwner extends ClusterPlace {
  readonly settings: Readonly<Record<string, string>>;
  /** By node, where its settings differ from those of the others. */
  readonly nodeSettings?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** Exact version of the server's package; absent: nobody restarts for an upgrade. */
  readonly packageVersion?: string;
  /** The text of the unit that PostgreSQL is restarted for; absent: a new text takes effect whenever that happens. */
  readonly unit?: string;
  /** Data checksums are wanted; false: whatever is there is left alone. */
  readonly checksums: boolean;
}

export interface PendingRestart {
  readonly node: string;
  readonly settings: readonly string[];
  /** The version of the server that is installed and does not run yet. */
  readonly upgrade?: string;
  /** pg_checksums has to run while the node is down. */
  readonly enablesChecksums: boolean;
  /** It runs as an older text of its unit says. */
  readonly isOfOldUnit: boolean;
}

/** Per running node the settings that wait for a restart now, and are ours to restart it for. */
export function pendingRestarts(want: SettingsOwner, view: ClusterView): PendingRestart[] {
  return collect(
    want,
    view,
    (m) => waiting(ofNode(want, m), m.facts.running),
    isUpgraded,
    () => false,
  );
}

/**
 * The same once the files are as wanted, which a review knows before anything is written.
 * @param units node to the text of its unit, where that counts
 */
export function foreseenRestarts(
  want: SettingsOwner,
  view: ClusterView,
  units: Readonly<Record<string, string | undefined>> = {},
): PendingRestart[] {
  const needs = (m: LiveMember): string[] => {
    const own = ofNode(want, m);
    return [...new Set([...waiting(own, m.facts.running), ...toCome(own, m.facts.running)])];
  };
  return collect(
    want,
    view,
    needs,
    () => true,
    ({ member }) => units[member.node] !== want.unit,
  );
}

function ofNode(want: SettingsOwner, { member }: LiveMember): SettingsOwner {
  return { ...want, settings: { ...want.settings, ...want.nodeSettings?.[member.node] } };
}

/** Its package is there, so that a restart brings it. */
function isUpgraded(version: string, { facts }: LiveMember): boolean {
  return facts.installed !== undefined && says(facts.installed, version);
}

/** @param text "17.6 (Debian 17.6-1.pgdg13+1)" */
function says(text: string, version: string): boolean {
  return text.split(/[\s()]+/).includes(version);
}

function collect(
  want: SettingsOwner,
  view: ClusterView,
  needs: (m: LiveMember) => string[],
  isThere: (version: string, m: LiveMember) => boolean,
  getsUnit: (m: LiveMember) => boolean,
): PendingRestart[] {
  const pinned = want.packageVersion && familyLayout(want.family).serverVersion(want.packageVersion);
  return view.filter(isLive).flatMap((m) => {
    const settings = needs(m).sort();
    const enablesChecksums = want.checksums && m.facts.control?.checksums === false;
    const runs = m.facts.running.version;
    const isOld = pinned !== undefined && runs !== undefined && !says(runs, pinned) && isThere(pinned, m);
    const isOfOldUnit = want.unit !== undefined && (m.facts.unitIsNewer === true || getsUnit(m));
    if (settings.length === 0 && !enablesChecksums && !isOld && !isOfOldUnit) return [];
    return [{ node: m.member.node, settings, enablesChecksums, isOfOldUnit, ...(isOld ? { upgrade: pinned } : {}) }];
  });
}

/** One whose file was edited needs none: the file is put right before. One that a person set in conf.d is not ours. */
function waiting(want: SettingsOwner, running: RunningFacts): string[] {
  return Object.entries(running.settings)
    .filter(([, live]) => live.pendingRestart)
    .filter(([name, live]) => {
      const wanted = want.settings[name];
      if (wanted !== undefined) return !sameValue(wanted, live.setting);
      const source = running.fileSettings[name]?.sourceFile ?? live.sourceFile;
      return source === null || source === ourFile(want);
    })
    .map(([name]) => name);
}

function toCome(want: SettingsOwner, running: RunningFacts): string[] {
  return Object.entries(running.settings)
    .filter(([, live]) => live.context === "postmaster")
    .filter(([name, live]) => {
      const [wanted, file] = [want.settings[name], running.fileSettings[name]];
      if (wanted === undefined) return file?.sourceFile === ourFile(want);
      return file?.setting !== wanted && !sameValue(wanted, live.setting);
    })
    .map(([name]) => name);
}

function ourFile(want: SettingsOwner): string {
  return clusterPaths(want).configFile;
}
