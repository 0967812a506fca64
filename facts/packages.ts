import { shJoin } from "../ssh/quote";
import type { Probe } from "./probe";

export interface PackageFact {
  readonly name: string;
  /** "broken": unpacked but never configured, because dpkg was cut. */
  readonly state: "installed" | "broken" | "absent";
  /** "" when absent. */
  readonly version: string;
}

export interface PackagesFact {
  /** In the order asked for. */
  readonly packages: readonly PackageFact[];
  /** dpkg was cut in the middle of something and refuses to work until it is repaired. */
  readonly isInterrupted: boolean;
  /** What apt would install, by name; asked only about packages that are not installed. */
  readonly candidates: Readonly<Record<string, string>>;
}

export function packagesProbe(names: readonly string[]): Probe<PackagesFact> {
  return {
    key: `packages ${names.join(" ")}`,
    nothing: parsePackages(names, ""),
    script: `set -- ${shJoin(names)}
[ -z "$(ls /var/lib/dpkg/updates)" ] || echo interrupted
found=$(dpkg-query -W -f='package \${db:Status-Status} \${Package} \${Version}\\n' "$@" 2>/dev/null)
printf '%s\\n' "$found"
[ "$(printf '%s\\n' "$found" | grep -c '^package installed ')" = $# ] || apt-cache policy "$@"`,
    parse({ code, stdout, stderr }) {
      if (code !== 0) throw new Error(`exit status ${code}: ${stderr.trim()}`);
      return parsePackages(names, stdout);
    },
  };
}

export function parsePackages(names: readonly string[], text: string): PackagesFact {
  const lines = text.split("\n");
  const found = new Map<string, PackageFact>();
  const candidates: Record<string, string> = {};
  let about = "";
  for (const line of lines) {
    const [, status = "", name = "", version = ""] = /^package (\S+) (\S+) ?(.*)$/.exec(line) ?? [];
    if (name !== "") found.set(name, { name, ...stateOf(status, version) });
    about = /^(\S+):$/.exec(line)?.[1] ?? about;
    const candidate = /^  Candidate: (\S+)/.exec(line)?.[1];
    if (candidate !== undefined && candidate !== "(none)") candidates[about] = candidate;
  }
  return {
    packages: names.map((name) => found.get(name) ?? { name, state: "absent", version: "" }),
    isInterrupted: lines.includes("interrupted"),
    candidates,
  };
}

/** dpkg-query(1): not-installed, config-files, half-installed, unpacked, half-configured, triggers-*, installed. */
function stateOf(status: string, version: string): Omit<PackageFact, "name"> {
  if (status === "not-installed" || status === "config-files") return { state: "absent", version: "" };
  const isInstalled = status === "installed" || status.startsWith("triggers-");
  return { state: isInstalled ? "installed" : "broken", version };
}
