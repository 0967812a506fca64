import { killPostmaster, OF_OTHERS } from "./support/incidents";
import { incidentSuite } from "./support/incidentSuite";
import { World } from "./support/world";

incidentSuite("incidents of standbys and changes", () => World.deployed(), Object.entries(OF_OTHERS));

// Each of them is followed by an up.
incidentSuite(
  "failovers in a row",
  () => World.deployed(),
  [1, 2, 3].map((number) => [`three failovers in a row: the ${number}.`, killPostmaster] as const),
);
