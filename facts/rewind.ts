import { sh } from "../ssh/quote";
import { conninfoWord, logIn, type LoginQuestion, withPassFile } from "./login";
import type { Probe } from "./probe";

export interface RewindQuestion extends LoginQuestion {
  readonly dataDirectory: string;
}

export interface Alone {
  readonly transactions: number;
  /** Where they begin: "0/302A3E8". */
  readonly since: string;
}

export interface SpaceSize {
  readonly directory: string;
  readonly sizeKib: number;
  /** On the file system that it is in, by number. */
  readonly freeKib: number;
  readonly device: string;
  /** Something in it that is no file of this version: a rewind would remove it. */
  readonly besides?: string;
}

/** What has to be known of a stopped PGDATA before it is rewound, or put aside for a clone. */
export interface RewindFacts {
  /** "unknown": only trying will tell, since it was not shut down cleanly or the primary could not be asked. */
  readonly rewind: "possible" | "impossible" | "unknown";
  /** Why it is not "possible", in the words of pg_rewind where they are its own. */
  readonly reason: string;
  readonly sizeKib: number;
  /** Left on the file system of PGDATA. */
  readonly freeKib: number;
  /** That file system, by number. */
  readonly device: string;
  /** The directories of its tablespaces. */
  readonly spaces: readonly SpaceSize[];
  /** Transactions that this node committed after the two parted, repmgr's own among them: a rewind gives them up. */
  readonly alone?: Alone;
  /** The host's time in UTC, fit for a file name: "20261123T213000Z". */
  readonly stamp: string;
}

/** Beside PGDATA while a rejoin is under way; afterwards only when it failed: "begun", "failed: why", "cannot: why". */
export function rejoinMark(dataDirectory: string): string {
  return `${dataDirectory}.rejoining`;
}

/** Shell: succeeds when the instance in "$data" was shut down cleanly, as pg_rewind needs it. */
export function isCleanlyDown(binDirectory: string): string {
  return `${sh(`${binDirectory}/pg_controldata`)} -D "$data" | grep -q '^Database cluster state: *shut down'`;
}

/** Shell: pg_rewind of "$data" from the primary without writing anything (PostgreSQL documentation, pg_rewind --dry-run). */
export function rewindDryRun(q: RewindQuestion): string {
  return `${withPassFile(q, "pg_rewind")} --dry-run --target-pgdata="$data" --source-server=${conninfoWord(q)}`;
}

/**
 * Shell: prints how many transactions "$data" has of its own since the nodes parted, and where that was, "37 0/302A3E8";
 * nothing where the dry run, whose output is in "$said", does not say where (pg_rewind.c, "servers diverged").
 */
export function aloneTransactions(binDirectory: string): string {
  const dump = `${sh(`${binDirectory}/pg_waldump`)} --path="$data/pg_wal" --start="$lsn" --timeline="$timeline" --rmgr=Transaction`;
  return `printf '%s\\n' "$said" | sed -n 's/.*servers diverged at WAL location \\([0-9A-F/]*\\) on timeline \\([0-9]*\\).*/\\1 \\2/p' |
  while read -r lsn timeline; do echo "$(${dump} 2>/dev/null | grep -c 'desc: COMMIT') $lsn"; done`;
}

/** Reads all WAL since the nodes parted, so it is asked only of an instance that is down and has to come back. */
export function rewindProbe(q: RewindQuestion): Probe<RewindFacts> {
  return {
    key: `rewind ${JSON.stringify(q)}`,
    script: `data=${sh(q.dataDirectory)}
echo "stamp=$(date -u +%Y%m%dT%H%M%SZ)"
echo "size=$(du -skx "$data" | cut -f 1)"
echo "free=$(df -k --output=avail "$data" | tail -n 1)"
echo "device=$(stat -c %d "$data")"
for link in "$data"/pg_tblspc/*; do
  if [ ! -L "$link" ] || [ ! -d "$link" ]; then continue; fi
  space=$(readlink "$link")
  parent=$(dirname "$space")
  besides=-
  for entry in "$space"/* "$space"/.[!.]*; do
    case \${entry##*/} in PG_"$(cat "$data/PG_VERSION")"_*) ;; *) [ ! -e "$entry" ] || besides=\${entry##*/} ;; esac
  done
  echo "space=$(du -skx "$space" | cut -f 1) $(df -k --output=avail "$parent" | tail -n 1) $(stat -c %d "$parent") $space $besides"
done
if ! ${isCleanlyDown(q.binDirectory)}; then echo "rewind=unknown it was not shut down cleanly"; exit 0; fi
code=0
said=$(timeout 40 ${rewindDryRun(q)} 2>&1) || code=$?
[ $code != 0 ] || echo "alone=$(${aloneTransactions(q.binDirectory)})"
said=$(printf '%s\\n' "$said" | grep 'error\\|fatal' | tail -n 1)
if [ $code = 0 ]; then echo "rewind=possible"
elif [ $code != 124 ] && ${logIn(q)} >/dev/null 2>&1; then echo "rewind=impossible $said"
else echo "rewind=unknown $said"; fi`,
    parse({ code, stdout, stderr }) {
      if (code !== 0) throw new Error(`exit status ${code}: ${stderr.trim()}`);
      return parseRewind(stdout);
    },
  };
}

/** @throws Error when a line that must be there is missing */
export function parseRewind(text: string): RewindFacts {
  const must = (key: string): string => {
    const line = text.split("\n").find((l) => l.startsWith(`${key}=`));
    if (line === undefined) throw new Error(`no word on ${key} in: ${text.slice(0, 300)}`);
    return line.slice(key.length + 1).trim();
  };
  const [rewind, ...reason] = must("rewind").split(" ");
  if (rewind !== "possible" && rewind !== "impossible" && rewind !== "unknown")
    throw new Error(`rewind=${rewind ?? ""}`);
  const sizeKib = Number(must("size"));
  const freeKib = Number(must("free"));
  const [, transactions, since = ""] = /^alone=(\d+) (.+)$/m.exec(text) ?? [];
  const alone = transactions === undefined ? {} : { alone: { transactions: Number(transactions), since } };
  const spaces = [...text.matchAll(/^space=(\d+) +(\d+) (\d+) (\S+) (.+)$/gm)].map(
    ([, size, free, device = "", directory = "", besides = "-"]): SpaceSize => ({
      ...{ directory, sizeKib: Number(size), freeKib: Number(free), device },
      ...(besides === "-" ? {} : { besides }),
    }),
  );
  const here = { sizeKib, freeKib, device: must("device"), spaces };
  return { rewind, reason: reason.join(" "), ...here, ...alone, stamp: must("stamp") };
}
