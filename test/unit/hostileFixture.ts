import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inventoryJsonSchema, type JsonSchema } from "../../config/jsonSchema";
import { AUTHORITY, CERTIFICATE } from "./tlsFixture";
import { ED25519, ED25519_PRINT } from "./openpgpFixture";

export type Json = null | string | number | boolean | Json[] | { [key: string]: Json };
/** Numbers for the items of a list. */
export type Path = readonly (string | number)[];

/** A value of an inventory, or the name of an entry of a dictionary. */
export interface Place {
  readonly path: Path;
  readonly isKey: boolean;
}

const directory = mkdtempSync(join(tmpdir(), "hostile-"));
afterAll(() => rmSync(directory, { recursive: true }));
const KEY = `${ED25519}\n`;
writeFileSync(join(directory, "base.yml"), "{}\n");
writeFileSync(join(directory, "key.asc"), KEY);
writeFileSync(join(directory, "ca.crt"), AUTHORITY);
writeFileSync(join(directory, "server.crt"), CERTIFICATE);
const certificate = { file: join(directory, "server.crt"), key_secret: "server_key" };
const words = { replication_certificates: "none", min_protocol: "TLSv1.3" };
const tls = { ca_file: join(directory, "ca.crt"), names: ["db.example.org"], ...words };

const repository = { name: "lab", uri: "https://example.org/deb", suite: "trixie", components: ["main"] };

/** A valid inventory with every string that the schema has; a test compares the two. */
export const EVERYTHING: Json = {
  extends: join(directory, "base.yml"),
  defaults: {
    family: "debian",
    ssh: {
      user: "admin",
      key_file: "~/.ssh/id",
      key_secret: "ssh_key",
      passphrase_secret: "ssh_passphrase",
      known_hosts: "known_hosts",
      sudo: "password",
      sudo_password_secret: "sudo_password",
      jump: "h1",
    },
    repository: { ...repository, key: KEY, key_fingerprint: ED25519_PRINT },
    kernel: {
      sysctl: { "net.ipv4.tcp_wmem": "4096 16384 4194304" },
      transparent_huge_pages: "never",
      tuned_profile: "powersave",
    },
  },
  hosts: {
    h1: { address: "192.0.2.1" },
    h2: {
      address: "192.0.2.2",
      family: "debian",
      kernel: {
        sysctl: { "kernel.core_pattern": "core" },
        transparent_huge_pages: "madvise",
        tuned_profile: "virtual-guest",
      },
      ssh: {
        user: "ops",
        key_file: "id_ops",
        key_secret: "ops_key",
        passphrase_secret: "ops_passphrase",
        known_hosts: "known_hosts_ops",
        sudo: "password",
        sudo_password_secret: "ops_sudo_password",
        jump: "h1",
        host_keys: ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEn3nhHiHPBaqDmEo9yYIBfkjMAHn7DEjpNuWXBpCfG1"],
      },
      repository: { ...repository, key: KEY, key_fingerprint: ED25519_PRINT },
    },
    h3: { address: "192.0.2.3", repository: { ...repository, key_file: join(directory, "key.asc") } },
    h4: {
      address: "192.0.2.4",
      repository: { ...repository, key_url: "https://example.org/key.asc", key_fingerprint: ED25519_PRINT },
    },
  },
  postgresql_clusters: {
    main: {
      version: 17,
      data_directory: "/srv/main",
      failover: "manual",
      fencing: "auto",
      start_without_peers: "refuse",
      events: { command: "true" },
      monitoring: { textfile_directory: "/var/lib/metrics", backup_stamp: "/var/lib/backup/stamp" },
      synchronous: { mode: "any" },
      nodes: {
        n1: { id: 1, host: "h1", role: "primary", location: "here", address: "192.0.2.11" },
        n2: { id: 2, host: "h2" },
        n3: { id: 3, host: "h3", upstream: "n2", delay: "1h" },
      },
      preferred_primary: "n2",
      package_version: "17.6-1",
      settings: { work_mem: "8MB", wal_level: "logical" },
      clients: ["192.0.2.0/24"],
      tls: { ...tls, nodes: "verify-full", certificates: { n1: certificate, n2: certificate, n3: certificate } },
      hba: [
        {
          type: "hostssl",
          database: "app",
          user: "app",
          address: "192.0.2.0/24",
          method: "cert",
          options: { map: "people" },
        },
      ],
      roles: {
        app: {
          password_secret: "app_password",
          valid_until: "2027-01-31T00:00:00Z",
          member_of: ["pg_monitor"],
          settings: { search_path: "sales" },
        },
      },
      tablespaces: { fast: { directory: "/srv/fast", owner: "app" } },
      databases: {
        app: {
          owner: "app",
          tablespace: "fast",
          encoding: "UTF8",
          provider: "icu",
          locale: "de-DE",
          template: "template0",
          settings: { work_mem: "8MB" },
          schemas: { sales: { owner: "app" } },
          grants: [{ to: "app", on: "tables", schema: "sales", privileges: ["select"] }],
          default_privileges: [{ to: "app", made_by: "app", on: "tables", schema: "sales", privileges: ["select"] }],
          extensions: ["pg_trgm", { name: "hstore", version: "1.8", schema: "sales" }],
          publications: {
            orders: { owner: "app", tables: ["sales.orders"], publish: ["insert"] },
            whole: { schemas: ["sales"] },
          },
          slots: { warehouse: { plugin: "pgoutput" } },
        },
      },
      repmgr: { password_secret: "repmgr_password", options: { event_notifications: "standby_promote" } },
      hooks: { after_deploy: [{ run: "true", on: "n1" }] },
    },
    kept: {
      version: 17,
      port: 5433,
      data_directory: "/srv/kept",
      failover: "manual",
      layout: {
        config_file: "/etc/postgresql/17/kept/postgresql.conf",
        hba_file: "/etc/postgresql/17/kept/pg_hba.conf",
        postgresql_unit: "postgresql@17-kept.service",
        repmgr_conf: "/etc/repmgr.conf",
        repmgrd_unit: "repmgrd.service",
        pass_file: "/var/lib/postgresql/.pgpass",
        socket_directory: "/run/postgresql",
        log_directory: "/var/log/postgresql",
      },
      nodes: {
        k1: {
          id: 1,
          host: "h1",
          role: "primary",
          settings: { cluster_name: "k1" },
          repmgr: { conninfo: "host=192.0.2.1 port=5433 user=repmgr dbname=repmgr" },
        },
      },
      hba_lines: ["local all postgres peer", "host repmgr,replication repmgr 192.0.2.1/32 scram-sha-256"],
      repmgr: { password_secret: "kept_password" },
    },
  },
};
// Ways to a key of which a repository has one: the default one needs its file's name somewhere, too. So has TLS.
export const OTHER_KEY: Json = replaced(
  replaced(
    EVERYTHING,
    { path: ["defaults", "repository"], isKey: false },
    { ...repository, key_file: join(directory, "key.asc") },
  ),
  { path: ["postgresql_clusters", "main", "tls"], isKey: false },
  { ...tls, ca_key_secret: "ca_key" },
);

