import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { LabPaths } from "./paths";
import { type HostState, type LabState, readJson, writeJson } from "./state";

/** All disks of a lab at one moment, as stacks of layers that nobody writes to any more. */
export interface Snapshot {
  readonly base: string;
  readonly hosts: Readonly<Record<string, HostState>>;
}

/** @throws Error when the name could not be a file's */
export function readSnapshot(paths: LabPaths, name: string): Snapshot | undefined {
  if (!/^[A-Za-z0-9][\w.-]{0,63}$/.test(name)) {
    throw new Error(`no name for a snapshot: ${JSON.stringify(name)} (letters, digits, dot, dash and underscore)`);
  }
  return readJson<Snapshot>(paths.snapshot(name));
}

export function snapshotNames(paths: LabPaths): string[] {
  const dir = join(paths.dir, "snapshots");
  if (!existsSync(dir)) return [];
  return readdirSync(dir).flatMap((file) => (file.endsWith(".json") ? [file.slice(0, -5)] : []));
}

/**
 * Turns what each stopped host has written into a layer that its next life and the snapshot share: no byte is copied,
 * so saving and restoring take as long as a boot. Returns the hosts' new state.
 */
export function freezeDisks(paths: LabPaths, state: LabState, name: string): Record<string, HostState> {
  const stamp = Date.now().toString(36);
  mkdirSync(paths.layer("."), { recursive: true });
  const frozen = Object.entries(state.hosts).map(([host, { layers, ...rest }]): [string, HostState] => {
    const id = `${name}-${host}-${stamp}`;
    renameSync(paths.host(host).upper, paths.layer(id));
    rmSync(paths.host(host).work, { recursive: true, force: true });
    return [host, { ...rest, layers: [id, ...layers] }];
  });
  return Object.fromEntries(frozen);
}

/** The images that the disks of a snapshot stand on. */
export function imagesOf({ base, hosts }: Snapshot): Set<string> {
  return new Set([base, ...Object.values(hosts).map((host) => host.base ?? base)]);
}

export function writeSnapshot(paths: LabPaths, name: string, snapshot: Snapshot): void {
  writeJson(paths.snapshot(name), snapshot);
}

/** Removes the layers that no host and no snapshot stands on. */
export function collectLayers(paths: LabPaths, state: LabState): void {
  if (!existsSync(paths.layer("."))) return;
  const saved = snapshotNames(paths).flatMap((name) => readSnapshot(paths, name) ?? []);
  const used = new Set([state, ...saved].flatMap(({ hosts }) => Object.values(hosts).flatMap(({ layers }) => layers)));
  for (const id of readdirSync(paths.layer("."))) {
    if (!used.has(id)) rmSync(paths.layer(id), { recursive: true, force: true });
  }
}
