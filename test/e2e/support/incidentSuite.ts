import { isFull } from "./fullOnly";
import { type Happens, runIncident } from "./incidentRun";
import type { IncidentRow } from "./incidentTable";
import { suite } from "./suite";
import type { World } from "./world";

const TURNS = isFull ? [1, 2, 3] : [1];
/** A pattern of names, for who wants a few of them. */
const chosen = new RegExp(process.env.REPMGR_PULUMI_INCIDENTS ?? ".");

/**
 * The chosen ones of these incidents, so many times, on hosts of their own.
 * @param judge holds what each cost against more than is asked of all of them
 */
export function incidentSuite(
  name: string,
  open: () => Promise<World>,
  incidents: readonly (readonly [title: string, happens: Happens])[],
  judge: (row: IncidentRow) => void = () => undefined,
): void {
  const here = incidents.filter(([title]) => chosen.test(title));
  // A suite without tests is refused by jest.
  if (here.length === 0) return;
  suite(name, open, ({ test }) => {
    for (const turn of TURNS) {
      for (const [title, happens] of here)
        test(`${title}, run ${turn}`, async (world) => judge(await runIncident(world, title, happens)));
    }
  });
}
