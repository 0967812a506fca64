import { fileProbe, type FileFact } from "../facts/file";
import { kernelProbe, type KernelFact } from "../facts/kernel";
import { FILES, planKernel, planKernelDelete, savedPages, savedSysctl } from "./hostKernelPlan";
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
}

export interface HostKernelFacts {
  readonly kernel: KernelFact;
  readonly sysctlFile: FileFact | undefined;
  readonly pagesFile: FileFact | undefined;
}

/** Settings of a host's kernel that the inventory names: now, and at every boot. No other is looked at. */
export const hostKernelKind: Kind<HostKernelInputs, HostKernelFacts, object> = {
  name: "HostKernel",
  managed: ["host", "sysctl", "sysctlAtBoot", "transparentHugePages", "transparentHugePagesAtBoot"],
  identity: ["host"],
  id: ({ host }) => `${host}/kernel`,

  // The inventory's own check has judged every name and value, and Preflight asks the kernels.
  validate: () => [],

  async observe(ctx, { host, sysctl }) {
    const [kernel, sysctlConf, pagesConf] = await Promise.all([
      ctx.ask(host, kernelProbe(Object.keys(sysctl).sort())),
      ctx.ask(host, fileProbe(FILES.sysctl)),
      ctx.ask(host, fileProbe(FILES.pages)),
    ]);
    return { kernel, sysctlFile: sysctlConf, pagesFile: pagesConf };
  },

  // The kernel has always some value.
  isAbsent: () => false,

  plan: planKernel,

  project(inputs, { kernel, sysctlFile: saved, pagesFile }) {
    const { transparentHugePages: wanted, transparentHugePagesAtBoot: _, ...rest } = inputs;
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
      },
      outputs: {},
    };
  },

  planDelete: planKernelDelete,
};
