import { shJoin } from "../ssh/quote";
import type { PackageFact, PackagesFact } from "./packages";
import type { Probe } from "./probe";

/** While an installation changes the lists under its hands, apt-cache finds them "out of sync", for a second or so. */
const CACHE_TRIES = 20;

export function packagesProbe(names: readonly string[]): Probe<PackagesFact> {
  return {
    key: `packages ${names.join(" ")}`,
    nothing: parsePackages(names, ""),
    script: `set -- ${shJoin(names)}
command -v dpkg-query >/dev/null || exit 0
[ -z "$(ls /var/lib/dpkg/updates)" ] || echo interrupted
found=$(dpkg-query -W -f='package \${db:Status-Status} \${Package} \${Version}\\n' "$@" 2>/dev/null)
printf '%s\\n' "$found"
[ "$(printf '%s\\n' "$found" | grep -c '^package installed ')" != $# ] || exit 0
until said=$(apt-cache policy "$@" 2>&1); do
  tries=$((\${tries:-0} + 1))
  [ $tries -lt ${CACHE_TRIES} ] || { printf '%s\\n' "$said" >&2; exit 100; }
  sleep 0.5
done
printf '%s\\n' "$said"`,
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
