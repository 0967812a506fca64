import { z } from "zod";
import type { NameRule } from "./defaults";
import { named } from "./schemaParts";

const SYSCTL_NAME: NameRule = {
  pattern: /^(fs|kernel|net|vm)(\.[A-Za-z0-9_-]+)+$/,
  rule: "a setting of the kernel such as vm.overcommit_memory, below fs, kernel, net or vm",
};

const WORDS = /^[^\s\u0000-\u001f\u007f]+( [^\s\u0000-\u001f\u007f]+)*$/;

const PROFILES = /^[A-Za-z0-9_][\w.-]*( [A-Za-z0-9_][\w.-]*)*$/;

export const kernelSchema = z
  .strictObject({
    sysctl: named(
      SYSCTL_NAME,
      z.union([z.number(), z.string().regex(WORDS)], {
        error: "expected a number, or words with single spaces between",
      }),
    )
      .optional()
      .describe(
        "Settings of the kernel by name, now and at every boot: vm.overcommit_memory, vm.dirty_background_bytes, " +
          "vm.nr_hugepages, net.ipv4.tcp_keepalive_time and so on.",
      ),
    transparent_huge_pages: z
      .enum(["always", "madvise", "never"])
      .optional()
      .describe("What the kernel does with transparent huge pages, now and at every boot."),
    tuned_profile: z
      .string()
      .regex(PROFILES, { error: "expected a profile of TuneD, or several with single spaces between" })
      .optional()
      .describe("The profile of TuneD (tuned-adm profile), now and at every boot; TuneD has to be installed there."),
  })
  .describe("Settings of a host's kernel. Those that are not named are neither looked at nor changed.");

export type RawKernel = z.infer<typeof kernelSchema>;
