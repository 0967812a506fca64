import { OF_PRIMARY } from "./support/incidents";
import { incidentSuite } from "./support/incidentSuite";
import { World } from "./support/world";

incidentSuite("incidents of the primary", () => World.deployed(), Object.entries(OF_PRIMARY));
