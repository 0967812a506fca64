import { DEFAULTS, SQL_NAME } from "../../config/defaults";
import { isGoodDirectory } from "../../config/directory";
import type { DatabaseFact, RoleFact, TablespaceFact } from "../../facts/content";
import { parseConninfo } from "../../facts/conninfo";
import {
  type Found,
  type FoundNode,
  hbaOf,
  isPrimary,
  layoutOf,
  optionsOf,
  rowOf,
  settingsOf,
  split,
  type Target,
} from "./found";
import { comment, pairs, scalar, section } from "./yaml";

/** What a person says about the cluster that its hosts cannot say. */
export interface Wish {
  /** Name of the cluster in the inventory. */
  readonly name: string;
  /** The ssh dictionary of the defaults. */
  readonly ssh: Readonly<Record<string, string | number | boolean | undefined>>;
  /** Path of inventory/schema.json, relative to the file that is written. */
  readonly schema: string;
}

/**
 * The inventory of a cluster as it is.
 * @param found one primary, and nothing that problemsOf names
 */
export function inventoryText(found: Found, wish: Wish): string {
  const nodes = [...found.nodes].sort((a, b) => idOf(a) - idOf(b));
  const primary = nodes.find(isPrimary);
  if (primary === undefined) throw new Error("an inventory needs a primary");
  return [
    `# yaml-language-server: $schema=${wish.schema}`,
    "#",
    ...comment(
      `Written by "npm run adopt" from what ${nodes.map(({ target }) => target.name).join(", ")} showed. It describes the cluster as ` +
        'it is: "pulumi preview" lists what differs from it, and "pulumi up" changes that and nothing else.',
    ),
    ...section("defaults", section("ssh", pairs(wish.ssh))),
    "",
    ...section(
      "hosts",
      nodes.map(({ target }) => hostLine(target)),
    ),
    "",
    ...section("postgresql_clusters", section(wish.name, clusterLines(found, nodes, primary, wish.name))),
    "",
  ].join("\n");
}

function hostLine({ name, address }: Target): string {
  return `${scalar(name)}: { address: ${scalar(address)} }`;
}

function clusterLines(found: Found, nodes: readonly FoundNode[], primary: FoundNode, name: string): string[] {
  const options = split(nodes.map(ownOptions));
  const settings = split(nodes.map((node) => settingsOf(node).own));
  const { configFile, hbaFile, postgresqlUnit, repmgrConf, repmgrdUnit, passFile, socketDirectory, logDirectory } =
    layoutOf(primary);
  const layout = {
    config_file: configFile,
    hba_file: hbaFile,
    postgresql_unit: postgresqlUnit,
    repmgr_conf: repmgrConf,
    repmgrd_unit: repmgrdUnit,
    pass_file: passFile,
    socket_directory: socketDirectory,
    log_directory: logDirectory,
  };
  return [
    ...pairs({
      version: primary.instance.majorVersion ?? 0,
      port: primary.postmaster.port,
      data_directory: primary.postmaster.dataDirectory,
      ...(primary.instance.control?.checksums === true ? {} : { checksums: false }),
      failover: /^automatic$/i.test(optionsOf(primary).failover ?? "") ? "automatic" : "manual",
    }),
    "# Where everything lies. It stays there; to lay it out anew is to build a new cluster.",
    ...section("layout", pairs(layout)),
    ...section(
      "nodes",
      nodes.flatMap((node, index) => nodeLines(node, primary, options.own[index] ?? {}, settings.own[index] ?? {})),
    ),
    ...section("repmgr", [
      "# The password that the role repmgr has now: what the server keeps of it must match this secret.",
      `password_secret: ${name}_repmgr_password`,
      ...serviceComment(nodes),
      ...section("options", pairs(options.common)),
    ]),
    ...elsewhereComment(nodes),
    ...section("settings", pairs(settings.common)),
    ...hbaComment(nodes, primary),
    ...section(
      "hba_lines",
      hbaOf(primary).map((line) => `- ${scalar(line)}`),
    ),
    ...roleLines(found, name),
  ];
}

