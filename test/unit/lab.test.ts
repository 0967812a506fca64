import {
  addressPlan,
  hostCgroup,
  hostAddress,
  hostName,
  hostsFile,
  linkName,
  MAX_HOSTS,
  subnetOfBridge,
} from "../../lab/addresses";
import { guestArgv, inCgroupsArgv, nspawnArgv, overlayArgv, qemuArgv, sshArgv } from "../../lab/argv";
import { debianMirror, mmdebstrapArgv } from "../../lab/base";
import {
  CONTROL,
  faultRules,
  NO_FAULTS,
  withCut,
  withDirections,
  withoutCut,
  withoutDirections,
} from "../../lab/faults";
import { builtImage, imageAt, imageNamed } from "../../lab/image";
import { todaysImage } from "../../lab/images";
import { chooseSubnet, hasNetwork } from "../../lab/network";
import { LabPaths } from "../../lab/paths";
import { run } from "../../lab/run";

describe("addresses", () => {
  const plan = addressPlan(0);

  test("a host's name decides its address", () => {
    expect(hostAddress(plan, "pg1")).toBe("198.18.0.11");
    expect(hostAddress(addressPlan(7), hostName(MAX_HOSTS))).toBe("198.18.7.70");
  });

  test.each(["pg0", "pg61", "pg01", "pg", "db1", "pg1;reboot", ""])("%j is no host", (name) => {
    expect(() => hostAddress(plan, name)).toThrow(/hosts are pg1 to pg60/);
  });

  test("two labs of one number, of which one is down, have groups of their own for their hosts", () => {
    const groups = ["/var/cache/a", "/var/cache/b"].map((dir) => hostCgroup(dir, "pg1"));
    expect(new Set(groups).size).toBe(2);
    expect(groups[0]).toMatch(/^repmgr-lab-[0-9a-f]{8}\/pg1$/);
  });

  test.each([-1, 256, 1.5])("%d is no lab number", (subnet) => {
    expect(() => addressPlan(subnet)).toThrow(RangeError);
  });

  test("no name is longer than the 15 characters of an interface", () => {
    expect(linkName(addressPlan(255), "pg60").length).toBeLessThanOrEqual(15);
    expect(addressPlan(255).bridge.length).toBeLessThanOrEqual(15);
  });

  test("a bridge tells its lab, other interfaces are nobody's", () => {
    expect(subnetOfBridge(addressPlan(12).bridge)).toBe(12);
    expect(subnetOfBridge("docker0")).toBeUndefined();
    expect(subnetOfBridge("replab0x")).toBeUndefined();
  });

  test("/etc/hosts knows every host a lab can have", () => {
    const lines = hostsFile(plan).trimEnd().split("\n");
    expect(lines).toContain("198.18.0.13 pg3");
    expect(lines.filter((line) => line.startsWith("198.18."))).toHaveLength(MAX_HOSTS);
  });
});

describe("the number of a lab", () => {
  const labs = new Map([
    [0, "/a/.lab"],
    [1, "/b/.lab"],
  ]);

  test("stays as long as no other lab has taken it", () => {
    expect(chooseSubnet(labs, "/a/.lab", 0, 0)).toBe(0);
    expect(chooseSubnet(labs, "/c/.lab", 5, 0)).toBe(5);
  });

  test("moves on when another lab has it", () => {
    expect(chooseSubnet(labs, "/c/.lab", 0, 0)).toBe(2);
    expect(chooseSubnet(new Map(), "/c/.lab", undefined, 1)).toBe(1);
  });

  test("a lab that is down does not take the network of the one that has its number now", () => {
    expect(hasNetwork(new Map([[1, "/b/.lab"]]), "/b/.lab", 1)).toBe(true);
    expect(hasNetwork(new Map([[1, "/b/.lab"]]), "/a/.lab", 1)).toBe(false);
    expect(hasNetwork(new Map(), "/a/.lab", 1)).toBe(false);
  });

  test("a full machine is an error that says what to do", () => {
    const full = new Map(Array.from({ length: 256 }, (_, subnet) => [subnet, "/other"]));
    expect(() => chooseSubnet(full, "/c/.lab", undefined, 0)).toThrow(/npm run lab -- down/);
  });
});