/** And a third way, of which nothing else is worth another look. */
export const FETCHED_KEY: Json = replaced(
  EVERYTHING,
  { path: ["defaults", "repository"], isKey: false },
  { ...repository, key_url: "https://example.org/key.asc", key_fingerprint: ED25519_PRINT },
);

/** Every place that holds a string, and every key of a dictionary with names of a person's choosing. */
export function places(value: Json, path: Path = []): Place[] {
  if (typeof value === "string") return [{ path, isKey: false }];
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, item]) => {
    const at = [...path, Array.isArray(value) ? Number(key) : key];
    return [...(Array.isArray(value) ? [] : [{ path: at, isKey: true }]), ...places(item, at)];
  });
}

/** The same value with another text at one place. */
export function replaced(value: Json, { path, isKey }: Place, by: Json): Json {
  const [first, ...rest] = path;
  if (first === undefined) return by;
  if (Array.isArray(value))
    return value.map((item, i) => (i === first ? replaced(item, { path: rest, isKey }, by) : item));
  const entries = Object.entries(value as { [key: string]: Json }).map(([key, item]): [string, Json] => {
    if (key !== first) return [key, item];
    return rest.length === 0 && isKey ? [by as string, item] : [key, replaced(item, { path: rest, isKey }, by)];
  });
  return Object.fromEntries(entries);
}

/** Where the schema has a string, "*" for any name and any index: "hosts.*.address", "hosts.{key}". */
export function stringsOfSchema(schema: JsonSchema = inventoryJsonSchema(), at = ""): string[] {
  const child = (name: string): string => (at === "" ? name : `${at}.${name}`);
  const own = schema.type === "string" ? [at] : [];
  const properties = Object.entries(schema.properties ?? {}).flatMap(([name, item]) =>
    stringsOfSchema(item, child(name)),
  );
  const named = schema.additionalProperties
    ? [child("{key}"), ...stringsOfSchema(schema.additionalProperties, child("*"))]
    : [];
  const items = schema.items ? stringsOfSchema(schema.items, child("*")) : [];
  const either = (schema.anyOf ?? []).flatMap((item) => stringsOfSchema(item, at));
  return [...own, ...properties, ...named, ...items, ...either];
}

/** Whether a place is one of those that the schema names like that. */
export function isAt({ path, isKey }: Place, pattern: string): boolean {
  const words = pattern.split(".");
  if (words.length !== path.length) return false;
  return words.every((word, index) => {
    const isLast = index === words.length - 1;
    if (word === "{key}") return isLast && isKey;
    if (isLast && isKey) return false;
    return word === "*" || word === path[index];
  });
}
