import { fileProbe, type FileFact } from "../facts/file";
import { kernelProbe, type KernelFact } from "../facts/kernel";
import { type TunedFact, tunedProbe } from "../facts/tuned";
import { FILES, planKernel, planKernelDelete, savedPages, savedSysctl, shownProfile } from "./hostKernelPlan";
import type { BaseInputs, Kind } from "./kind";

export interface HostKernelInputs extends BaseInputs {
  readonly host: string;
  /** As the kernel has them now: "vm.overcommit_memory": "2". */
  readonly sysctl: Readonly<Record<string, string>>;
  /** As the next boot sets them; the program writes the same. */
  readonly sysctlAtBoot: Readonly<Record<string, string>>;
  /** "never" */
  readonly transparentHugePages?: string;
  /** As the next boot sets it; the program writes the same. */
  readonly transparentHugePagesAtBoot?: string;
  /** TuneD's profile; a host may show that nothing applies it. */
  readonly tunedProfile?: string;
}

export interface HostKernelFacts {
  readonly kernel: KernelFact;
  readonly sysctlFile: FileFact | undefined;
  readonly pagesFile: FileFact | undefined;
  /** Absent: nobody asked for it, or it is not installed. */
  readonly tuned?: TunedFact;
}

/** Settings of a host's kernel that the inventory names: now, and at every boot. No other is looked at. */
export const hostKernelKind: Kind<HostKernelInputs, HostKernelFacts, object> = {
  name: "HostKernel",
  managed: ["host", "sysctl", "sysctlAtBoot", "transparentHugePages", "transparentHugePagesAtBoot", "tunedProfile"],
  identity: ["host"],
  id: ({ host }) => `${host}/kernel`,

  // The inventory's own check has judged every name and value, and Preflight asks the kernels.
  validate: () => [],

  async observe(ctx, { host, sysctl, tunedProfile }) {
    const [kernel, sysctlConf, pagesConf, tuned] = await Promise.all([
      ctx.ask(host, kernelProbe(Object.keys(sysctl).sort())),
      ctx.ask(host, fileProbe(FILES.sysctl)),
      ctx.ask(host, fileProbe(FILES.pages)),
      tunedProfile === undefined ? undefined : ctx.ask(host, tunedProbe),
    ]);
    return { kernel, sysctlFile: sysctlConf, pagesFile: pagesConf, ...(tuned && { tuned }) };
  },

  // The kernel has always some value.
  isAbsent: () => false,

  plan: planKernel,

  project(inputs, { kernel, sysctlFile: saved, pagesFile, tuned }) {
    const { transparentHugePages: wanted, transparentHugePagesAtBoot: _, tunedProfile, ...rest } = inputs;
    const pages = savedPages(pagesFile);
    return {
      inputs: {
        ...rest,
        sysctl: kernel.sysctl,
        sysctlAtBoot: savedSysctl(saved),
        ...(wanted === undefined || kernel.transparentHugePages === undefined
          ? {}
          : { transparentHugePages: kernel.transparentHugePages }),
        ...(pages === undefined ? {} : { transparentHugePagesAtBoot: pages }),
        ...(tunedProfile === undefined ? {} : { tunedProfile: shownProfile(tuned) }),
      },
      outputs: {},
    };
  },

  planDelete: planKernelDelete,
};
