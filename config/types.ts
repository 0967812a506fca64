import type { HostConnection } from "../ssh/types";
import type { MonitoringSpec } from "./monitoring";

/** A problem of the input, with the place a person must go to. */
export interface Problem {
  readonly file: string;
  readonly line: number;
  /** "postgresql_clusters.main.nodes.n1.id" */
  readonly path: string;
  readonly message: string;
}

export type Family = "debian" | "redhat";

export type PackageManager = "apt" | "dnf";

/** An extra package repository on a host; none: the distribution's own packages are used. */
export interface RepositorySpec {
  readonly name: string;
  readonly uri: string;
  /** Suite and components are apt's; a repository of dnf is all that lies below its address. */
  readonly suite?: string;
  readonly components?: readonly string[];
  /** ASCII-armoured public key the repository is signed with; absent: it is fetched. */
  readonly key?: string;
  readonly keyUrl?: string;
  /** Of a key that is fetched: 40 digits in upper case. */
  readonly keyFingerprint?: string;
}

/** A repository whose key is there. */
export type KeyedRepository = RepositorySpec & { readonly key: string };

export interface HostSpec {
  readonly name: string;
  /** The address the other nodes and the clients use. */
  readonly address: string;
  readonly family: Family;
  readonly connection: HostConnection;
  readonly repository?: RepositorySpec;
  /** Absent: its kernel is nobody's business. */
  readonly kernel?: KernelSpec;
}

/** Settings of a host's kernel, now and at every boot. */
export interface KernelSpec {
  /** "vm.overcommit_memory": "2" */
  readonly sysctl: Readonly<Record<string, string>>;
  readonly transparentHugePages?: "always" | "madvise" | "never";
  /** "throughput-performance"; several with blanks between. */
  readonly tunedProfile?: string;
}

/** Who starts the cluster's life. After that the role of a node is observed, never desired. */
export type InitialRole = "primary" | "standby" | "witness";

/** Where the parts of a cluster lie that somebody else has built; nothing of it is moved. Paths are absolute. */
export interface ClusterLayout {
  readonly configFile: string;
  readonly hbaFile: string;
  /** "postgresql@17-main.service" */
  readonly postgresqlUnit: string;
  readonly repmgrConf: string;
  readonly repmgrdUnit: string;
  readonly passFile: string;
  readonly socketDirectory: string;
  readonly logDirectory: string;
}

export interface NodeSpec {
  readonly name: string;
  readonly id: number;
  readonly host: string;
  readonly address: string;
  readonly initialRole: InitialRole;
  readonly priority: number;
  readonly location: string;
  /** Node to follow instead of the primary (cascading). */
  readonly upstream?: string;
  /** recovery_min_apply_delay of a standby that stays behind on purpose, such as "1h"; its priority is 0. */
  readonly delay?: string;
  /** Where this node's postgresql.conf and repmgr.conf differ from the others'; besides the delay only in a cluster with a layout. */
  readonly settings: Readonly<Record<string, string>>;
  readonly repmgrOptions: Readonly<Record<string, string>>;
  /** Only in a cluster with TLS. */
  readonly tls?: NodeTls;
}

/** TLS of a cluster. */
export interface TlsSpec {
  /** The certificates of the authorities that clients trust, PEM. */
  readonly authorities: string;
  /** What the file with them is called; connection strings name it. */
  readonly caFile: string;
  /** The nodes check each other's certificates. */
  readonly areNodesVerified: boolean;
  /** Each node has a certificate for the role repmgr and shows it; "required": nothing else lets it in. Absent: there are none. */
  readonly loginCertificates?: "presented" | "required";
}

export interface NodeTls {
  /** Names and addresses that its certificate is for, in order. */
  readonly names: readonly string[];
  /** Life of a certificate that the program makes. */
  readonly days: number;
  /** The user's own certificate, PEM; absent: the program makes one. */
  readonly given?: string;
  /** Name of the stack secret with the private key of that certificate, or of the authority that signs one. */
  readonly keySecret: string;
}

