import { sh } from "../ssh/quote";
import { parsePostgresConf } from "./postgresConf";
import type { Probe } from "./probe";

/** A cluster that this program keeps on a host, as its repmgr.conf there says. */
export interface Neighbour {
  readonly cluster: string;
  readonly node: string;
  readonly port: number;
  readonly dataDirectory: string;
  /** As its postgresql.conf says; absent where that says nothing or is not there. */
  readonly sharedBuffers?: string;
  readonly hugePages?: string;
}

/** For all of them at once: the cluster's name after a "=", its repmgr.conf, and what its postgresql.conf says of memory. */
const AWK = `function memory(  line) {
  if (data != "") while ((getline line < (data "/postgresql.conf")) > 0) if (line ~ /^(shared_buffers|huge_pages) /) print line
  data = ""
}
FNR == 1 { memory(); name = FILENAME; sub(/\\/repmgr\\.conf$/, "", name); sub(/.*\\//, "", name); print "=" name }
{ print }
/^data_directory *= *'.*' *$/ { data = $0; sub(/^data_directory *= *'/, "", data); sub(/' *$/, "", data) }
END { memory() }`;

/** @param directory that holds one directory a cluster: "/etc/repmgr" */
export function neighboursProbe(directory: string): Probe<readonly Neighbour[]> {
  return {
    key: `neighbours in ${directory}`,
    script: `for conf in ${sh(directory)}/*/repmgr.conf; do [ ! -f "$conf" ] || set -- "$@" "$conf"; done
[ $# = 0 ] || awk ${sh(AWK)} "$@"`,
    parse({ code, stdout, stderr }) {
      if (code !== 0) throw new Error(`exit status ${code}: ${stderr.trim()}`);
      return stdout
        .split(/^=/m)
        .slice(1)
        .map((part) => {
          const [cluster = "", ...lines] = part.split("\n");
          return parseNeighbour(cluster, lines.join("\n"));
        })
        .filter((neighbour) => neighbour !== undefined);
    },
  };
}

/** Undefined for the sample that a package of repmgr brings along: /etc/repmgr/17/repmgr.conf names no node. */
function parseNeighbour(cluster: string, text: string): Neighbour | undefined {
  const { node_name: node, conninfo = "", data_directory: dataDirectory = "", ...more } = parsePostgresConf(text);
  if (node === undefined) return undefined;
  const { shared_buffers: sharedBuffers, huge_pages: hugePages } = more;
  const memory = {
    ...(sharedBuffers === undefined ? {} : { sharedBuffers }),
    ...(hugePages === undefined ? {} : { hugePages }),
  };
  return { cluster, node, port: Number(/\bport=(\d+)/.exec(conninfo)?.[1] ?? 5432), dataDirectory, ...memory };
}
