import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { type KernelFact, kernelProbe } from "../../facts/kernel";
import type { Claims } from "../../providers/claims";
import { type HostKernelFacts, type HostKernelInputs, hostKernelKind } from "../../providers/hostKernel";
import { kernelProblems } from "../../providers/preflightKernel";
import { FILES } from "../../providers/hostKernelPlan";
import { type TunedFact, tunedProbe } from "../../facts/tuned";
import { file, outline, parsed, scripts } from "./kindFixture";

const sysctl = { "vm.overcommit_memory": "2", "net.ipv4.tcp_wmem": "4096 16384 4194304" };
const want: HostKernelInputs = {
  kind: "HostKernel",
  pending: [],
  reach: {},
  host: "pg3",
  sysctl,
  sysctlAtBoot: sysctl,
  transparentHugePages: "never",
  transparentHugePagesAtBoot: "never",
};
const SYSCTL = "net.ipv4.tcp_wmem = 4096 16384 4194304\nvm.overcommit_memory = 2\n";
const PAGES = "w /sys/kernel/mm/transparent_hugepage/enabled - - - - never\n";
const converged: HostKernelFacts = {
  kernel: { sysctl, fixed: [], transparentHugePages: "never" },
  sysctlFile: file(`# by us\n${SYSCTL}`),
  pagesFile: file(PAGES),
};
const kernel = (over: Partial<KernelFact>): HostKernelFacts => ({
  ...converged,
  kernel: { ...converged.kernel, ...over },
});
const projected = (have: HostKernelFacts): HostKernelInputs => hostKernelKind.project(want, have).inputs;

test("a host that is as wanted needs nothing and shows what was asked for", () => {
  expect(hostKernelKind.plan(want, converged)).toEqual([]);
  expect(projected(converged)).toEqual(want);
});

test("a host that was never set gets both files, then the settings", () => {
  const bare = {
    kernel: { sysctl: { ...sysctl, "vm.overcommit_memory": "0" }, fixed: [], transparentHugePages: "madvise" },
    sysctlFile: undefined,
    pagesFile: undefined,
  };
  const actions = hostKernelKind.plan(want, bare);
  expect(outline(actions)).toEqual([`putFile ${FILES.sysctl}`, `putFile ${FILES.pages}`, "run", "run"]);
  expect(actions.map(({ why }) => why).slice(2)).toEqual([
    "vm.overcommit_memory is 0, wanted 2",
    "transparent huge pages are madvise, wanted never",
  ]);
  expect(actions.flatMap((action) => (action.do === "putFile" ? [action.content.split("\n").slice(1)] : []))).toEqual([
    SYSCTL.split("\n"),
    PAGES.split("\n"),
  ]);
  expect(scripts(actions)).toBe(
    "printf '%s\\n' '2' >'/proc/sys/vm/overcommit_memory'\nprintf '%s\\n' 'never' >/sys/kernel/mm/transparent_hugepage/enabled",
  );
});

describe("what somebody changed is one property, and only that is put back", () => {
  test.each<[string, HostKernelFacts, Partial<HostKernelInputs>, string[]]>([
    [
      "a value now",
      kernel({ sysctl: { ...sysctl, "vm.overcommit_memory": "1" } }),
      { sysctl: { ...sysctl, "vm.overcommit_memory": "1" } },
      ["run"],
    ],
    ["huge pages now", kernel({ transparentHugePages: "always" }), { transparentHugePages: "always" }, ["run"]],
    [
      "a value at boot",
      { ...converged, sysctlFile: file(SYSCTL.replace("= 2", "= 1")) },
      { sysctlAtBoot: { ...sysctl, "vm.overcommit_memory": "1" } },
      [`putFile ${FILES.sysctl}`],
    ],
    [
      "one more at boot",
      { ...converged, sysctlFile: file(`${SYSCTL}vm.swappiness=1\n`) },
      { sysctlAtBoot: { ...sysctl, "vm.swappiness": "1" } },
      [`putFile ${FILES.sysctl}`],
    ],
    [
      "the file for boot is gone",
      { ...converged, sysctlFile: undefined },
      { sysctlAtBoot: {} },
      [`putFile ${FILES.sysctl}`],
    ],
    [
      "huge pages at boot",
      { ...converged, pagesFile: undefined },
      { transparentHugePagesAtBoot: undefined },
      [`putFile ${FILES.pages}`],
    ],
  ])("%s", (_, have, differs, actions) => {
    expect(projected(have)).toEqual({ ...want, ...differs });
    expect(outline(hostKernelKind.plan(want, have))).toEqual(actions);
  });
});

test("a setting that is no longer named leaves the file; the last one takes it with it", () => {
  const { transparentHugePages: _, transparentHugePagesAtBoot: __, ...rest } = want;
  const fewer = { "vm.overcommit_memory": "2" };
  const less = { ...rest, sysctl: fewer, sysctlAtBoot: fewer };
  expect(outline(hostKernelKind.plan(less, converged))).toEqual([`putFile ${FILES.sysctl}`, "run"]);
  expect(scripts(hostKernelKind.plan(less, converged))).toBe(`'rm' '-f' '${FILES.pages}'`);
});

