import type { PackageManager } from "../config/types";
import { aptCommands } from "./aptCommands";
import { dnfCommands } from "./dnfCommands";

/** What changes packages on a host. All of it is shell that waits for whoever holds the package manager's lock. */
export interface PackageCommands {
  /** A package with an exact version, as the package manager's command line has it. */
  readonly exact: (name: string, version: string) => string;
  /** @param sources where to look before anything else */
  readonly install: (packages: readonly string[], sources: Sources) => string;
  /** Lets an installation end that was cut in the middle; absent where nothing is ever half installed. */
  readonly repair?: string;
  /** For a person: a package more. */
  readonly add: (name: string) => string;
  /** For a person: back to an older version. */
  readonly downgrade: (name: string, version: string) => string;
  /** Lets a module of the distribution hide no package any more; absent where there are no modules. */
  readonly disableModule?: string;
}

export interface Sources {
  /** Path of the repository's definition that was just written. */
  readonly fresh?: string;
  /** The host's own lists know the packages. */
  readonly isKnown: boolean;
}

const COMMANDS: Readonly<Record<PackageManager, PackageCommands>> = { apt: aptCommands, dnf: dnfCommands };

export function packageCommands(manager: PackageManager): PackageCommands {
  return COMMANDS[manager];
}
