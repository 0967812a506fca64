import { sh } from "../ssh/quote";
import { dataDirectoryIn } from "./repmgrConf";
import { POSTMASTER } from "./postmaster";
import type { Probe } from "./probe";

export interface FormerQuestion {
  /** The node's repmgr.conf: before an upgrade has come to its end it names the data of before. */
  readonly repmgrConf: string;
  /** Where the data are wanted. */
  readonly dataDirectory: string;
  /** What an upgrade that is under way left on its host. */
  readonly upgradeMark: string;
}

/** PGDATA of another major version, at another place than the wanted one. */
export interface FormerData {
  readonly dataDirectory: string;
  readonly version: number;
  /** standby.signal stands there. */
  readonly isStandby: boolean;
  /** Process id of its postmaster; 0 while it does not run. */
  readonly pid: number;
  /** The file system of the data, by number: hard links need one and the same. */
  readonly device: string;
  /** So many of its tablespaces are still where those of the new version are, or will be. */
  readonly spaces?: number;
}

/** What one host shows of an upgrade to come, or under way. */
export interface FormerFacts {
  /** Major version of the data at the wanted place; absent when there are none. */
  readonly version?: number;
  /** They are in use. */
  readonly isAlive: boolean;
  /** The file system on which the wanted place is, or will be. */
  readonly device: string;
  readonly mark?: UpgradeMark;
  readonly former?: FormerData;
}

/** Left on the primary's host while it is upgraded. */
export interface UpgradeMark {
  readonly from: number;
  readonly to: number;
  /** Where the data of the new version are made. */
  readonly dataDirectory: string;
  /** "begun": the old data are whole, or are made whole again; "started": the new version has written to the files. */
  readonly phase: "begun" | "started";
}

/** Needs no PostgreSQL. Says "former" only of data with another PG_VERSION than those at the wanted place can have. */
export function formerProbe({ repmgrConf, dataDirectory, upgradeMark }: FormerQuestion): Probe<FormerFacts> {
  return {
    key: `former ${repmgrConf} ${dataDirectory} ${upgradeMark}`,
    nothing: { isAlive: false, device: "" },
    script: `data=${sh(dataDirectory)}
${POSTMASTER}
look() {
  read -r version <"$1/PG_VERSION"
  postmaster "$1" || pid=0
}
if [ -f "$data/PG_VERSION" ]; then look "$data"; echo "data=$version $pid"; fi
there=$data
while [ ! -d "$there" ]; do there=\${there%/*}; there=\${there:-/}; done
echo "device=$(stat -c %d "$there")"
# What root takes for its own word must be root's: postgres may put files beside it.
mark=${sh(upgradeMark)}
if [ -f "$mark" ] && [ ! -L "$mark" ] && [ "$(stat -c %u "$mark")" = 0 ]; then echo "mark=$(cat "$mark")"; fi
conf=${sh(repmgrConf)}
[ -f "$conf" ] || exit 0
${dataDirectoryIn('"$conf"')} | while read -r old; do
  [ "$old" != "$data" ] && [ -f "$old/PG_VERSION" ] || continue
  role=primary
  [ ! -e "$old/standby.signal" ] || role=standby
  look "$old"
  echo "former=$version $pid $(stat -c %d "$old") $role $old"
  spaces=0
  for link in "$old"/pg_tblspc/*; do
    [ -L "$link" ] || continue
    case $(readlink "$link") in *.former-*) ;; *) spaces=$((spaces + 1)) ;; esac
  done
  [ $spaces = 0 ] || echo "spaces=$spaces"
done`,
    parse({ code, stdout, stderr }) {
      if (code !== 0) throw new Error(`exit status ${code}: ${stderr.trim()}`);
      return parseFormer(stdout);
    },
  };
}

/** @throws Error when a line that must be there is missing */
export function parseFormer(text: string): FormerFacts {
  const value = (key: string): string | undefined =>
    text
      .split("\n")
      .find((line) => line.startsWith(`${key}=`))
      ?.slice(key.length + 1);
  const device = value("device");
  if (device === undefined) throw new Error(`no word on the file system in: ${text.slice(0, 200)}`);
  const [data, mark, former, spaces] = [value("data"), value("mark"), value("former"), value("spaces")];
  const [version, pid] = data?.split(" ") ?? [];
  return {
    ...(version === undefined ? {} : { version: Number(version) }),
    isAlive: pid !== undefined && pid !== "0",
    device,
    ...(mark === undefined ? {} : { mark: parseMark(mark) }),
    ...(former === undefined
      ? {}
      : { former: { ...parseOne(former), ...(spaces === undefined ? {} : { spaces: Number(spaces) }) } }),
  };
}

/** @param line "15 4711 2049 primary /var/lib/postgresql/15/main" */
function parseOne(line: string): FormerData {
  const [, version, pid, device = "", role, dataDirectory = ""] = /^(\d+) (\d+) (\d+) (\w+) (.+)$/.exec(line) ?? [];
  if (role === undefined) throw new Error(`no data of another version: "${line}"`);
  return { dataDirectory, version: Number(version), pid: Number(pid), device, isStandby: role === "standby" };
}

/** One line: from which version to which, how far it has come, and where the new data are. */
export function upgradeMark({ from, to, phase, dataDirectory }: UpgradeMark): string {
  return `${from} ${to} ${phase} ${dataDirectory}`;
}

function parseMark(line: string): UpgradeMark {
  const [, from, to, phase, dataDirectory = ""] = /^(\d+) (\d+) (\w+) (.+)$/.exec(line) ?? [];
  if (phase !== "begun" && phase !== "started") throw new Error(`the mark of an upgrade says "${line}"`);
  return { from: Number(from), to: Number(to), phase, dataDirectory };
}
