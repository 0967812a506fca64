import type { Checked } from "./check";
import { isOn } from "./isOn";
import type { Path } from "./located";
import type { RawCluster, RawInventory } from "./schema";

/** Of a cluster; whether the inventory was promoted is checkPromoted's. */
type Requirement = Exclude<keyof RawInventory["require"], "promoted">;
interface Violation {
  readonly path: Path;
  readonly found: string;
}

/** What an environment asks of each of its clusters: everything that one lacks is a problem, so no preview gets past it. */
export function checkRequire(checked: Checked, name: string, cluster: RawCluster): void {
  for (const requirement of Object.keys(VIOLATIONS) as Requirement[]) {
    if (!checked.raw.require[requirement]) continue;
    for (const { path, found } of VIOLATIONS[requirement](cluster)) {
      checked.report(["postgresql_clusters", name, ...path], `${found}, and 'require' asks for ${requirement}`);
    }
  }
}

const VIOLATIONS: Readonly<Record<Requirement, (cluster: RawCluster) => Violation[]>> = {
  checksums: ({ checksums }) => unless(checksums, ["checksums"], "data have no checksums"),
  tls: (cluster) => [
    ...unless(
      cluster.tls !== undefined || isOn(cluster.settings.ssl),
      cluster.settings.ssl === undefined ? ["tls"] : ["settings", "ssl"],
      "TLS is not on",
    ),
    ...unless(
      cluster.tls !== undefined || cluster.clients.length === 0,
      ["clients"],
      "'clients' are let in without TLS, too; set 'tls', or write hostssl lines into 'hba'",
    ),
    ...cluster.hba.flatMap(({ type, method }, index) => {
      const isOpen = (type === "host" || type === "hostnossl") && method !== "reject";
      return unless(!isOpen, ["hba", index, "type"], `a line of type ${type} lets in without TLS`);
    }),
    ...cluster.hba_lines.flatMap((line, index) => {
      const isOpen =
        /^host(nossl)? /.test(line) && !/ reject$/.test(line) && !/^\S+ (repmgr|replication) repmgr /.test(line);
      return unless(!isOpen, ["hba_lines", index], "this line lets in without TLS");
    }),
  ],
  synchronous: ({ synchronous }) => unless(synchronous !== undefined, ["synchronous"], "replication is asynchronous"),
  witness: ({ nodes }) => {
    const isThere = Object.values(nodes).some(({ role }) => role === "witness");
    return unless(isThere, ["nodes"], "no node is a witness");
  },
  protect: ({ protect }) => unless(protect, ["protect"], "it can be deleted"),
};

function unless(isRight: boolean, path: Path, found: string): Violation[] {
  return isRight ? [] : [{ path, found }];
}
