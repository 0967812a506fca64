import { get } from "node:https";
import { fingerprintsOf } from "../config/openpgp";
import type { KeyedRepository, RepositorySpec } from "../config/types";

const DEADLINE_MS = 15_000;
/** A key with many signatures has some tens of kilobytes. */
const MOST_BYTES = 1024 ** 2;
const MOST_REDIRECTS = 3;

/** Hosts of one run share what was fetched. */
const fetched = new Map<string, Promise<string>>();

/**
 * The repository with the key that its packages are checked against. One that is fetched is told by its fingerprint: where the host
 * has that key nothing is fetched, and what is fetched and is another one goes no further than this machine.
 * @param onHost what the host has as the key
 * @throws Error when there is no such key
 */
async function withKey(repository: RepositorySpec, onHost: string | undefined): Promise<KeyedRepository> {
  const { key, keyUrl, keyFingerprint: wanted = "" } = repository;
  if (key !== undefined || keyUrl === undefined) return { ...repository, key: key ?? "" };
  if (onHost !== undefined && isThatKey(onHost, wanted)) return { ...repository, key: onHost };
  const text = await fetchOnce(keyUrl).catch((error: unknown) => {
    throw new Error(
      `the key at ${keyUrl} cannot be fetched: ${error instanceof Error ? error.message : String(error)}`,
    );
  });
  if (isThatKey(text, wanted)) return { ...repository, key: text };
  const found = fingerprintsOf(text);
  const is = found.length === 0 ? "is no key that can be read" : `has ${found.join(" and ")}`;
  throw new Error(`what is at ${keyUrl} ${is}, wanted ${wanted} and no other; it was not put on any host`);
}

/** With its key, or why there is none. */
export type FetchedKey = KeyedRepository | { readonly problem: string };

/** @param onHost what the host has as the key */
export function fetchedKey(repository: RepositorySpec, onHost: string | undefined): Promise<FetchedKey> {
  return withKey(repository, onHost).catch((error: unknown) => {
    return { problem: error instanceof Error ? error.message : String(error) };
  });
}

/** The wanted repository as a host is to have it; the key is empty where there is none. */
export function repositoryWith(
  repository: RepositorySpec | undefined,
  fetched: FetchedKey | undefined,
): KeyedRepository | undefined {
  if (repository === undefined) return undefined;
  return fetched === undefined || "problem" in fetched ? { ...repository, key: repository.key ?? "" } : fetched;
}

/** The repository as it is found; a key that is fetched is told by its fingerprint, not by its text. */
export function shownRepository(
  found: KeyedRepository,
  want: RepositorySpec | undefined,
  onHost: string | undefined,
): RepositorySpec {
  if (want?.keyUrl === undefined) return found;
  const { key: _, ...others } = found;
  return { ...others, keyUrl: want.keyUrl, keyFingerprint: fingerprintsOf(onHost ?? "").join(" ") || "none" };
}

function isThatKey(text: string, fingerprint: string): boolean {
  const found = fingerprintsOf(text);
  return found.length === 1 && found[0] === fingerprint;
}

function fetchOnce(url: string): Promise<string> {
  const before = fetched.get(url);
  if (before !== undefined) return before;
  const text = fetchText(url, AbortSignal.timeout(DEADLINE_MS), MOST_REDIRECTS);
  fetched.set(url, text);
  text.catch(() => fetched.delete(url));
  return text;
}

/** Node's own authorities decide whom it talks to, and those of NODE_EXTRA_CA_CERTS. */
function fetchText(url: string, signal: AbortSignal, redirects: number): Promise<string> {
  return new Promise((resolve, reject) => {
    // Anything but https: is an error of node's here.
    const request = get(url, { signal }, (response) => {
      const { statusCode = 0, headers } = response;
      const isElsewhere = statusCode >= 300 && statusCode < 400 && headers.location !== undefined;
      if (isElsewhere && redirects > 0) {
        response.destroy();
        resolve(fetchText(new URL(headers.location ?? "", url).href, signal, redirects - 1));
        return;
      }
      if (statusCode !== 200) {
        response.destroy();
        reject(new Error(isElsewhere ? "it is always somewhere else" : `the server answers ${statusCode}`));
        return;
      }
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (part: string) => {
        text += part;
        if (text.length > MOST_BYTES) response.destroy(new Error(`it has more than ${MOST_BYTES} bytes`));
      });
      response.on("end", () => resolve(text));
      response.on("error", reject);
    });
    request.on("error", (error) => {
      reject(signal.aborted ? new Error(`no answer within ${DEADLINE_MS / 1000} s`) : error);
    });
  });
}
