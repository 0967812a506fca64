import { readFileSync } from "node:fs";
import { familyLayout } from "../families";
import type { Checked } from "./check";
import { hostFamily } from "./deriveCluster";
import { resolvePath } from "./deriveHosts";
import { isAddress } from "./network";
import { unknownName } from "./nearest";
import { fingerprintsOf, fingerprintText } from "./openpgp";
import type { RawHost } from "./schema";

type Repository = NonNullable<RawHost["repository"]>;

export function checkHosts(checked: Checked): void {
  const { hosts, defaults } = checked.raw;
  for (const [name, host] of Object.entries(hosts)) {
    const at = ["hosts", name];
    if (!isAddress(host.address)) {
      checked.report(
        [...at, "address"],
        `neither an IP address nor a name that could resolve: ${JSON.stringify(host.address)}`,
      );
    }
    checkLogin(checked, name, host);
    checkJump(checked, name);
    checkRepository(checked, [...at, "repository"], host.repository);
  }
  checkRepository(checked, ["defaults", "repository"], defaults.repository);
  checkKinds(checked);
  const jump = defaults.ssh?.jump;
  if (jump !== undefined && !checked.names("hosts").includes(jump)) {
    checked.report(["defaults", "ssh", "jump"], unknownName("host", jump, checked.names("hosts")));
  }
}

function checkLogin(checked: Checked, name: string, host: RawHost): void {
  const at = ["hosts", name, "ssh"];
  if (!checked.isWhole(at) || !checked.isWhole(["defaults", "ssh"])) return;
  const ssh = { ...checked.raw.defaults.ssh, ...host.ssh };
  if (ssh.user === undefined) {
    checked.report([...at, "user"], `no user to log in to '${name}' as: set it here or in defaults.ssh.user`);
  }
  if (ssh.sudo === "password" && ssh.sudo_password_secret === undefined) {
    checked.report(
      [...at, "sudo"],
      "'sudo: password' needs 'sudo_password_secret', the name of the stack secret with it",
    );
  }
  if (ssh.sudo === "postgres") checkRestricted(checked, name, ssh.user, host.ssh);
  if (ssh.sudo === "none" && ssh.user !== undefined && ssh.user !== "root") {
    checked.report([...at, "sudo"], `'sudo: none' needs the user root, and the user is '${ssh.user}'`);
  }
}

/** A login that may become postgres only. */
function checkRestricted(checked: Checked, name: string, user: string | undefined, own: RawHost["ssh"]): void {
  const at = ["hosts", name, "ssh", "sudo"];
  if (user === "root" || user === "postgres")
    checked.report(at, `'sudo: postgres' needs a login that is neither root nor postgres, and the user is '${user}'`);
  if ((own?.sudo === undefined ? checked.raw.defaults.ssh : own)?.sudo_password_secret !== undefined)
    checked.report(at, "'sudo: postgres' asks for no password; take 'sudo_password_secret' out");
  for (const [cluster, { layout, nodes }] of checked.clusters()) {
    if (layout === undefined || !Object.values(nodes).some(({ host }) => host === name)) continue;
    checked.report(
      at,
      `'sudo: postgres' is for clusters that this program has built: the sudoers file of '${cluster}' is that of others`,
    );
  }
}

function checkJump(checked: Checked, name: string): void {
  const jump = checked.raw.hosts[name]?.ssh?.jump;
  if (jump !== undefined && !checked.names("hosts").includes(jump)) {
    checked.report(["hosts", name, "ssh", "jump"], unknownName("host", jump, checked.names("hosts")));
    return;
  }
  const way = [name];
  for (let next = jumpOf(checked, name); next !== undefined; next = jumpOf(checked, next)) {
    if (way.includes(next)) {
      const message = `the jumps of '${name}' go in a circle: ${[...way, next].join(" -> ")}`;
      checked.report(["hosts", name, "ssh", "jump"], message);
      return;
    }
    way.push(next);
  }
}

/** The host that a host is reached through; the default jump host is reached directly. */
function jumpOf(checked: Checked, name: string): string | undefined {
  const own = checked.raw.hosts[name]?.ssh?.jump;
  const fallback = checked.raw.defaults.ssh?.jump;
  return own ?? (fallback === name ? undefined : fallback);
}

/** A repository has suite and components for apt, and neither for dnf. Reported once where many hosts share it. */
function checkKinds(checked: Checked): void {
  const { hosts, defaults } = checked.raw;
  const reported = new Set<string>();
  for (const [name, host] of Object.entries(hosts)) {
    const at = host.repository === undefined ? ["defaults", "repository"] : ["hosts", name, "repository"];
    const repository = host.repository ?? defaults.repository;
    if (repository === undefined || !checked.isWhole(at) || !checked.isWhole(["hosts", name])) continue;
    const isApt = familyLayout(hostFamily(name, checked.raw)).packageManager === "apt";
    for (const key of ["suite", "components"] as const) {
      if (
        (repository[key] !== undefined) === isApt ||
        reported.has([...at, key].join(".")) ||
        !checked.isWhole([...at, key])
      )
        continue;
      reported.add([...at, key].join("."));
      if (isApt) checked.report(at, `'${key}' is missing: '${name}' gets packages from it with apt`);
      else
        checked.report(
          [...at, key],
          `'${name}' gets packages from it with dnf, which knows no ${key}; remove it, or give the host a repository of its own`,
        );
    }
  }
}

function checkRepository(checked: Checked, at: string[], repository: Repository | undefined): void {
  if (!repository || !checked.isWhole(at)) return;
  const given = [repository.key, repository.key_file, repository.key_url].filter((way) => way !== undefined);
  if (given.length !== 1) {
    checked.report(at, "a repository needs one of 'key', 'key_file' and 'key_url', the public key it is signed with");
    return;
  }
  if (repository.key_url !== undefined && repository.key_fingerprint === undefined) {
    checked.report(
      [...at, "key_url"],
      "what is fetched is trusted by its fingerprint alone: give 'key_fingerprint', too",
    );
  }
  if (repository.key !== undefined && !repository.key.includes("BEGIN PGP PUBLIC KEY BLOCK")) {
    checked.report(
      [...at, "key"],
      "this is no ASCII-armoured public key: expected -----BEGIN PGP PUBLIC KEY BLOCK-----",
    );
  }
  if (repository.key !== undefined) checkFingerprint(checked, at, repository, repository.key);
  if (repository.key_file === undefined) return;
  const path = resolvePath(repository.key_file, checked.fileOf([...at, "key_file"]));
  try {
    // A directory may be accessible, too, and is no file.
    checkFingerprint(checked, at, repository, readFileSync(path, "utf8"));
  } catch {
    checked.report([...at, "key_file"], `cannot read the key file ${path}`);
  }
}

function checkFingerprint(checked: Checked, at: string[], { key_fingerprint: given }: Repository, key: string): void {
  if (given === undefined) return;
  const wanted = fingerprintText(given);
  const found = fingerprintsOf(key);
  if (found.length === 1 && found[0] === wanted) return;
  const is = found.length === 0 ? "holds no key that can be read" : `has ${found.join(" and ")}`;
  checked.report([...at, "key_fingerprint"], `the key of the repository ${is}, wanted ${wanted} and no other`);
}
