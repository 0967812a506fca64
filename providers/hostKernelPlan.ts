import { type Action, asRoot } from "../actions/action";
import type { FileFact } from "../facts/file";
import { sysctlFile, THP_FILE, words } from "../facts/kernel";
import type { TunedFact } from "../facts/tuned";
import { sh, shJoin } from "../ssh/quote";
import { equal } from "./canonical";
import type { HostKernelFacts, HostKernelInputs } from "./hostKernel";

/** Read at boot by systemd-sysctl and systemd-tmpfiles. The first is the last by name, so that no other file overrides it. */
export const FILES = {
  sysctl: "/etc/sysctl.d/zz-repmgr-pulumi.conf",
  pages: "/etc/tmpfiles.d/repmgr-pulumi.conf",
} as const;

const HEAD = `# Written by repmgr-pulumi. Changes made here are undone by the next "pulumi up".\n`;

/** Files first: what is cut between them and the kernel is seen as a difference and set by the next run. */
export function planKernel(want: HostKernelInputs, have: HostKernelFacts): Action[] {
  const { host } = want;
  const { sysctl, transparentHugePages: pages } = have.kernel;
  const differing = Object.entries(want.sysctl).filter(([name, value]) => sysctl[name] !== value);
  const set = differing.map(([name, value]): Action => {
    const why = `${name} is ${sysctl[name] ?? "not there"}, wanted ${value}`;
    return { do: "run", host, why, script: `printf '%s\\n' ${sh(value)} >${sh(sysctlFile(name))}` };
  });
  const wanted = want.transparentHugePages;
  if (wanted !== undefined && wanted !== pages) {
    const why = `transparent huge pages are ${pages ?? "not there"}, wanted ${wanted}`;
    set.push({ do: "run", host, why, script: `printf '%s\\n' ${sh(wanted)} >${THP_FILE}` });
  }
  return asRoot([...planFiles(want, have), ...planProfile(want, have), ...set]);
}

/** Before the settings: TuneD sets many, and then those of sysctl.d again (tuned-main.conf, reapply_sysctl). */
function planProfile({ host, tunedProfile: wanted }: HostKernelInputs, { tuned }: HostKernelFacts): Action[] {
  const found = shownProfile(tuned);
  if (wanted === undefined || found === wanted) return [];
  const why = `TuneD's profile is ${found === "" ? "not chosen" : found}, wanted ${wanted}`;
  const script = `systemctl enable -q --now tuned.service\n${shJoin(["tuned-adm", "profile", ...wanted.split(" ")])}`;
  return [{ do: "run", host, why, script }];
}

/** The profile, and what keeps it from being applied now or after a boot. */
export function shownProfile(tuned: TunedFact | undefined): string {
  if (tuned === undefined) return "none, TuneD is not installed";
  if (!tuned.isActive) return `${tuned.profile} (tuned.service does not run)`.trim();
  return tuned.isEnabled ? tuned.profile : `${tuned.profile} (tuned.service does not start with the host)`.trim();
}

/** What is set stays as it is until the host boots: nobody can know what it was before. */
export function planKernelDelete(have: HostKernelFacts, { host }: HostKernelInputs): Action[] {
  const files = [have.sysctlFile && FILES.sysctl, have.pagesFile && FILES.pages].filter((f) => f !== undefined);
  if (files.length === 0) return [];
  const why = `settings of the kernel are no longer managed: remove ${files.join(", ")}; they stay as they are until ${host} boots`;
  return asRoot([{ do: "run", host, why, script: shJoin(["rm", "-f", ...files]) }]);
}

function planFiles(want: HostKernelInputs, have: HostKernelFacts): Action[] {
  const { sysctlAtBoot, transparentHugePagesAtBoot: pages } = want;
  const lines = Object.entries(sysctlAtBoot).map(([name, value]) => `${name} = ${value}\n`);
  return [
    ...planFile(want.host, FILES.sysctl, lines.sort().join(""), have.sysctlFile, () =>
      equal(savedSysctl(have.sysctlFile), sysctlAtBoot),
    ),
    ...planFile(want.host, FILES.pages, pages === undefined ? "" : `${pagesLine(pages)}\n`, have.pagesFile, () => {
      return savedPages(have.pagesFile) === pages;
    }),
  ];
}

/** @param content "": there shall be no such file */
function planFile(
  host: string,
  path: string,
  content: string,
  file: FileFact | undefined,
  holds: () => boolean,
): Action[] {
  if (content === "") {
    if (file === undefined) return [];
    return [{ do: "run", host, why: `${path} sets nothing any more`, script: shJoin(["rm", "-f", path]) }];
  }
  if (file !== undefined && holds() && file.owner === "root:root" && file.mode === "0644") return [];
  const why = file === undefined ? `the next boot shall set it, too: ${path}` : `${path} differs`;
  const put = { do: "putFile", host, why, path, content: HEAD + content, owner: "root:root", mode: "0644" } as const;
  return [{ ...put, found: file?.content ?? null }];
}

/** What the file sets at boot. */
export function savedSysctl(file: FileFact | undefined): Record<string, string> {
  const lines = (file?.content ?? "").split("\n").flatMap((line) => {
    const [, name, value] = /^\s*([^#;=\s]+)\s*=(.*)$/.exec(line) ?? [];
    return name === undefined || value === undefined ? [] : [[name, words(value)] as const];
  });
  return Object.fromEntries(lines);
}

/** What the file makes of transparent huge pages at boot (tmpfiles.d(5)). */
export function savedPages(file: FileFact | undefined): string | undefined {
  const [line = ""] = (file?.content ?? "").split("\n").filter((text) => text.startsWith("w "));
  const value = line.split(/\s+/).at(-1);
  return value !== undefined && line === pagesLine(value) ? value : undefined;
}

function pagesLine(value: string): string {
  return `w ${THP_FILE} - - - - ${value}`;
}