describe("faults", () => {
  const plan = addressPlan(0);

  test("a lab without faults has no table, however often that is applied", () => {
    expect(faultRules(plan, NO_FAULTS)).toBe("table bridge repmgr_lab0\ndelete table bridge repmgr_lab0\n");
  });

  test("a cut host neither sends nor receives, the control machine included", () => {
    const rules = faultRules(plan, withCut(NO_FAULTS, "pg2"));
    expect(rules.match(/iifname "vb-lab0-pg2" drop/g)).toHaveLength(2);
    expect(rules.match(/oifname "vb-lab0-pg2" drop/g)).toHaveLength(2);
    for (const hook of ["forward", "input", "output"]) expect(rules).toContain(`type filter hook ${hook} priority 0`);
  });

  test("one way between two hosts touches only that way", () => {
    const rules = faultRules(plan, withDirections(NO_FAULTS, [{ from: "pg1", to: "pg2" }]));
    expect(rules).toContain('iifname "vb-lab0-pg1" oifname "vb-lab0-pg2" drop');
    expect(rules.match(/drop/g)).toHaveLength(1);
  });

  test("control from a host: the host's packets to control are dropped, those to other hosts are not", () => {
    const rules = faultRules(plan, withDirections(NO_FAULTS, [{ from: "pg1", to: CONTROL }]));
    expect(rules).toContain("hook input");
    expect(rules).not.toContain("hook forward");
  });

  test("healing takes away what cutting added, and nothing else", () => {
    const way = { from: "pg1", to: "pg2" };
    const both = withDirections(withCut(withCut(NO_FAULTS, "pg3"), "pg3"), [way, way]);
    expect(both.cut).toEqual(["pg3"]);
    expect(withoutDirections(both, [{ from: "pg2", to: "pg1" }]).oneWay).toContainEqual(way);
    expect(withoutCut(withoutDirections(both, [way]), "pg3")).toEqual(NO_FAULTS);
  });
});

describe("command lines", () => {
  const paths = new LabPaths("/x/.lab");

  test("an overlay has the newest saved layer above the older ones above the base", () => {
    const options = overlayArgv(paths.host("pg1"), ["/new", "/old", "/base"])[5]?.split(",");
    expect(options).toContain("lowerdir=/new:/old:/base");
    expect(options).toContain("upperdir=/x/.lab/hosts/pg1/upper");
  });

  test("machines of two labs have two names, the hosts inside have one", () => {
    const [zero, one] = [0, 1].map((subnet) => nspawnArgv(addressPlan(subnet), "pg1", "/root", "/repository"));
    expect(zero).toContain("--machine=lab0-pg1");
    expect(one).toContain("--machine=lab1-pg1");
    for (const argv of [zero, one]) expect(argv).toContain("--hostname=pg1");
  });

  test("a hostile command inside a host stays one argument", () => {
    const hostile = `echo '; reboot' "$(id)"`;
    expect(guestArgv(42, hostile, "postgres").slice(-6)).toEqual(
      ["runuser", "-u", "postgres", "--", "/bin/sh", "-c"].concat(hostile).slice(1),
    );
    expect(guestArgv(42, ["echo", "a b"], "root").slice(-2)).toEqual(["echo", "a b"]);
  });

  test("the cgroup wrapper hands every argument on as it is", async () => {
    const argv = inCgroupsArgv(["/dev/null", "/dev/null"], ["printf", "<%s>", "a b", "$HOME;'\"", ""]);
    expect((await run(argv)).stdout).toBe(`<a b><$HOME;'"><>`);
  });

  test("a process that cannot enter its group does not start", async () => {
    const result = await run(inCgroupsArgv(["/nonexistent/cgroup.procs"], ["echo", "started"]));
    expect(result).toMatchObject({ code: 125, stdout: "" });
  });

  test("ssh checks host keys and uses nobody's own configuration", () => {
    const argv = sshArgv("/key", "/known", "admin", "198.18.0.11");
    expect(argv.join(" ")).toContain("-o UserKnownHostsFile=/known -o StrictHostKeyChecking=yes");
    expect(argv.slice(1, 3)).toEqual(["-F", "none"]);
  });

  test("guests of two labs share neither a disk nor a link nor a hardware address, and their SELinux enforces", () => {
    const disk = { root: "/root.img", kernel: "/vmlinuz", initrd: "/initrd" };
    const [one, other] = [0, 1].map((subnet) =>
      qemuArgv(
        disk,
        { disk: `/lab${subnet}/disk`, identity: `/lab${subnet}/identity`, link: `vb-lab${subnet}-pg1` },
        { name: "pg1", subnet, number: 1, machineId: "00" },
      ).join(" "),
    );
    for (const [argv = "", subnet] of [[one, 0] as const, [other, 1] as const]) {
      expect(argv).toContain(`ifname=vb-lab${subnet}-pg1,`);
      expect(argv).toContain(`mac=52:54:00:12:0${subnet}:01`);
      expect(argv).toContain(`file=/lab${subnet}/disk,`);
      expect(argv).toMatch(/ security=selinux selinux=1 enforcing=1 /);
      expect(argv).not.toContain("/root.img");
    }
  });

  test("the base image holds no PostgreSQL", () => {
    expect(mmdebstrapArgv("debian13", "/root", "http://mirror/debian").join(" ")).not.toMatch(/postgres|repmgr/);
    expect(mmdebstrapArgv("debian13", "/root", "http://mirror/debian").slice(0, 5)).toEqual([
      "unshare",
      "--mount",
      "--propagation",
      "private",
      "mmdebstrap",
    ]);
  });
});