function idOf(node: FoundNode): number {
  return Number(optionsOf(node).node_id);
}

/** The options of repmgr.conf that the inventory has no word of its own for. */
function ownOptions(node: FoundNode): Record<string, string> {
  const { node_id: _id, node_name: _name, ...options } = optionsOf(node);
  const derived: Readonly<Record<string, boolean>> = {
    data_directory: options.data_directory === node.postmaster.dataDirectory,
    failover: options.failover === "automatic",
    priority: options.priority !== undefined && Number(options.priority) !== DEFAULTS.priority,
    location: options.location !== undefined && options.location !== DEFAULTS.location,
  };
  return Object.fromEntries(Object.entries(options).filter(([name]) => derived[name] !== true));
}

function nodeLines(
  node: FoundNode,
  primary: FoundNode,
  options: Record<string, string>,
  settings: Record<string, string>,
): string[] {
  const {
    priority = String(DEFAULTS.priority),
    location = DEFAULTS.location,
    conninfo = "",
    node_name: name = "",
  } = optionsOf(node);
  const address = parseConninfo(conninfo).host ?? "";
  const row = rowOf(node);
  const upstream = primary.instance.repmgr?.nodes.find(({ id }) => id === primaryRow(node, primary)?.upstream);
  const isCascading = row?.type === "standby" && upstream !== undefined && upstream.id !== idOf(primary);
  return section(name, [
    ...pairs({ id: idOf(node), host: node.target.name, role: isPrimary(node) ? "primary" : (row?.type ?? "standby") }),
    ...(address === node.target.address ? [] : pairs({ address })),
    ...(Number(priority) === DEFAULTS.priority ? [] : pairs({ priority: Number(priority) })),
    ...(location === DEFAULTS.location ? [] : pairs({ location })),
    ...(isCascading ? pairs({ upstream: upstream.name }) : []),
    ...section("repmgr", pairs(options)),
    ...section("settings", pairs(settings)),
  ]);
}

function primaryRow(node: FoundNode, primary: FoundNode) {
  return primary.instance.repmgr?.nodes.find(({ id }) => id === idOf(node));
}

function serviceComment(nodes: readonly FoundNode[]): string[] {
  const without = nodes.filter((node) => optionsOf(node).service_start_command === undefined);
  if (without.length === 0) return [];
  return comment(
    `DECIDE: repmgr.conf of ${without.map(({ target }) => target.name).join(", ")} names no service_start_command. repmgr starts PostgreSQL ` +
      'outside of systemd then, and "pulumi up" will not rejoin a former primary.',
  );
}

function elsewhereComment(nodes: readonly FoundNode[]): string[] {
  const places = new Map<string, Set<string>>();
  for (const node of nodes) {
    for (const [name, file] of Object.entries(settingsOf(node).elsewhere)) {
      places.set(file, (places.get(file) ?? new Set()).add(name));
    }
  }
  const list = [...places].map(([file, names]) => `${[...names].join(", ")} in ${file}`).join("; ");
  return [
    "# The whole postgresql.conf.",
    ...(list === "" ? [] : comment(`Set elsewhere, which wins over this file, and left alone: ${list}.`)),
  ];
}

function hbaComment(nodes: readonly FoundNode[], primary: FoundNode): string[] {
  const lines = hbaOf(primary);
  const others = nodes.filter((node) => hbaOf(node).join("\n") !== lines.join("\n"));
  if (others.length === 0) return ["# The whole pg_hba.conf, in order."];
  const said = others.map((node) => {
    const theirs = hbaOf(node);
    const [more, fewer] = [theirs.filter((l) => !lines.includes(l)), lines.filter((l) => !theirs.includes(l))];
    const parts = [...more.map((line) => `has "${line}"`), ...fewer.map((line) => `lacks "${line}"`)];
    return `${node.target.name} ${parts.join(", ") || "has another order"}`;
  });
  return comment(
    `DECIDE: pg_hba.conf is not the same everywhere. This is that of ${primary.target.name}, and "pulumi up" gives it to all: ${said.join("; ")}.`,
  );
}