export interface HbaRule {
  readonly type: "local" | "host" | "hostssl" | "hostnossl";
  readonly database: string;
  readonly user: string;
  /** CIDR or "samehost"/"samenet"; absent for local. */
  readonly address?: string;
  readonly method: string;
  /** Options of the method, by name. */
  readonly options?: Readonly<Record<string, string>>;
}

/** What is not named is left as it is. */
export interface RoleSpec {
  readonly name: string;
  readonly login: boolean;
  readonly createdb: boolean;
  readonly createrole: boolean;
  readonly superuser: boolean;
  readonly replication: boolean;
  readonly inherit?: boolean;
  readonly bypassrls?: boolean;
  readonly connectionLimit: number;
  /** "2027-01-31T00:00:00Z" or "infinity". */
  readonly validUntil?: string;
  /** In order of name. */
  readonly memberOf?: readonly string[];
  readonly settings?: Readonly<Record<string, string>>;
  /** Name of the stack secret with the password; absent: the role has none. */
  readonly passwordSecret?: string;
}

/** A name alone: the version that its package makes. */
export type ExtensionSpec = string | { readonly name: string; readonly version?: string; readonly schema?: string };

/** What is not named is left as it is. */
export interface DatabaseSpec {
  readonly name: string;
  readonly owner?: string;
  readonly encoding?: string;
  readonly provider?: "libc" | "icu" | "builtin";
  readonly locale?: string;
  /** Counts only when it is made. */
  readonly template?: string;
  readonly tablespace?: string;
  readonly connectionLimit?: number;
  readonly settings?: Readonly<Record<string, string>>;
  readonly extensions: readonly ExtensionSpec[];
  readonly schemas?: readonly SchemaSpec[];
  readonly grants?: readonly GrantSpec[];
  /** On what the grants name nobody else may do anything. */
  readonly exclusive?: true;
  readonly publications?: readonly PublicationSpec[];
  readonly slots?: readonly SlotSpec[];
}

/** What is not named is left as it is, but a publication publishes what it names and nothing else. */
export interface PublicationSpec {
  readonly name: string;
  readonly owner?: string;
  readonly allTables?: true;
  /** "sales.orders"; in order of name. */
  readonly tables?: readonly string[];
  /** In order of name. */
  readonly schemas?: readonly string[];
  /** In PostgreSQL's order. */
  readonly publish?: readonly string[];
}

/** A logical replication slot. */
export interface SlotSpec {
  readonly name: string;
  readonly plugin: string;
  /** The standbys keep copies of it, and whoever is promoted has it. */
  readonly failover?: true;
}

export interface GrantSpec {
  /** A role, or "public". */
  readonly to: string;
  readonly on: "database" | "schema" | "tables" | "sequences" | "functions";
  readonly schema?: string;
  /** A default privilege, on what this role will make. */
  readonly by?: string;
  /** In order of name. */
  readonly privileges: readonly string[];
}

export interface SchemaSpec {
  readonly name: string;
  readonly owner?: string;
}

/** What is not named is left as it is. */
export interface TablespaceSpec {
  readonly name: string;
  /** The same on every data node. */
  readonly directory: string;
  readonly owner?: string;
  /** "random_page_cost": "1.1"; all that it has. */
  readonly options?: Readonly<Record<string, string>>;
}

/** What must not be there any more, by name. */
export interface RemovedSpec {
  readonly roles: readonly string[];
  readonly databases: readonly string[];
  readonly tablespaces?: readonly string[];
  /** "shop.orders": the database and the publication in it. */
  readonly publications?: readonly string[];
  /** "shop.warehouse": the database and its slot. */
  readonly slots?: readonly string[];
}

export interface HookSpec {
  /** Command line given to a shell. */
  readonly run: string;
  /** "control" or the name of a node. */
  readonly on: string;
}

