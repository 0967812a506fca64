import { justNow } from "./kindFixture";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { ProbeAnswer } from "../../facts/probe";
import { type AskHost, discover } from "../../scripts/adopt/discover";
import type { Found, Target } from "../../scripts/adopt/found";
import { problemsOf } from "../../scripts/adopt/problems";

/** Host, question, answer: what hosts of the lab said of a cluster that a script of test/e2e/handMade had built. */
export type Recorded = Record<string, Record<string, ProbeAnswer>>;

export function recorded(how: "debian" | "playbook"): Recorded {
  const path = join(__dirname, "recorded", `adopt-${how}.json`);
  return JSON.parse(readFileSync(path, "utf8")) as Recorded;
}

export const TARGETS: readonly Target[] = ["pg1", "pg2", "pg3"].map((name) => ({
  name,
  address: `198.18.3.1${name.slice(-1)}`,
}));

/** Asks the record. A question nobody asked then is an error. */
export function replay(answers: Recorded): AskHost {
  return ({ name }, probe) => {
    const answer = answers[name]?.[probe.key];
    if (answer === undefined) return Promise.reject(new Error(`${name}: nobody asked "${probe.key}"`));
    return Promise.resolve(probe.parse(answer, justNow()));
  };
}

/** Replaces text in every answer of a host. @throws Error when it is nowhere */
export function changed(answers: Recorded, host: string, from: string | RegExp, to: string): Recorded {
  const own = Object.entries(answers[host] ?? {}).map(([key, answer]) => {
    const stdout = answer.stdout.replaceAll(from, () => to);
    return [key, { ...answer, stdout }] as const;
  });
  if (own.every(([key, { stdout }]) => stdout === answers[host]?.[key]?.stdout))
    throw new Error(`no answer of ${host} holds ${String(from)}`);
  return { ...answers, [host]: Object.fromEntries(own) };
}

export async function found(answers: Recorded, targets = TARGETS): Promise<{ found: Found; problems: string[] }> {
  const read = await discover(targets, replay(answers), undefined);
  return { found: read.found, problems: [...read.problems, ...problemsOf(read.found)] };
}
