import { dump } from "js-yaml";
import { type ImageName, type Lab, usualImage } from "../../../lab";

type Tree = Record<string, unknown>;

/** An inventory file as a person would write it, as data, so that a test can change what it is about. */
export interface InventoryFile {
  defaults: { family?: string; ssh: Tree; repository: Tree };
  hosts: Record<string, Tree>;
  postgresql_clusters: Record<string, Tree>;
}

/** Hosts of a data node in the cluster `main`; pg4 is a stranger to it. */
export const HOSTS = ["pg1", "pg2", "pg3"] as const;
export const OUTSIDER = "pg4";
/** Where there is a guest among the hosts. */
export const GUEST = "pg1";
export const LAB_SIZE = 4;

/** What hosts of an image are, and where their packages come from. */
function familyOf(lab: Lab, image: ImageName): Pick<InventoryFile["defaults"], "family" | "repository"> {
  if (image === "redhat") return { family: "redhat", repository: { name: "lab", ...lab.dnfRepository() } };
  const release = image === "debian12" ? image : "debian13";
  return { repository: { name: "lab", ...lab.aptRepository(release) } };
}

/** One cluster of three; on pg2 sudo asks for a password. */
export function threeNodes(lab: Lab, image: ImageName = usualImage()): InventoryFile {
  return {
    defaults: {
      ssh: { user: "admin", key_file: lab.keyFile, known_hosts: lab.knownHosts },
      ...familyOf(lab, image),
    },
    hosts: {
      pg1: { address: lab.host("pg1").address },
      pg2: {
        address: lab.host("pg2").address,
        ssh: { user: "ops", sudo: "password", sudo_password_secret: "ops_sudo_password" },
      },
      pg3: { address: lab.host("pg3").address },
    },
    postgresql_clusters: {
      main: {
        version: 17,
        port: 5432,
        nodes: { n1: { id: 1, host: "pg1", role: "primary" }, n2: { id: 2, host: "pg2" }, n3: { id: 3, host: "pg3" } },
        settings: { log_min_duration_statement: "1s", max_connections: 100 },
        clients: [`${controlAddress(lab)}/32`],
        roles: { app: { password_secret: "app_password" } },
        databases: { app: { owner: "app", extensions: ["hstore"] } },
        repmgr: { options: QUICK_FAILOVER },
      },
    },
  };
}

/**
 * Failovers that a test can watch. The attempts have to last longer than two monitoring intervals: an election that
 * begins while any node saw the primary within that time is cancelled, and repmgrd does not hold another.
 */
export const QUICK_FAILOVER = { reconnect_attempts: 5, reconnect_interval: 1, monitor_interval_secs: 1 };

/** The control machine as the hosts see it: the first address of their network. */
export function controlAddress(lab: Lab): string {
  return lab.host("pg1").address.replace(/\d+$/, "1");
}

export function yaml(inventory: InventoryFile): string {
  return dump(structuredClone(inventory), { noRefs: true });
}