describe("images", () => {
  test("one that is laid over another brings its own repository, and the other's root and logins", () => {
    const [base, redhat] = ["b", "b-redhat-c"].map(imageAt);
    expect(base).toMatchObject({ name: "debian13", lower: [expect.stringMatching(/base\/b\/root$/)] });
    expect(redhat).toMatchObject({
      name: "redhat",
      lower: [expect.stringMatching(/base\/b-redhat-c\/root$/), ...(base?.lower ?? [])],
      opsPasswordFile: base?.opsPasswordFile,
    });
    expect(redhat?.repository).not.toBe(base?.repository);
  });

  test("an older Debian is laid over nothing", () => {
    expect(imageAt("b-debian12")).toMatchObject({
      name: "debian12",
      lower: [expect.stringMatching(/base\/b-debian12\/root$/)],
      opsPasswordFile: expect.stringMatching(/base\/b-debian12\/ops\.password$/) as unknown,
    });
    expect(todaysImage("debian12").hash).toMatch(/^[0-9a-f]{12}-debian12$/);
  });

  test.each(["redhat", "selinux"] as const)("%s is built anew with the one below it", (name) => {
    expect(todaysImage(name).hash).toMatch(new RegExp(`^${todaysImage("debian13").hash}-${name}-[0-9a-f]{12}$`));
  });

  test("a guest's is a disk, and its packages are Debian's", () => {
    const [base, guest] = ["b", "b-selinux-c"].map(imageAt);
    const { repository, repositoryKey, opsPasswordFile } = base ?? {};
    expect(guest).toMatchObject({ name: "selinux", repository, repositoryKey, opsPasswordFile });
    expect(guest?.disk?.root).toMatch(/base\/b-selinux-c\/disk\/root\.img$/);
    expect(base?.disk).toBeUndefined();
  });

  test("one that is no longer there, and one that never was, are errors that say what to do", () => {
    expect(() => builtImage("gone-redhat-gone")).toThrow(
      /gone-redhat-gone of these hosts is gone: npm run lab -- down/,
    );
    expect(() => imageNamed("suse")).toThrow('no image "suse", there are debian12, debian13, redhat, selinux');
  });
});

describe("the Debian mirror", () => {
  test("is this machine's own", () => {
    expect(debianMirror("https://deb.nodesource.com/node_20.x/\nhttp://mirror.example/debian/\n")).toBe(
      "http://mirror.example/debian",
    );
  });

  test("is Debian's where this machine's packages come from elsewhere", () => {
    expect(debianMirror("http://deb.debian.org/debian-security/\nfile:/srv/debian\n")).toBe(
      "http://deb.debian.org/debian",
    );
  });
});
