import { shJoin, sh } from "../ssh/quote";
import { CLOSED, READ, STAT } from "./file";
import type { Probe, Together } from "./probe";
import { PROPERTIES } from "./unit";

type Numbered<K extends Together["of"]> = Extract<Together, { of: K }> & { readonly number: number };

/**
 * Shell, each to be run in a subshell: the framed answers of all probes that say of themselves what they ask about (Probe.together),
 * a few processes for all of a kind. They need what batchScript (loader.ts) has: $work, and answered(). The answers are in
 * the files of ANSWERS there.
 * @param boundary that frames an answer
 * @param probes with the number that names the answer
 */
export function togetherScripts(
  boundary: string,
  probes: readonly (Pick<Probe<unknown>, "together"> & { readonly number: number })[],
): string[] {
  const all = probes.flatMap(({ together, number }) => (together === undefined ? [] : [{ ...together, number }]));
  const files = all.filter((asked) => asked.of === "file");
  const units = all.filter((asked) => asked.of === "unit");
  return [
    ...(files.length === 0 ? [] : [filesScript(boundary, files)]),
    ...(units.length === 0 ? [] : [unitsScript(boundary, units)]),
  ];
}

/** In $work; they have to be there before. */
export const ANSWERS = ["texts", "frames", "units"];

/**
 * Shell: the answers of fileProbe about many files, with two processes for all of them: one stat, which speaks of those that
 * exist in their order, and one cat. What came up or went meanwhile is looked at singly.
 * @param boundary that frames an answer
 * @param files with the number that names the answer
 */
function filesScript(boundary: string, files: readonly Numbered<"file">[]): string {
  const names = files.map(({ number }) => `"$f${number}"`);
  return `${CLOSED}
alone() {
  f=$2
  printf %s '${boundary}' >"$work/$1.err"
  ( ${READ} ) >"$work/$1.out" 2>>"$work/$1.err"
  answered "$1" $?
  cat "$work/$1.head" "$work/$1.out" "$work/$1.err" >>"$work/frames"
}
listed() {
  if [ "\${line#* * * }" = "$2" ]; then
    printf '%s %s 0\\n%s\\n' '${boundary}' "$1" "\${line%" $2"}" >"$work/$1.head"
    line= && IFS= read -r line || :
  elif [ -e "$2" ] || closed "$2" 2>/dev/null; then
    alone "$1" "$2" && false
  else
    printf '%s %s 44\\n%s%s\\n' '${boundary}' "$1" '${boundary}' '${boundary}' >>"$work/frames" && false
  fi
}
printf '%s%s\\n' '${boundary}' '${boundary}' >"$work/end"
${files.map(({ number, path }) => `f${number}=${sh(path)}`).join("\n")}
stat -c '${STAT} %n' ${names.join(" ")} 2>/dev/null | {
  line= && IFS= read -r line
  set --
${files.map(({ number }, index) => `  if listed ${number} ${names[index]}; then set -- "$@" "$work/${number}.head" ${names[index]} "$work/end"; fi`).join("\n")}
  [ $# = 0 ] || cat "$@" >"$work/texts" 2>/dev/null || {
    : >"$work/texts" >"$work/frames"
    ${files.map(({ number }, index) => `alone ${number} ${names[index]}`).join("\n    ")}
  }
}`;
}

/**
 * Shell: the answers of unitProbe about many units, with one systemctl, which tells of them in their order with an empty line
 * between two. What only services have, it leaves out of timers.
 */
function unitsScript(boundary: string, units: readonly Numbered<"unit">[]): string {
  return `code=0
systemctl show --timestamp=us+utc -p ${PROPERTIES.join(",")} ${shJoin(units.map(({ unit }) => unit))} >"$work/shown" 2>"$work/trouble" || code=$?
unit() {
  printf '%s %s %s\\n' '${boundary}' "$1" $code
  while IFS= read -r line && [ -n "$line" ]; do printf '%s\\n' "$line"; done
  [ $# = 1 ] || { pid= && [ ! -e "$2" ] || read -r pid <"$2" || :; printf 'PidFile=%s\\n' "$pid"; }
  printf '%s' '${boundary}'
  [ $code = 0 ] || cat "$work/trouble"
  echo '${boundary}'
}
{
${units.map(({ number, pidFile }) => `  unit ${shJoin([`${number}`, ...(pidFile === undefined ? [] : [pidFile])])}`).join("\n")}
} <"$work/shown" >"$work/units"`;
}
