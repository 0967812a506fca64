import type { KeyedRepository } from "../config/types";
import { sh, shJoin } from "../ssh/quote";
import { repositoryFiles } from "./dnfFiles";
import type { PackagesFact, RepositoryFact } from "./packages";
import type { Probe } from "./probe";

/** A mirror that does not answer must not hold a preview up for dnf's own minutes. */
const ASK_SECONDS = 60;

/** Prints "candidate <name> <version>"; a module of the distribution would hide them, and is looked at for itself. */
const QUERY = `repoquery --disable-modular-filtering --latest-limit=1 --qf 'candidate %{name} %{evr}\\n'`;

/**
 * rpm knows no state between: a package whose installation was cut is not in its database, and is installed over. Of
 * modules (dnf(8), "Module Command") one that a person enabled always counts, the distribution's default while a package
 * is missing: only dnf itself can tell that one exists, and it takes its time.
 */
export function packagesProbe(names: readonly string[]): Probe<PackagesFact> {
  return {
    key: `packages ${names.join(" ")}`,
    nothing: parsePackages(names, ""),
    script: `set -- ${shJoin(names)}
command -v rpm >/dev/null || exit 0
found=$(rpm -q --qf 'package installed %{NAME} %|EPOCH?{%{EPOCH}:}|%{VERSION}-%{RELEASE}\\n' "$@" | grep '^package installed ')
printf '%s\\n' "$found"
module=$(sed -n 's/^state=//p' /etc/dnf/modules.d/postgresql.module 2>/dev/null)
[ "$module" != enabled ] || echo "hiding=postgresql $(sed -n 's/^stream=//p' /etc/dnf/modules.d/postgresql.module) is enabled"
[ "$(printf '%s\\n' "$found" | grep -c .)" != $# ] || exit 0
if [ -z "$module" ]; then
  timeout ${ASK_SECONDS} dnf -q module list postgresql 2>/dev/null | sed -n 's/^postgresql  *\\([^ ]*\\) \\[d\\].*/hiding=postgresql \\1 is the default/p'
fi
timeout ${ASK_SECONDS} dnf -q ${QUERY} "$@" || exit 0`,
    parse({ code, stdout, stderr }) {
      if (code !== 0) throw new Error(`exit status ${code}: ${stderr.trim()}`);
      return parsePackages(names, stdout);
    },
  };
}

export function parsePackages(names: readonly string[], text: string): PackagesFact {
  const found = new Map<string, string>();
  let hiding: string | undefined;
  for (const line of text.split("\n")) {
    const [, name = "", version = ""] = /^package installed (\S+) (\S+)$/.exec(line) ?? [];
    if (name !== "") found.set(name, version);
    hiding ??= /^hiding=(.+)$/.exec(line)?.[1];
  }
  return {
    packages: names.map((name) => {
      const version = found.get(name);
      return version === undefined ? { name, state: "absent", version: "" } : { name, state: "installed", version };
    }),
    isInterrupted: false,
    candidates: candidatesOf(text),
    ...(hiding === undefined ? {} : { hiding }),
  };
}

function candidatesOf(text: string): Record<string, string> {
  return Object.fromEntries(
    [...text.matchAll(/^candidate (\S+) (\S+)$/gm)].map(([, name = "", version = ""]) => [name, version]),
  );
}

/** Asks a repository that is not set up yet, by dnf itself, in a directory that is removed again. */
export function repositoryProbe(repository: KeyedRepository, packages: readonly string[]): Probe<RepositoryFact> {
  const { source } = repositoryFiles(repository);
  return {
    key: `repository ${JSON.stringify(repository)} ${packages.join(" ")}`,
    script: `set -- ${shJoin(packages)}
command -v rpm >/dev/null || exit 0
dir=$(mktemp -d) || exit
trap 'rm -rf "$dir"' EXIT
printf %s ${sh(source.content)} >"$dir/new.repo"
if said=$(timeout ${ASK_SECONDS} dnf -q --setopt=reposdir="$dir" --setopt=cachedir="$dir/cache" --setopt=timeout=5 --setopt=retries=1 \\
  ${QUERY} "$@" 2>"$dir/said"); then printf '%s\\n' "$said"
else grep . "$dir/said" | tail -n 3 | sed 's/^/problem=/'; echo problem=; fi`,
    parse({ code, stdout, stderr }) {
      if (code !== 0) throw new Error(`exit status ${code}: ${stderr.trim()}`);
      const said = stdout.split("\n").flatMap((line) => /^problem=(.*)$/.exec(line)?.slice(1) ?? []);
      const problem = said.length > 0 ? said.join(" ").trim() || "dnf failed without a word" : "";
      return { problem, candidates: candidatesOf(stdout) };
    },
  };
}