const NOT_LISTED = ["postgres", "repmgr"];

function roleLines({ content: { roles: found, tablespaces, databases } }: Found, cluster: string): string[] {
  const all = found.filter(({ name }) => !NOT_LISTED.includes(name));
  const roles = all.filter(({ name }) => SQL_NAME.pattern.test(name));
  const listed = databases.filter(
    ({ name, closed }) => closed !== true && !NOT_LISTED.includes(name) && SQL_NAME.pattern.test(name),
  );
  const spaces = tablespaces.filter(isNamed);
  const left = [
    ...[...all, ...databases].map(({ name }) => name).filter((name) => !SQL_NAME.pattern.test(name)),
    ...tablespaces.filter((space) => !isNamed(space)).map(({ name, directory }) => `${name} in ${directory}`),
  ];
  return [
    ...(left.length === 0 ? [] : comment(`Left alone, because an inventory cannot name them: ${left.join(", ")}.`)),
    ...section(
      "roles",
      roles.flatMap((role) => {
        const rights = (["superuser", "createdb", "createrole", "replication"] as const).filter((right) => role[right]);
        return section(role.name, [
          ...(role.verifier === null
            ? []
            : [`# password_secret: ${cluster}_${role.name}_password # its password stays as it is without`]),
          ...pairs({ login: role.login }),
          ...rights.map((right) => `${right}: true`),
          ...(role.connectionLimit === -1 ? [] : pairs({ connection_limit: role.connectionLimit })),
        ]);
      }),
    ),
    ...section(
      "tablespaces",
      spaces.flatMap((space) => spaceLines(space, roles)),
    ),
    ...section(
      "databases",
      listed.flatMap((database) => databaseLines(database, roles, spaces)),
    ),
  ];
}

/** An inventory can say it. */
function isNamed({ name, directory }: TablespaceFact): boolean {
  return SQL_NAME.pattern.test(name) && isGoodDirectory(directory);
}

function spaceLines({ name, directory, owner, options }: TablespaceFact, roles: readonly RoleFact[]): string[] {
  const numbers = Object.fromEntries(Object.entries(options).map(([option, value]) => [option, Number(value)]));
  return section(name, [
    ...pairs({ directory }),
    ...(roles.some((role) => role.name === owner) ? pairs({ owner }) : []),
    ...section("options", pairs(numbers)),
  ]);
}

/** An extension older than its package would be brought up to it: whether it is to be is a person's decision. */
function databaseLines(
  { name, owner, tablespace, extensions }: DatabaseFact,
  roles: readonly RoleFact[],
  spaces: readonly TablespaceFact[],
): string[] {
  const own = extensions.filter((extension) => extension.name !== "plpgsql");
  const current = own.filter(({ version, available }) => version === available);
  const older = own.filter(({ version, available }) => version !== available);
  const list = older.map((e) => `${e.name} ${e.version} (the packages have ${e.available ?? "none"})`).join(", ");
  const lines = [
    ...(list === "" ? [] : comment(`DECIDE: not listed, so left alone: ${list}.`)),
    ...(roles.some((role) => role.name === owner) ? pairs({ owner }) : []),
    ...(spaces.some((space) => space.name === tablespace) ? pairs({ tablespace }) : []),
    ...(current.length === 0 ? [] : [`extensions: [${current.map((e) => scalar(e.name)).join(", ")}]`]),
  ];
  return lines.every((line) => line.startsWith("#")) ? [...lines, `${scalar(name)}: {}`] : section(name, lines);
}
