import { sh } from "../ssh/quote";
import { parsePostgresConf } from "./postgresConf";
import type { Probe } from "./probe";

/** A cluster that this program keeps on a host, as its repmgr.conf there says. */
export interface Neighbour {
  readonly cluster: string;
  readonly node: string;
  readonly port: number;
  readonly dataDirectory: string;
}

/** @param directory that holds one directory a cluster: "/etc/repmgr" */
export function neighboursProbe(directory: string): Probe<readonly Neighbour[]> {
  return {
    key: `neighbours in ${directory}`,
    script: `for conf in ${sh(directory)}/*/repmgr.conf; do
  [ -f "$conf" ] || continue
  echo "=$(basename "$(dirname "$conf")")"
  cat "$conf"
done`,
    parse({ code, stdout, stderr }) {
      if (code !== 0) throw new Error(`exit status ${code}: ${stderr.trim()}`);
      return stdout
        .split(/^=/m)
        .slice(1)
        .map((part) => {
          const [cluster = "", ...lines] = part.split("\n");
          return parseNeighbour(cluster, lines.join("\n"));
        });
    },
  };
}

function parseNeighbour(cluster: string, text: string): Neighbour {
  const { node_name: node = "", conninfo = "", data_directory: dataDirectory = "" } = parsePostgresConf(text);
  return { cluster, node, port: Number(/\bport=(\d+)/.exec(conninfo)?.[1] ?? 5432), dataDirectory };
}
