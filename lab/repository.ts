import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { must, run } from "./run";

/** Who signs the lab's repositories. */
export const SIGNER = "repmgr-pulumi lab <lab@localhost>";

/**
 * Turns dir/pool into a signed apt repository with one suite and the component main.
 * The private key does not outlive the call: a repository is made once and never changed.
 * @param keyFile where the public key goes, armoured; written last, so its presence means the repository is whole
 */
export async function makeRepository(dir: string, suite: string, keyFile: string): Promise<void> {
  const architecture = (await must(["dpkg", "--print-architecture"])).trim();
  const dist = join(dir, "dists", suite);
  const binary = join(dist, "main", `binary-${architecture}`);
  mkdirSync(binary, { recursive: true });
  const inRepository = ["env", "-C", dir, "apt-ftparchive"];
  writeFileSync(join(binary, "Packages"), await must([...inRepository, "packages", "pool"]));
  const fields = { Origin: "repmgr-pulumi lab", Suite: suite, Codename: suite, Components: "main" };
  const options = Object.entries({ ...fields, Architectures: architecture }).flatMap(([field, value]) => [
    "-o",
    `APT::FTPArchive::Release::${field}=${value}`,
  ]);
  const release = await must([...inRepository, ...options, "release", join("dists", suite)]);
  writeFileSync(join(dist, "Release"), release);
  await sign(join(dist, "Release"), join(dist, "InRelease"), keyFile);
}

/** In a directory of its own below /tmp: the agent's socket path may not exceed 108 characters. */
async function sign(release: string, signed: string, keyFile: string): Promise<void> {
  const home = mkdtempSync(join(tmpdir(), "lab-gpg-"));
  const gpg = ["gpg", "--homedir", home, "--batch", "--quiet"];
  try {
    await must([...gpg, "--passphrase", "", "--quick-generate-key", SIGNER, "rsa3072", "sign", "never"]);
    await must([...gpg, "--digest-algo", "SHA512", "--clearsign", "--output", signed, release]);
    writeFileSync(keyFile, await must([...gpg, "--armor", "--export"]));
  } finally {
    await run(["gpgconf", "--homedir", home, "--kill", "all"]);
    rmSync(home, { recursive: true, force: true });
  }
}
