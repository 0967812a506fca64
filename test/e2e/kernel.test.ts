import { changesOf } from "./support/previewSteps";
import { tells } from "./support/incident";
import { awaitHealthy, postmasters, sh } from "./support/oracle";
import { suite } from "./support/suite";
import { HOSTS, must, World } from "./support/world";

/** Of the settings that matter to PostgreSQL, those that a container has of its own, with others as a host boots. */
const BACKLOG = "net.core.somaxconn";
const KEEPALIVE = "net.ipv4.tcp_keepalive_time";
const FILE = "/etc/sysctl.d/zz-repmgr-pulumi.conf";

const value = ({ lab }: World, host: string, name: string): Promise<string> =>
  sh(lab, host, `cat /proc/sys/${name.replaceAll(".", "/")}`);

function kernel(world: World, sysctl: Record<string, number> | undefined): void {
  world.edit((inventory) => {
    Object.assign(inventory.defaults, { kernel: sysctl && { sysctl } });
    if (sysctl === undefined) delete (inventory.defaults as { kernel?: object }).kernel;
  });
}

function profile(world: World, tuned_profile: string): void {
  world.edit(({ defaults }) => Object.assign((defaults as { kernel?: object }).kernel ?? {}, { tuned_profile }));
}

suite(
  "settings of the hosts' kernels",
  () => World.deployed(),
  ({ test }) => {
    let starts: string[] = [];

    test("are set on every host, now and at boot, and nothing restarts", async (world) => {
      starts = await postmasters(world.lab, HOSTS);
      const before = await value(world, "pg1", BACKLOG);
      expect(before).not.toBe("8192");
      kernel(world, { [BACKLOG]: 8192, [KEEPALIVE]: 300 });
      const { output } = must(await world.preview());
      expect(output).toContain(`${BACKLOG} is ${before}, wanted 8192`);
      expect(await value(world, "pg1", BACKLOG)).toBe(before);
      must(await world.up(["--skip-preview"]));
      for (const host of HOSTS) {
        expect(await value(world, host, BACKLOG)).toBe("8192");
        expect(await value(world, host, KEEPALIVE)).toBe("300");
        expect(await sh(world.lab, host, `stat -c '%U:%G %a' ${FILE}`)).toBe("root:root 644");
      }
      must(await world.preview(["--expect-no-changes"]));
    });

    test("changed by hand, each shows as that property and is put back, and nothing else", async (world) => {
      const ways: [how: string, changes: [property: string, found: unknown][]][] = [
        ["echo 1000 >/proc/sys/net/core/somaxconn", [[`sysctl["${BACKLOG}"]`, "1000"]]],
        [`sed -i 's/8192/1000/' ${FILE}`, [[`sysctlAtBoot["${BACKLOG}"]`, "1000"]]],
        [`rm ${FILE}`, [BACKLOG, KEEPALIVE].map((name) => [`sysctlAtBoot["${name}"]`, undefined])],
      ];
      for (const [how, changes] of ways) {
        await sh(world.lab, "pg2", how);
        const { stdout } = must(await world.preview(["--json"]));
        const seen = changesOf(stdout).map((change) => [change.resource, change.property, change.found]);
        expect([how, seen]).toEqual([how, changes.map((change) => ["HostKernel pg2/kernel", ...change])]);
        must(await world.up(["--skip-preview"]));
        must(await world.preview(["--expect-no-changes"]));
      }
      expect(await value(world, "pg2", BACKLOG)).toBe("8192");
      expect(await postmasters(world.lab, HOSTS)).toEqual(starts);
    });

    test("TuneD is told its profile, and what somebody makes of that is put back", async (world) => {
      const { lab } = world;
      const active = (host: string): Promise<string> => sh(lab, host, "tuned-adm active");
      profile(world, "virtual-guest");
      const { output } = must(await world.preview());
      expect(output).toContain("TuneD's profile is (tuned.service does not run), wanted virtual-guest");
      must(await world.up(["--skip-preview"]));
      for (const host of HOSTS) expect(await active(host)).toBe("Current active profile: virtual-guest");
      must(await world.preview(["--expect-no-changes"]));
      for (const [how, found] of [
        ["tuned-adm profile powersave", "powersave"],
        ["systemctl disable -q tuned", "virtual-guest (tuned.service does not start with the host)"],
        ["systemctl stop tuned", "virtual-guest (tuned.service does not run)"],
      ] as const) {
        await sh(lab, "pg2", how);
        const changes = changesOf(must(await world.preview(["--json"])).stdout);
        expect(changes).toEqual([
          { resource: "HostKernel pg2/kernel", property: "tunedProfile", found, wanted: "virtual-guest" },
        ]);
        must(await world.up(["--skip-preview"]));
      }
      expect(await active("pg2")).toBe("Current active profile: virtual-guest");
      expect(await value(world, "pg2", BACKLOG)).toBe("8192");
      must(await world.preview(["--expect-no-changes"]));
      expect(await postmasters(lab, HOSTS)).toEqual(starts);
    });

    test("a profile that TuneD does not have is refused by a preview, as is a host without TuneD", async (world) => {
      profile(world, "no-such-profile");
      await sh(world.lab, "pg3", "mv /usr/sbin/tuned-adm /run/");
      tells(
        await world.preview(),
        /pg1: cluster main: TuneD has no profile no-such-profile; it has .*virtual-guest/,
        /pg3: cluster main: TuneD is not installed/,
      );
      await sh(world.lab, "pg3", "mv /run/tuned-adm /usr/sbin/");
      profile(world, "virtual-guest");
    });

    test("are there again after the host has lost power", async (world) => {
      await world.lab.poweroff("pg3");
      await world.lab.poweron("pg3");
      await awaitHealthy(world.lab, HOSTS);
      expect(await value(world, "pg3", BACKLOG)).toBe("8192");
      expect(await sh(world.lab, "pg3", "tuned-adm active")).toBe("Current active profile: virtual-guest");
    });

    test("that a kernel does not have, and those that cannot be changed there, are refused by a preview", async (world) => {
      kernel(world, { "vm.overcomit_memory": 2, "vm.overcommit_memory": 2, [BACKLOG]: 8192 });
      tells(
        await world.preview(),
        ...HOSTS.flatMap((host) => [
          new RegExp(`${host}: cluster main: its kernel has no setting vm\\.overcomit_memory`),
          new RegExp(`${host}: cluster main: vm\\.overcommit_memory is \\d, wanted 2, and cannot be changed there`),
        ]),
      );
    });

    test("are left as they are when the inventory names them no more", async (world) => {
      kernel(world, undefined);
      must(await world.up(["--skip-preview"]));
      for (const host of HOSTS) {
        expect(await sh(world.lab, host, `ls ${FILE} 2>/dev/null || true`)).toBe("");
        expect(await value(world, host, BACKLOG)).toBe("8192");
      }
      must(await world.preview(["--expect-no-changes"]));
    });
  },
);