test("deleted, its files go; deleted again, nothing happens", () => {
  const claims: Claims = [];
  const both = scripts(hostKernelKind.planDelete(converged, want, claims));
  expect(both).toContain(FILES.sysctl);
  expect(both).toContain(FILES.pages);
  const gone = { ...converged, sysctlFile: undefined, pagesFile: undefined };
  expect(hostKernelKind.planDelete(gone, want, claims)).toEqual([]);
});

describe("before anything is done, a preview refuses", () => {
  const refusals = (have: KernelFact): string[] =>
    kernelProblems({ sysctl, transparentHugePages: "never" }, have, undefined);
  const { kernel: fine } = converged;

  test("a setting that the kernel does not have", () => {
    const { "vm.overcommit_memory": _, ...others } = sysctl;
    expect(refusals({ ...fine, sysctl: others })).toEqual([
      "its kernel has no setting vm.overcommit_memory (there is no /proc/sys/vm/overcommit_memory); take it out of this host's 'kernel'",
    ]);
  });

  test("one that cannot be changed there, unless it is as wanted", () => {
    const fixed = ["vm.overcommit_memory", "net.ipv4.tcp_wmem"];
    const have = { ...fine, fixed, sysctl: { ...sysctl, "vm.overcommit_memory": "0" } };
    const [problem, ...others] = refusals(have);
    expect(problem).toMatch(/^vm\.overcommit_memory is 0, wanted 2, and cannot be changed there: .*read-only/);
    expect(others).toEqual([]);
  });

  test("nothing of a host that is as wanted", () => expect(refusals(fine)).toEqual([]));
});

describe("TuneD's profile", () => {
  const tuned = parsed(
    tunedProbe,
    "active active\nenabled enabled\nprofile throughput-performance\nknown postgresql\nknown throughput-performance\n",
  );
  const wanted = { ...want, tunedProfile: "throughput-performance" };
  const have = (over: Partial<TunedFact>): HostKernelFacts => ({
    ...converged,
    tuned: { ...(tuned as TunedFact), ...over },
  });

  test("is looked at only where the inventory names one", () => {
    expect(hostKernelKind.plan(wanted, have({}))).toEqual([]);
    expect(hostKernelKind.project(wanted, have({})).inputs).toEqual(wanted);
    expect(hostKernelKind.plan(want, have({ profile: "powersave" }))).toEqual([]);
    expect(projected(have({ profile: "powersave" }))).toEqual(want);
  });

  test.each<[Partial<TunedFact>, string, string]>([
    [{ profile: "powersave" }, "powersave", "powersave"],
    [{ profile: "" }, "", "not chosen"],
    [{ isActive: false }, "throughput-performance (tuned.service does not run)", ""],
    [{ isEnabled: false }, "throughput-performance (tuned.service does not start with the host)", ""],
  ])("%p is shown, and put right before the settings are", (over, shown, said) => {
    expect(hostKernelKind.project(wanted, have(over)).inputs.tunedProfile).toBe(shown);
    const off = { ...have(over), kernel: { ...converged.kernel, sysctl: { ...sysctl, "vm.overcommit_memory": "0" } } };
    const actions = hostKernelKind.plan(wanted, off);
    expect(actions.map(({ why }) => why)).toEqual([
      `TuneD's profile is ${said || shown}, wanted throughput-performance`,
      "vm.overcommit_memory is 0, wanted 2",
    ]);
    expect(scripts(actions.slice(0, 1))).toBe(
      "systemctl enable -q --now tuned.service\n'tuned-adm' 'profile' 'throughput-performance'",
    );
  });

  test("is refused by a preview where TuneD is not installed, or does not know it", () => {
    const problems = (profile: string, has: TunedFact | undefined): string[] =>
      kernelProblems({ sysctl: {}, tunedProfile: profile }, converged.kernel, has);
    expect(problems("postgresql throughput-performance", tuned)).toEqual([]);
    expect(problems("postgresql fast", tuned)).toEqual([
      "TuneD has no profile fast; it has postgresql, throughput-performance",
    ]);
    const [none] = problems("postgresql", parsed(tunedProbe, ""));
    expect(none).toMatch(/^TuneD is not installed.*wants its profile postgresql.*sudo dnf install tuned/);
  });
});

test("the question, asked of this machine's own kernel, finds what its files hold", () => {
  const probe = kernelProbe(["kernel.ostype", "net.ipv4.ip_local_port_range", "vm.no_such_thing"]);
  const { status, stdout, stderr } = spawnSync("sh", ["-s"], { input: probe.script, encoding: "utf8" });
  const found = probe.parse({ code: status ?? -1, stdout, stderr }, { from: 0, to: 0 });
  expect(found.sysctl).toEqual({
    "kernel.ostype": "Linux",
    "net.ipv4.ip_local_port_range": readFileSync("/proc/sys/net/ipv4/ip_local_port_range", "utf8")
      .trim()
      .replace(/\s+/, " "),
  });
  expect(found.fixed).toContain("kernel.ostype");
});
