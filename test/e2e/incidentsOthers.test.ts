import { runIncident } from "./support/incidentRun";
import { killPostmaster, OF_OTHERS } from "./support/incidents";
import { incidentSuite, isChosen } from "./support/incidentSuite";
import { suite } from "./support/suite";
import { World } from "./support/world";

const IN_A_ROW = "three failovers in a row";

incidentSuite("incidents of standbys and changes", () => World.deployed(), Object.entries(OF_OTHERS));

if (isChosen(IN_A_ROW)) {
  suite(
    "failovers in a row",
    () => World.deployed(),
    ({ test }) => {
      test(`${IN_A_ROW}, each followed by up`, async (world) => {
        for (const turn of [1, 2, 3]) await runIncident(world, `${IN_A_ROW}: the ${turn}.`, killPostmaster);
      });
    },
  );
}
