import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { projectRoot } from "../../../scripts/projectRoot";

/** What one incident cost, measured by a client and by SQL on the nodes. */
export interface IncidentRow {
  readonly incident: string;
  /** The longest time without an acknowledged row. */
  readonly gapSeconds: number;
  readonly acknowledged: number;
  /** Acknowledged rows that the surviving primary does not have. */
  readonly lost: number;
  /** The most nodes that acknowledged rows at the same time. */
  readonly writable: number;
  /** Whether one `pulumi up` brought back three healthy nodes. */
  readonly restored: boolean;
  readonly upSeconds: number;
  /** Whether the preview after it had nothing to show. */
  readonly clean: boolean;
}

const HEAD = `| Incident | Seconds without a write | Rows acknowledged | of these lost | Primaries at once | \`pulumi up\` alone restored it | Next preview |
| --- | --- | --- | --- | --- | --- | --- |
`;

/** Adds a row to incidents.jsonl and writes the table of all rows so far to incidents.md, both among the logs of the run. */
export function record(row: IncidentRow): void {
  const dir = process.env.REPMGR_PULUMI_LOGS ?? join(projectRoot(), "logs", "e2e");
  mkdirSync(dir, { recursive: true });
  const all = join(dir, "incidents.jsonl");
  appendFileSync(all, `${JSON.stringify(row)}\n`);
  const rows = readFileSync(all, "utf8").trimEnd().split("\n");
  writeFileSync(
    join(dir, "incidents.md"),
    HEAD + rows.map((line) => tableRow(JSON.parse(line) as IncidentRow)).join(""),
  );
}

function tableRow(row: IncidentRow): string {
  const restored = row.restored ? `yes, in ${row.upSeconds.toFixed(0)} s` : "no";
  const cells = [row.incident, row.gapSeconds.toFixed(1), row.acknowledged, row.lost, row.writable, restored];
  return `| ${[...cells, row.clean ? "clean" : "not clean"].join(" | ")} |\n`;
}
