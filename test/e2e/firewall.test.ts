import type { Lab } from "../../lab";
import { OF_A_USER, reaches, runNftables, runUfw } from "./support/firewalls";
import type { InventoryFile } from "./support/inventory";
import { awaitHealthy, rowArrives, sh } from "./support/oracle";
import { changesOf, consequencesOf } from "./support/previewSteps";
import { suite } from "./support/suite";
import { HOSTS, must, OUTSIDER, World } from "./support/world";

/** Addresses of IPv6 on the hosts' network; only those of the declared network may reach the database. */
const DECLARED = "fd00:5::a:0/112";
const SIX = { pg2: "fd00:5::a:2", pg3: "fd00:5::a:3", [OUTSIDER]: "fd00:5::b:4" };
const RULE = "FirewallRule pg3/main/postgresql";

const clients = ({ postgresql_clusters }: InventoryFile): string[] =>
  (postgresql_clusters.main as unknown as { clients: string[] }).clients;

suite(
  "firewalls",
  () => World.deployed(),
  ({ test }) => {
    const rulesOf = (lab: Lab): Promise<string[]> =>
      Promise.all([sh(lab, "pg3", "ufw show added"), sh(lab, "pg2", "nft list ruleset")]);
    let before: string[] = [];

    const expectOnlyPeers = async (lab: Lab): Promise<void> => {
      const { address } = lab.host("pg3");
      const asked = [reaches(lab, "pg1", address), reaches(lab, "pg2", address), reaches(lab, "pg2", SIX.pg3)];
      expect(await Promise.all(asked)).toEqual([true, true, true]);
      const strangers = [reaches(lab, OUTSIDER, address), reaches(lab, OUTSIDER, SIX.pg3)];
      expect(await Promise.all(strangers)).toEqual([false, false]);
    };

    test("a review shows what another firewall lacks, and names the one that is its owner's business", async (world) => {
      const { lab } = world;
      const peers = HOSTS.map((host) => lab.host(host).address);
      await Promise.all([runUfw(lab, "pg3"), runNftables(lab, "pg2", peers)]);
      for (const [host, address] of Object.entries(SIX))
        await sh(lab, host, `ip -6 address add ${address}/64 dev host0 nodad`);
      before = await rulesOf(lab);
      const started = world.stack.actions().length;
      const { stdout } = must(await world.preview(["--json"]));
      expect(world.stack.actions()).toHaveLength(started);
      expect(changesOf(stdout)).toEqual([
        { resource: RULE, property: "sources", found: [], wanted: expect.arrayContaining(peers.map((p) => `${p}/32`)) },
      ]);
      expect(consequencesOf(stdout)).toContainEqual(
        expect.stringMatching(
          /^cluster main: pg2 runs nftables \(chain inet filter input\), whose rules this program does not manage: 5432\/tcp has to be open to /,
        ),
      );
      expect(await reaches(lab, "pg1", lab.host("pg3").address)).toBe(false);
    });

    test("up opens it to peers and declared networks, IPv6 too, and to nobody else", async (world) => {
      const { lab } = world;
      world.edit((inventory) => clients(inventory).push(DECLARED));
      must(await world.up(["--skip-preview"]));
      await expectOnlyPeers(lab);
      expect(await sh(lab, "pg3", "ufw status")).toMatch(OF_A_USER);
      const { clusters } = (await world.stack.outputs()) as { clusters: { main: { firewalls: object } } };
      expect(clusters.main.firewalls).toEqual({
        pg1: "firewalld, zone public",
        pg2: "nftables (chain inet filter input), not managed",
        pg3: "ufw",
      });
      must(await world.preview(["--expect-no-changes"]));
    });

    test("what is done by hand shows property by property, and is undone", async (world) => {
      const { lab } = world;
      const [one, two] = (["pg1", "pg2"] as const).map((host) => lab.host(host).address);
      await sh(
        lab,
        "pg3",
        `set -e
ufw allow 5432
sed -i '/tuple.* ${two} /,/^$/d' /etc/ufw/user.rules
iptables -D ufw-user-input -s ${one}/32 -p tcp -m tcp --dport 5432 -j ACCEPT
iptables -A ufw-user-input -s 203.0.113.0/24 -p tcp -m tcp --dport 5432 -j ACCEPT`,
      );
      expect(await reaches(lab, OUTSIDER, lab.host("pg3").address)).toBe(true);
      const { stdout } = must(await world.preview(["--json"]));
      const changes = changesOf(stdout);
      expect(changes.map(({ resource, property }) => [resource, property]).sort()).toEqual(
        ["permanentOnly", "runtimeOnly", "sources"].map((property) => [RULE, property]),
      );
      const found = Object.fromEntries(changes.map((change) => [change.property, change.found]));
      expect(found.permanentOnly).toEqual([`${one}/32`]);
      expect(found.runtimeOnly).toEqual([`${two}/32`, "203.0.113.0/24"].sort());
      expect(found.sources).toEqual(expect.arrayContaining(["0.0.0.0/0", "::/0", DECLARED]));
      must(await world.up(["--skip-preview"]));
      await expectOnlyPeers(lab);
      must(await world.preview(["--expect-no-changes"]));
    });

    test("it is so after ufw was loaded anew, and the cluster is whole", async ({ lab }) => {
      await sh(lab, "pg3", "ufw reload");
      await expectOnlyPeers(lab);
      expect(await sh(lab, "pg3", "ufw status")).toMatch(OF_A_USER);
      await awaitHealthy(lab, HOSTS);
      await rowArrives(lab, "pg1", ["pg2", "pg3"], { database: "app" });
    });

    test("destroy takes back what was opened, and leaves all that others have made", async (world) => {
      must(await world.destroy());
      expect(await rulesOf(world.lab)).toEqual(before);
      expect(
        await sh(
          world.lab,
          "pg3",
          "iptables -S ufw-user-input | grep 5432; ip6tables -S ufw6-user-input | grep 5432; true",
        ),
      ).toBe("");
    });
  },
);
