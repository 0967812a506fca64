import type { HbaRule } from "../config/types";

/** One line of pg_hba.conf; words that pg_hba.conf would read otherwise are quoted. */
export function hbaLine(rule: HbaRule): string {
  const options = Object.entries(rule.options ?? {}).map(([name, value]) => `${name}=${option(value)}`);
  const fields = [rule.type, words(rule.database), words(rule.user), rule.address, rule.method, ...options];
  return fields.filter((field) => field !== undefined).join(" ");
}

function option(value: string): string {
  return /^[\w.+@/:-]+$/.test(value) ? value : `"${value}"`;
}

function words(list: string): string {
  return list
    .split(",")
    .map((word) => (/^[\w.+@-]+$/.test(word) ? word : `"${word.replaceAll('"', "")}"`))
    .join(",");
}
