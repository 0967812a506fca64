import { fileProbe, type FileFact } from "../facts/file";
import { kernelProbe, type KernelFact, TRANSPARENT_HUGE_PAGES, sysctlFile, THP_FILE } from "../facts/kernel";
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

  // The inventory's own check has judged every name and value.
  validate: () => [],

  async preflight(ctx, inputs) {
    const found = await hostKernelKind.observe(ctx, inputs).catch(() => undefined);
    // A host that does not answer is the Preflight's business.
    return found === undefined ? [] : problems(inputs, found.kernel);
  },

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

/** What this kernel lacks, or shows without letting anybody change it. */
function problems({ host, sysctl, transparentHugePages }: HostKernelInputs, have: KernelFact): string[] {
  const wanted = { ...sysctl, ...(transparentHugePages && { [TRANSPARENT_HUGE_PAGES]: transparentHugePages }) };
  const found: Readonly<Record<string, string | undefined>> = {
    ...have.sysctl,
    [TRANSPARENT_HUGE_PAGES]: have.transparentHugePages,
  };
  return Object.entries(wanted).flatMap(([name, value]) => {
    const file = name === TRANSPARENT_HUGE_PAGES ? THP_FILE : sysctlFile(name);
    const now = found[name];
    if (now === undefined) {
      return [`${host}: its kernel has no setting ${name} (there is no ${file}); take it out of this host's 'kernel'`];
    }
    if (now === value || !have.fixed.includes(name)) return [];
    return [
      `${host}: ${name} is ${now}, wanted ${value}, and cannot be changed there: ${file} is read-only, as in a container. ` +
        "Set it on the machine below, or take it out of this host's 'kernel'",
    ];
  });
}
