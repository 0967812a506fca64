import type { Lab } from "../../lab";
import { OF_A_USER, reaches, runNftables, runUfw } from "./support/firewalls";
import type { InventoryFile } from "./support/inventory";
import { awaitHealthy, rowArrives, sh } from "./support/oracle";
import { changesOf } from "./support/previewSteps";
import { suite } from "./support/suite";
import { HOSTS, must, OUTSIDER, World } from "./support/world";

/** Addresses of IPv6 on the hosts' network; only those of the declared network may reach the database. */
const DECLARED = "fd00:5::a:0/112";
const SIX = { pg2: "fd00:5::a:2", pg3: "fd00:5::a:3", [OUTSIDER]: "fd00:5::b:4" };
const ruleOf = (host: string): string => `FirewallRule ${host}/main/postgresql`;

const clients = ({ postgresql_clusters }: InventoryFile): string[] =>
  (postgresql_clusters.main as unknown as { clients: string[] }).clients;

suite(
  "firewalls",
  () => World.deployed(),
  ({ test }) => {
    const addSix = (lab: Lab, host: keyof typeof SIX): Promise<string> =>
      sh(lab, host, `ip -6 address add ${SIX[host]}/64 dev host0 nodad`);
    const rulesOf = (lab: Lab): Promise<string[]> =>
      Promise.all([sh(lab, "pg3", "ufw show added"), sh(lab, "pg2", "nft list ruleset")]);
    let before: string[] = [];

    const expectOnlyPeers = async (lab: Lab): Promise<void> => {
      for (const host of ["pg2", "pg3"] as const) {
        const other = host === "pg2" ? "pg3" : "pg2";
        const { address } = lab.host(host);
        const asked = [reaches(lab, "pg1", address), reaches(lab, other, address), reaches(lab, other, SIX[host])];
        expect([host, await Promise.all(asked)]).toEqual([host, [true, true, true]]);
        const strangers = [reaches(lab, OUTSIDER, address), reaches(lab, OUTSIDER, SIX[host])];
        expect([host, await Promise.all(strangers)]).toEqual([host, [false, false]]);
      }
    };

    test("a review shows what other firewalls lack", async (world) => {
      const { lab } = world;
      const peers = HOSTS.map((host) => lab.host(host).address);
      await Promise.all([runUfw(lab, "pg3"), runNftables(lab, "pg2")]);
      for (const host of ["pg2", "pg3", OUTSIDER] as const) await addSix(lab, host);
      before = await rulesOf(lab);
      const started = world.stack.actions().length;
      const { stdout } = must(await world.preview(["--json"]));
      expect(world.stack.actions()).toHaveLength(started);
      const wanted = expect.arrayContaining(peers.map((peer) => `${peer}/32`)) as unknown;
      expect(changesOf(stdout)).toEqual(
        ["pg2", "pg3"].map((host) => ({ resource: ruleOf(host), property: "sources", found: [], wanted })),
      );
      expect(await reaches(lab, "pg1", lab.host("pg2").address)).toBe(false);
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
        pg2: "nftables (chain inet filter input)",
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
        ["permanentOnly", "runtimeOnly", "sources"].map((property) => [ruleOf("pg3"), property]),
      );
      const found = Object.fromEntries(changes.map((change) => [change.property, change.found]));
      expect(found.permanentOnly).toEqual([`${one}/32`]);
      expect(found.runtimeOnly).toEqual([`${two}/32`, "203.0.113.0/24"].sort());
      expect(found.sources).toEqual(expect.arrayContaining(["0.0.0.0/0", "::/0", DECLARED]));
      must(await world.up(["--skip-preview"]));
      await expectOnlyPeers(lab);
      must(await world.preview(["--expect-no-changes"]));
    });

    test("so is what is done to nftables: with its tables, with what lets in, with what brings it back", async (world) => {
      const { lab } = world;
      const [one] = [lab.host("pg1").address];
      const changed = async (how: string): Promise<Record<string, unknown>> => {
        await sh(lab, "pg2", how);
        const changes = changesOf(must(await world.preview(["--json"])).stdout);
        expect([...new Set(changes.map(({ resource }) => resource))]).toEqual([ruleOf("pg2")]);
        must(await world.up(["--skip-preview"]));
        await expectOnlyPeers(lab);
        return Object.fromEntries(changes.map(({ property, found }) => [property, found]));
      };
      const everybody = expect.arrayContaining([`${one}/32`, DECLARED]) as unknown;
      // By hand, past the service: nothing brings ours back.
      expect(await changed("nft -f /etc/nftables.conf")).toMatchObject({ sources: [], permanentOnly: everybody });
      expect(
        await changed(
          `nft add rule inet filter repmgr_pulumi ip saddr 203.0.113.0/24 tcp dport 5432 accept && sed -i '/^open ${one}/d' /etc/repmgr-pulumi/nftables.rules`,
        ),
      ).toMatchObject({ runtimeOnly: expect.arrayContaining([`${one}/32`, "203.0.113.0/24"]) as unknown });
      expect(await changed("systemctl disable -q repmgr-pulumi-nftables")).toMatchObject({ runtimeOnly: everybody });
      must(await world.preview(["--expect-no-changes"]));
    });

    for (const [host, how] of [
      ["pg3", "ufw reload"],
      ["pg2", "systemctl reload nftables"],
      ["pg2", "systemctl restart nftables"],
    ] as const) {
      test(`${host} lets in the same after: ${how}`, async ({ lab }) => {
        await sh(lab, host, how);
        await expectOnlyPeers(lab);
      });
    }

    test("it boots with them, and the cluster is whole", async ({ lab }) => {
      await lab.poweroff("pg2");
      await lab.poweron("pg2");
      await addSix(lab, "pg2");
      await awaitHealthy(lab, HOSTS);
      await expectOnlyPeers(lab);
      expect(await sh(lab, "pg3", "ufw status")).toMatch(OF_A_USER);
      await awaitHealthy(lab, HOSTS);
      await rowArrives(lab, "pg1", ["pg2", "pg3"], { database: "app" });
    });

    test("destroy takes back what was opened, where a run before was cut as well, and leaves all that others have made", async (world) => {
      const files = "/etc/repmgr-pulumi /etc/systemd/system/repmgr-pulumi-nftables.service";
      await sh(world.lab, "pg2", `systemctl disable -q --now repmgr-pulumi-nftables && rm -r ${files}`);
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
