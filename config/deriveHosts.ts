import { homedir } from "node:os";
import { dirname, isAbsolute, join } from "node:path";
import type { HostConnection } from "../ssh/types";
import { DEFAULTS } from "./defaults";
import { fingerprintText } from "./openpgp";
import type { RawDefaults, RawHost } from "./schema";
import type { RawKernel } from "./schemaKernel";
import type { Family, HostSpec, KernelSpec, RepositorySpec } from "./types";

type RawSsh = NonNullable<RawHost["ssh"]>;
type RawRepository = NonNullable<RawHost["repository"]>;

/** What the hosts part of an inventory says; families may still lack their default. */
export interface RawHosts {
  readonly defaults?: {
    readonly ssh?: RawDefaults["ssh"];
    readonly family?: Family;
    readonly repository?: RawRepository;
    readonly kernel?: RawKernel;
  };
  readonly hosts: Readonly<Record<string, RawHost>>;
}

/**
 * "~/x" from the home directory, other relative paths from the directory of the file they are written in.
 * @param file the inventory file the path was written in
 */
export function resolvePath(path: string, file: string): string {
  if (path === "~" || path.startsWith("~/")) return join(homedir(), path.slice(1));
  return isAbsolute(path) ? path : join(dirname(file), path);
}

/** How the hosts are reached and what they are. `fileOf` tells the file in which a path of the inventory is written. */
export class HostDeriver {
  constructor(
    private readonly raw: RawHosts,
    private readonly fileOf: (path: readonly string[]) => string,
  ) {}

  /** @param readKey reads the key of a package repository from a file */
  all(readKey: (path: string) => string): Map<string, HostSpec> {
    return new Map(Object.keys(this.raw.hosts).map((name) => [name, this.host(name, readKey)]));
  }

  connections(): Map<string, HostConnection> {
    return new Map(Object.keys(this.raw.hosts).map((name) => [name, this.connection(name)]));
  }

  /** @throws Error when the jumps of a host go in a circle or to an unknown host; validation reports these before. */
  connection(name: string, via: readonly string[] = []): HostConnection {
    const host = this.raw.hosts[name];
    if (!host) throw new Error(`unknown host '${name}'; known are ${Object.keys(this.raw.hosts).join(", ")}`);
    if (via.includes(name))
      throw new Error(`the jumps of host '${via[0]}' go in a circle: ${[...via, name].join(" -> ")}`);
    const ssh = this.ssh(name);
    return {
      name,
      address: host.address,
      port: ssh.port ?? DEFAULTS.sshPort,
      user: ssh.user ?? "",
      keyFile: this.path(name, ssh, "key_file"),
      agent: ssh.agent ?? (ssh.key_file === undefined && ssh.key_secret === undefined),
      keySecret: ssh.key_secret,
      passphraseSecret: ssh.passphrase_secret,
      hostKeys: host.ssh?.host_keys ?? [],
      knownHostsFile: this.path(name, ssh, "known_hosts") ?? resolvePath(DEFAULTS.knownHosts, ""),
      sudo: ssh.sudo ?? DEFAULTS.sudo,
      sudoPasswordSecret: ssh.sudo_password_secret,
      ...(host.lost === true ? { lost: true as const } : {}),
      jump: ssh.jump === undefined ? undefined : this.connection(ssh.jump, [...via, name]),
    };
  }

  private host(name: string, readKey: (path: string) => string): HostSpec {
    const host = this.raw.hosts[name];
    const own = host?.repository !== undefined;
    const repository = own ? host.repository : this.raw.defaults?.repository;
    const at = own ? ["hosts", name, "repository"] : ["defaults", "repository"];
    return {
      name,
      address: host?.address ?? "",
      family: host?.family ?? this.raw.defaults?.family ?? DEFAULTS.family,
      connection: this.connection(name),
      repository: repository && this.repository(repository, at, readKey),
      kernel: kernelOf(this.raw.defaults?.kernel, host?.kernel),
    };
  }

  /** The host's own words over the defaults. The default jump host does not jump through itself. */
  private ssh(name: string): RawSsh {
    const own = this.raw.hosts[name]?.ssh ?? {};
    const merged: RawSsh = { ...this.raw.defaults?.ssh, ...own };
    return merged.jump === name && own.jump === undefined ? { ...merged, jump: undefined } : merged;
  }

  private path(name: string, ssh: RawSsh, key: "key_file" | "known_hosts"): string | undefined {
    const path = ssh[key];
    if (path === undefined) return undefined;
    const isOwn = this.raw.hosts[name]?.ssh?.[key] !== undefined;
    return resolvePath(path, this.fileOf(isOwn ? ["hosts", name, "ssh", key] : ["defaults", "ssh", key]));
  }

  private repository(raw: RawRepository, at: readonly string[], readKey: (path: string) => string): RepositorySpec {
    const { name, uri, suite, components } = raw;
    const parts = { ...(suite === undefined ? {} : { suite }), ...(components === undefined ? {} : { components }) };
    if (raw.key_url !== undefined) {
      const keyFingerprint = fingerprintText(raw.key_fingerprint ?? "");
      return { name, uri, ...parts, keyUrl: raw.key_url, keyFingerprint };
    }
    const file = raw.key_file && resolvePath(raw.key_file, this.fileOf([...at, "key_file"]));
    return { name, uri, ...parts, key: raw.key ?? (file ? readKey(file) : "") };
  }
}

/** The host's own words over the defaults, setting by setting; undefined where neither names one. */
function kernelOf(defaults: RawKernel | undefined, own: RawKernel | undefined): KernelSpec | undefined {
  const sysctl = Object.entries({ ...defaults?.sysctl, ...own?.sysctl }).map(
    ([name, value]) => [name, String(value)] as const,
  );
  const pages = own?.transparent_huge_pages ?? defaults?.transparent_huge_pages;
  const profile = own?.tuned_profile ?? defaults?.tuned_profile;
  if (sysctl.length === 0 && pages === undefined && profile === undefined) return undefined;
  return {
    sysctl: Object.fromEntries(sysctl),
    ...(pages === undefined ? {} : { transparentHugePages: pages }),
    ...(profile === undefined ? {} : { tunedProfile: profile }),
  };
}
