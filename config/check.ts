import { checkAccess } from "./checkAccess";
import { checkContent } from "./checkContent";
import { checkFailover } from "./checkFailover";
import { checkHosts } from "./checkHosts";
import { checkLayout } from "./checkLayout";
import { checkLockout } from "./checkLockout";
import { checkNodes } from "./checkNodes";
import { checkDetection, checkOptions, checkSettings } from "./checkSettings";
import { checkPlacement } from "./checkPlacement";
import { checkRequire } from "./checkRequire";
import { checkSecrets } from "./checkSecrets";
import { checkTls } from "./checkTls";
import { type Located, nodeAt, type Path, problemAt } from "./located";
import type { RawCluster, RawInventory } from "./schema";
import type { Problem } from "./types";
import type { Validated } from "./validate";

/** What is known of the stack's secrets. */
export interface Secrets {
  has(name: string): boolean;
  /** Absent: values are not known here. */
  get?(name: string): string | undefined;
}

/** What the checks look at, and where they put what they find. */
export class Checked {
  readonly problems: Problem[] = [];
  readonly raw: RawInventory;
  readonly isWhole: (path: Path) => boolean;

  constructor(
    readonly root: Located,
    validated: Validated,
    readonly secrets: Secrets,
  ) {
    this.raw = validated.sound;
    this.isWhole = validated.isWhole;
  }

  report(path: Path, message: string): void {
    this.problems.push(problemAt(this.root, path, message));
  }

  /** The names written in a dictionary, sound or not: a reference to an unsound part is no unknown name. */
  names(...path: string[]): string[] {
    const node = nodeAt(this.root, path);
    return node?.content.kind === "map" ? [...node.content.entries.keys()] : [];
  }

  fileOf(path: Path): string {
    return nodeAt(this.root, path)?.file ?? this.root.file;
  }

  clusters(): [string, RawCluster][] {
    return Object.entries(this.raw.postgresql_clusters);
  }
}

/** Everything that the schema cannot say: references, what must be unique, what contradicts, what is not safe. */
export function check(root: Located, validated: Validated, secrets: Secrets): Problem[] {
  const checked = new Checked(root, validated, secrets);
  checkHosts(checked);
  checkPlacement(checked);
  for (const [name, cluster] of checked.clusters()) {
    checkNodes(checked, name, cluster);
    checkLayout(checked, name, cluster);
    checkSettings(checked, name, cluster);
    checkOptions(checked, name, cluster);
    checkFailover(checked, name, cluster);
    checkDetection(checked, name, cluster);
    checkAccess(checked, name, cluster);
    checkContent(checked, name, cluster);
    checkLockout(checked, name, cluster);
    checkTls(checked, name, cluster);
    checkRequire(checked, name, cluster);
  }
  checkSecrets(checked);
  return checked.problems;
}
