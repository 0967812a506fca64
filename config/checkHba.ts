import { parseNetwork } from "./network";

interface WrittenRule {
  readonly type: string;
  readonly database: string;
  readonly user: string;
  readonly address?: string;
  readonly method: string;
  readonly open_to_world: boolean;
  readonly insecure: boolean;
}

export interface RuleProblem {
  readonly key: keyof WrittenRule;
  readonly message: string;
}

/** Words of pg_hba.conf that need no quotes: names, +group and lists of them. */
const NAMES = /^\+?[A-Za-z_][A-Za-z0-9_$-]*(,\+?[A-Za-z_][A-Za-z0-9_$-]*)*$/;
const INSECURE = ["trust", "password", "md5"];

/** What is wrong with a line of pg_hba.conf, given that its types are right. */
export function hbaProblems(rule: WrittenRule): RuleProblem[] {
  const problems: RuleProblem[] = [];
  for (const key of ["database", "user"] as const) {
    if (!NAMES.test(rule[key])) {
      problems.push({ key, message: `expected names separated by commas, without spaces or quotes: ${rule[key]}` });
    }
  }
  const address = addressProblem(rule);
  if (address !== undefined) problems.push({ key: "address", message: address });
  // Over the network ident asks a server that the client's machine runs (PostgreSQL documentation, "Ident Authentication").
  const isInsecure = INSECURE.includes(rule.method) || (rule.method === "ident" && rule.type !== "local");
  if (isInsecure && !rule.insecure) {
    const message = `the method '${rule.method}' is not safe; use scram-sha-256, or say 'insecure: true' beside it`;
    problems.push({ key: "method", message });
  }
  if (rule.method === "peer" && rule.type !== "local") {
    problems.push({ key: "method", message: "peer works for 'type: local' only" });
  }
  if (rule.method === "cert" && rule.type !== "hostssl") {
    problems.push({ key: "method", message: "cert works for 'type: hostssl' only" });
  }
  return problems;
}

function addressProblem({ type, address, open_to_world }: WrittenRule): string | undefined {
  if (type === "local") return address === undefined ? undefined : "a rule of type local has no address";
  if (address === undefined) return `a rule of type ${type} needs an address`;
  if (address === "samehost" || address === "samenet") return undefined;
  const network = parseNetwork(address);
  if (!network && address !== "all") {
    return `expected a network such as 192.0.2.0/24, samehost or samenet, found ${JSON.stringify(address)}`;
  }
  return isWorld(address) && !open_to_world ? openMessage(address) : undefined;
}

/** Everybody: a prefix of no bits, or the word all. */
export function isWorld(address: string): boolean {
  return address === "all" || parseNetwork(address)?.prefix === 0;
}

export function openMessage(address: string): string {
  return `'${address}' lets everybody in; name the networks, or say 'open_to_world: true' beside it`;
}
