import { type InventoryFile, OUTSIDER } from "./support/inventory";
import type { Happens } from "./support/incidentRun";
import { ISOLATED, losePowerTogether, OF_PRIMARY, WITH_WITNESS } from "./support/incidents";
import { isFull } from "./support/fullOnly";
import { incidentSuite } from "./support/incidentSuite";
import { must, World } from "./support/world";

const SUDDEN = ["kill -9 of the postmaster", "the primary's host loses power"];
/**
 * Until a host that is gone is known to be gone, by default: monitor_interval_secs 2 until somebody looks, 2 s until that
 * look has failed, reconnect_attempts 6 of 2 s each, with reconnect_interval 10 s between them.
 */
const DETECTION_SECONDS = 2 + 2 + 6 * 2 + 5 * 10;
/** What an election, a promotion and a client that finds the new primary may take besides. */
const ELECTION_SECONDS = 5;

/** These incidents by these titles, on the usual hosts with another inventory. */
function varied(how: string, names: readonly string[]): (readonly [string, Happens])[] {
  return Object.entries(OF_PRIMARY)
    .filter(([name]) => names.includes(name))
    .map(([name, happens]) => [`${name}, ${how}`, happens] as const);
}

async function deployedWith(change: (inventory: InventoryFile, world: World) => void): Promise<World> {
  const world = await World.deployed();
  world.edit((inventory) => change(inventory, world));
  must(await world.up(["--skip-preview"]));
  return world;
}

// The primary waits for a standby before it acknowledges a row. Asynchronous replication may lose some in these.
incidentSuite(
  "incidents under synchronous replication",
  () =>
    deployedWith(({ postgresql_clusters: { main } }) =>
      Object.assign(main ?? {}, { synchronous: { mode: "any", num: 1 } }),
    ),
  varied("synchronous", [...SUDDEN, ISOLATED]),
);

incidentSuite(
  "incidents with a witness",
  () =>
    deployedWith(({ hosts, postgresql_clusters: { main } }, { lab }) => {
      hosts[OUTSIDER] = { address: lab.host(OUTSIDER).address };
      Object.assign(main?.nodes ?? {}, { n4: { id: 4, host: OUTSIDER, role: "witness" } });
    }),
  [[WITH_WITNESS, losePowerTogether]],
);

// repmgr's own detection, as who says nothing of it has; a minute each, which npm test does not have.
if (isFull) {
  incidentSuite(
    "incidents with the default detection",
    () => deployedWith(({ postgresql_clusters: { main } }) => Object.assign(main ?? {}, { repmgr: {} })),
    varied("default detection", SUDDEN),
    ({ gapSeconds }) => expect(gapSeconds).toBeLessThan(DETECTION_SECONDS + ELECTION_SECONDS),
  );
}
