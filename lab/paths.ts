import { join } from "node:path";
import type { ImageName } from "./image";

/** Every file of a lab, from its directory. */
export class LabPaths {
  /** Private key of the logins admin and ops, without a passphrase. */
  readonly loginKey: string;
  readonly knownHosts: string;

  constructor(readonly dir: string) {
    this.loginKey = join(dir, "id_ed25519");
    this.knownHosts = join(dir, "known_hosts");
  }

  /** Armoured public key of an image's package repository, at a path that an inventory can name. */
  repositoryKey(image: ImageName): string {
    return join(this.dir, image === "debian13" ? "repository.asc" : `repository-${image}.asc`);
  }

  host(name: string): HostPaths {
    const dir = join(this.dir, "hosts", name);
    return {
      dir,
      upper: join(dir, "upper"),
      work: join(dir, "work"),
      root: join(dir, "root"),
      console: join(dir, "console.log"),
    };
  }

  /** A host's SSH key; outlives the host, as known_hosts files do. */
  hostKey(name: string): string {
    return join(this.dir, "keys", name, "ssh_host_ed25519_key");
  }

  layer(id: string): string {
    return join(this.dir, "layers", id);
  }

  snapshot(name: string): string {
    return join(this.dir, "snapshots", `${name}.json`);
  }
}

export interface HostPaths {
  readonly dir: string;
  readonly upper: string;
  readonly work: string;
  /** Where the host's disk is mounted while it runs. */
  readonly root: string;
  /** What the host's boot says. */
  readonly console: string;
}
