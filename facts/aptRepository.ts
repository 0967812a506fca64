import type { KeyedRepository } from "../config/types";
import { repositoryFiles } from "./aptFiles";
import { sh, shJoin } from "../ssh/quote";
import { parsePackages } from "./aptPackages";
import type { RepositoryFact } from "./packages";
import type { Probe } from "./probe";

/**
 * Tries a repository that is not set up yet: address, signature and packages, all by apt itself, in a directory that is
 * removed again.
 */
export function repositoryProbe(repository: KeyedRepository, packages: readonly string[]): Probe<RepositoryFact> {
  const { key, source } = repositoryFiles(repository);
  return {
    key: `repository ${JSON.stringify(repository)} ${packages.join(" ")}`,
    script: `set -- ${shJoin(packages)}
command -v dpkg-query >/dev/null || exit 0
dir=$(mktemp -d) || exit
trap 'rm -rf "$dir"' EXIT
printf %s ${sh(key.content)} >"$dir/key.asc"
printf %s ${sh(source.content)} | sed "s|^Signed-By: .*|Signed-By: $dir/key.asc|" >"$dir/new.sources"
mkdir -p "$dir/lists/partial" "$dir/cache"
apt() {
  command=$1; shift
  timeout 30 "$command" -o Dir::Etc::sourcelist="$dir/new.sources" -o Dir::Etc::sourceparts=- -o Dir::State::lists="$dir/lists" \\
    -o Dir::Cache="$dir/cache" -o APT::Sandbox::User=root -o Acquire::Retries=0 -o Acquire::http::Timeout=5 "$@"
}
if said=$(apt apt-get -q update -o APT::Update::Error-Mode=any 2>&1); then apt apt-cache policy "$@"
else printf '%s\\n' "$said" | grep '^[EW]: ' | head -n 3 | sed 's/^/problem=/'; echo problem=; fi`,
    parse({ code, stdout, stderr }) {
      if (code !== 0) throw new Error(`exit status ${code}: ${stderr.trim()}`);
      const said = stdout.split("\n").filter((line) => line.startsWith("problem="));
      const problem = said
        .map((line) => line.slice("problem=".length))
        .join(" ")
        .trim();
      const { candidates } = parsePackages(packages, stdout);
      return { problem: said.length > 0 ? problem || "apt-get update failed without a word" : "", candidates };
    },
  };
}