export interface ClusterSpec {
  readonly name: string;
  /** Major version of PostgreSQL. */
  readonly version: 13 | 14 | 15 | 16 | 17;
  readonly port: number;
  readonly family: Family;
  readonly dataDirectory: string;
  /**
   * Of a cluster that was built by others and taken over; absent: the program's own (families/). With it, settings, hba
   * and repmgrOptions are what the files hold and nothing is added to them.
   */
  readonly layout?: ClusterLayout;
  /** The lines of pg_hba.conf as they stand, only with a layout; then instead of `hba`. */
  readonly hbaLines: readonly string[];
  /** In order of id. */
  readonly nodes: readonly NodeSpec[];
  /** Everything that goes into the managed part of postgresql.conf: the user's, our defaults, what repmgr needs. */
  readonly settings: Readonly<Record<string, string>>;
  /** The whole pg_hba.conf in order: local, peers, the user's own rules. */
  readonly hba: readonly HbaRule[];
  /** Networks let in by the firewall, besides the peers. CIDR. */
  readonly clients: readonly string[];
  /** Absent: the program knows nothing of TLS. */
  readonly tls?: TlsSpec;
  readonly failover: "automatic" | "manual";
  /** Exact version of the server's package, "17.6-1.pgdg13+1"; absent: whatever is installed. */
  readonly packageVersion?: string;
  /** A wish: only a gated switchover fulfils it. Absent: whoever is primary stays it. */
  readonly preferredPrimary?: string;
  /** After a rolling restart the primary moves back to where it was. */
  readonly switchBack: boolean;
  /** A new text of the unit is worth a rolling restart. */
  readonly restartsForUnit: boolean;
  /** Of PostgreSQL's unit. */
  readonly limits: { readonly openFiles: number; readonly oomScoreAdjust: number };
  /** A primary stops that sees too few others; absent: it never does, because nobody else could be promoted, or by wish. */
  readonly fencing?: FencingSpec;
  /** What the start guard does with a former primary when too few nodes answer. */
  readonly startWithoutPeers: "refuse" | "allow";
  /** Command line given to a shell for each event of repmgr. */
  readonly eventCommand?: string;
  readonly synchronous?: SynchronousSpec;
  /** Absent: nothing is checked on the hosts. */
  readonly monitoring?: MonitoringSpec;
  /** repmgr.conf options the user chose, over our defaults; node-specific ones are derived later. */
  readonly repmgrOptions: Readonly<Record<string, string>>;
  readonly repmgrPasswordSecret: string;
  /** The role repmgr is no superuser. */
  readonly limitedRole?: true;
  readonly roles: readonly RoleSpec[];
  readonly tablespaces: readonly TablespaceSpec[];
  readonly databases: readonly DatabaseSpec[];
  /** Names of the slots that fail over, those that are to go among them: their copies go with them. Absent: there are none. */
  readonly failoverSlots?: readonly string[];
  /** Absent: nothing is dropped. */
  readonly removed?: RemovedSpec;
  readonly hooks: { readonly afterDeploy: readonly HookSpec[] };
  /** false: data without checksums stay as they are. */
  readonly checksums: boolean;
  /** Nothing of it can be deleted while this is true in state. */
  readonly protect: boolean;
  /** When true PGDATA may be removed on destroy; recorded in state before it counts. */
  readonly allowDataLoss: boolean;
}

/** How soon a primary stops that was cut off from the others. All are whole seconds. */
export interface FencingSpec {
  readonly walSenderTimeout: number;
  readonly checkInterval: number;
  readonly disconnectTimeout: number;
  /** From the cut to the last acknowledged write. Nobody is promoted sooner beside a primary that may be cut off. */
  readonly fencedAfter: number;
}

export interface SynchronousSpec {
  readonly mode: "any" | "first";
  /** So many standbys confirm each commit. */
  readonly num: number;
}

export interface Inventory {
  readonly hosts: ReadonlyMap<string, HostSpec>;
  readonly clusters: readonly ClusterSpec[];
}
