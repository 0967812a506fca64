/** What synchronous_standby_names asks for (PostgreSQL documentation, 19.6.2). */
export interface Synchronous {
  /** So many of the named standbys have to confirm each commit. */
  readonly count: number;
  /** Lower case, as PostgreSQL compares them; "*" is everybody. */
  readonly names: readonly string[];
}

/** @returns undefined when replication is asynchronous */
export function parseSynchronous(text: string): Synchronous | undefined {
  const [, , counted, inside] = /^\s*(?:(first|any)\s+)?(\d+)\s*\((.*)\)\s*$/is.exec(text) ?? [];
  const names = [...(inside ?? text).matchAll(/"((?:[^"]|"")*)"|([^\s,"]+)/g)].map(([, quoted, bare]) =>
    (quoted?.replaceAll('""', '"') ?? bare ?? "").toLowerCase(),
  );
  return names.length === 0 ? undefined : { count: Number(counted ?? 1), names };
}

export function isNamed({ names }: Synchronous, standby: string): boolean {
  return names.includes("*") || names.includes(standby.toLowerCase());
}
