import { bytesOf } from "../facts/settingValue";
import type { NodeFacts, PreflightInputs, PreflightNode } from "./preflight";

/** What one cluster takes of a host's memory, in the words of its settings. */
export interface MemoryShare {
  readonly cluster: string;
  /** Absent: PostgreSQL's default. */
  readonly sharedBuffers?: string;
  readonly hugePages?: string;
}

/** PostgreSQL documentation, 19.4.1. */
const DEFAULT_SHARED_BUFFERS = "128MB";
const BUFFER_BYTES = 8192;
/** What is left has to do for connections, sorts, the kernel and its page cache. */
const MOST_OF_MEMORY = 0.8;

/** What the clusters of a host take together is more than the host has: the one that starts last would not start, or all swap. */
export function memoryProblems(inputs: PreflightInputs, { host: name }: PreflightNode, facts: NodeFacts): string[] {
  const { memoryMb, hugePageKb } = facts.host;
  // What the inventory names is set before the instance starts.
  const hugePagesMb = Math.max(
    facts.host.hugePagesMb,
    (Number(inputs.kernels?.[name]?.sysctl["vm.nr_hugepages"] ?? 0) * hugePageKb) / 1024,
  );
  const shares = sharesOn(inputs, name, facts).map((share) => {
    const said = share.sharedBuffers ?? DEFAULT_SHARED_BUFFERS;
    return { ...share, said, bytes: bytesOf(said, BUFFER_BYTES) ?? 0 };
  });
  const problems: string[] = [];
  const sum = total(shares);
  const most = memoryMb * 2 ** 20 * MOST_OF_MEMORY;
  if (sum > most) {
    problems.push(
      `shared_buffers of ${listed(shares)} are ${gib(sum)} together, wanted at most ${gib(most)}, ` +
        `${MOST_OF_MEMORY * 100} % of the host's memory. Lower it in 'settings' of one of them, or give one another host`,
    );
  }
  const huge = shares.filter(({ hugePages }) => hugePages === "on");
  if (total(huge) > hugePagesMb * 2 ** 20) {
    problems.push(
      `huge_pages is on for ${listed(huge)}, ${gib(total(huge))} together, and the host has ${gib(hugePagesMb * 2 ** 20)} of huge pages: ` +
        `without them PostgreSQL does not start. Raise vm.nr_hugepages in 'kernel' of the host, or set huge_pages: try; to look: grep Huge /proc/meminfo`,
    );
  }
  return problems;
}

/** Those of the inventory as it wants them, the others of this program as they are found. */
function sharesOn(inputs: PreflightInputs, host: string, { neighbours }: NodeFacts): MemoryShare[] {
  const known = inputs.memory?.[host] ?? [{ cluster: inputs.cluster }];
  return [...known, ...neighbours.filter(({ cluster }) => !known.some((share) => share.cluster === cluster))];
}

function total(shares: readonly { readonly bytes: number }[]): number {
  return shares.reduce((sum, { bytes }) => sum + bytes, 0);
}

function listed(shares: readonly { readonly cluster: string; readonly said: string }[]): string {
  return shares.map(({ cluster, said }) => `"${cluster}" (${said})`).join(" and ");
}

function gib(bytes: number): string {
  return `${(bytes / 2 ** 30).toFixed(1)} GiB`;
}
