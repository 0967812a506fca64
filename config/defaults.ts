/** Defaults and rules that both the schema (which loads zod) and the quick readers (which must not) need. */

export const DEFAULTS = {
  sshPort: 22,
  knownHosts: "~/.ssh/known_hosts",
  sudo: "nopasswd",
  family: "debian",
  postgresPort: 5432,
  priority: 100,
  location: "default",
} as const;

/** Of PostgreSQL's unit. A postmaster that is killed takes all sessions with it. */
export const LIMITS = { openFiles: 65536, oomScoreAdjust: -900 } as const;

export const SUPPORTED_VERSIONS = [13, 14, 15, 16, 17] as const;
export type PostgresVersion = (typeof SUPPORTED_VERSIONS)[number];

/** A name and what it may look like, said in words for the error message. */
export interface NameRule {
  readonly pattern: RegExp;
  readonly rule: string;
}

// Clusters and nodes end in unit names, slot names, file names and application_name.
export const CLUSTER_OR_NODE_NAME: NameRule = {
  pattern: /^[a-z][a-z0-9_]{0,39}$/,
  rule: "a lower-case letter, then lower-case letters, digits and _, 40 at most",
};
export const SQL_NAME: NameRule = {
  pattern: /^[a-z_][a-z0-9_]{0,62}$/,
  rule: "a lower-case letter or _, then lower-case letters, digits and _, 63 at most",
};
export const SLOT_NAME: NameRule = {
  pattern: /^[a-z0-9_]{1,63}$/,
  rule: "lower-case letters, digits and _, 63 at most",
};
export const HOST_NAME: NameRule = {
  pattern: /^[A-Za-z0-9][A-Za-z0-9.-]{0,62}$/,
  rule: "letters, digits, . and -, starting with a letter or a digit, 63 at most",
};
export const SECRET_NAME: NameRule = {
  pattern: /^[A-Za-z][A-Za-z0-9_.-]{0,99}$/,
  rule: "a letter, then letters, digits, _, . and -, 100 at most",
};
export const HBA_OPTION: NameRule = { pattern: /^[a-z][a-z0-9_]{0,39}$/, rule: "lower-case letters, digits and _" };
export const SETTING_NAME: NameRule = {
  pattern: /^[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)?$/,
  rule: "lower-case letters, digits and _, with one . for an extension's setting",
};

/** What of a table a publication can publish; in the order in which PostgreSQL names it. */
export const PUBLISHED = ["insert", "update", "delete", "truncate"] as const;
