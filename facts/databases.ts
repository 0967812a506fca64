import type { Probe } from "./probe";

export interface ExtensionFact {
  readonly name: string;
  readonly version: string;
  /** What the installed packages would make now; null when none brings it any more. */
  readonly available: string | null;
}

export interface DatabaseFact {
  readonly name: string;
  readonly owner: string;
  /** In order of name. */
  readonly extensions: readonly ExtensionFact[];
}

/**
 * Every database of an instance with its extensions.
 * @param psql shell that starts psql with -XAtq as postgres, ready for more options
 */
export function databasesProbe(psql: string): Probe<readonly DatabaseFact[]> {
  return {
    key: `databases ${psql}`,
    script: `ask() { ${psql} "$@"; }
names=$(ask -d postgres -c "select datname from pg_database where datallowconn and not datistemplate order by 1") || exit 1
printf '%s\\n' "$names" | while IFS= read -r name; do
  ask -v ON_ERROR_STOP=1 -d "dbname='$(printf %s "$name" | sed "s/[\\\\\\\\']/\\\\\\\\&/g")'" -c "select jsonb_build_object('name', current_database(),
    'owner', (select pg_get_userbyid(datdba) from pg_database where datname = current_database()),
    'extensions', (select coalesce(jsonb_agg(jsonb_build_object('name', extname, 'version', extversion,
      'available', (select default_version from pg_available_extensions a where a.name = extname)) order by extname), '[]') from pg_extension))" </dev/null || exit 1
done`,
    parse({ code, stdout, stderr }) {
      if (code !== 0) throw new Error(stderr.trim());
      return stdout
        .split("\n")
        .filter((line) => line !== "")
        .map((line) => JSON.parse(line) as DatabaseFact);
    },
  };
}
