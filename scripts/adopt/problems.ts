import { SUPPORTED_VERSIONS } from "../../config/defaults";
import { CLUSTER_OR_NODE_NAME } from "../../config/defaults";
import { parseConninfo } from "../../facts/conninfo";
import { debian } from "../../families/debian";
import { type Found, type FoundNode, isPrimary, layoutOf, optionsOf, rowOf } from "./found";

/** Every reason why what was found cannot be taken over as it is, each with where it is and what to do. */
export function problemsOf({ nodes, isWhole }: Found): string[] {
  return [
    ...nodes.flatMap((node) => nodeProblems(node).map((p) => `${node.target.name}: ${p}`)),
    ...wholeProblems(nodes, isWhole),
  ];
}

function nodeProblems(node: FoundNode): string[] {
  return [...serverProblems(node), ...unitProblems(node), ...repmgrProblems(node), ...restartProblems(node)];
}

function serverProblems({ postmaster, server, instance, conf, hba }: FoundNode): string[] {
  const problems: string[] = [];
  const version = instance.majorVersion ?? 0;
  if (!(SUPPORTED_VERSIONS as readonly number[]).includes(version)) {
    problems.push(`PostgreSQL ${version} is not supported; supported are ${SUPPORTED_VERSIONS.join(", ")}`);
  }
  const wanted = `${debian.binDirectory(version)}/postgres`;
  if (postmaster.program !== wanted) {
    problems.push(`PostgreSQL is ${postmaster.program}, supported is that of the packages, ${wanted}`);
  }
  if (postmaster.user !== "postgres") problems.push(`PostgreSQL runs as ${postmaster.user}, supported is postgres`);
  if (instance.running === undefined)
    problems.push(`PostgreSQL refuses connections: ${instance.refusal || "no answer"}`);
  if (conf === undefined) problems.push(`${server.configFile} is not there`);
  if (hba === undefined) problems.push(`${server.hbaFile} is not there`);
  return problems;
}

function unitProblems({ postmaster, repmgrdUnit }: FoundNode): string[] {
  const problems: string[] = [];
  if (!postmaster.unit.endsWith(".service")) {
    problems.push(
      `PostgreSQL (pid ${postmaster.pid}) runs outside of a unit of systemd (${postmaster.unit}), so systemd cannot stop or start it. ` +
        "Restart it through its unit when it suits you, then adopt again",
    );
  }
  if (repmgrdUnit === undefined) {
    problems.push("no repmgrd runs here; start it, so that it is known which unit it belongs to");
  } else if (!repmgrdUnit.endsWith(".service")) {
    problems.push(
      `repmgrd runs outside of a unit of systemd (${repmgrdUnit}). Restart it through its unit, then adopt again`,
    );
  }
  return problems;
}

function repmgrProblems(node: FoundNode): string[] {
  const { repmgrConf, repmgrConfPath, instance, postmaster } = node;
  if (repmgrConf === undefined) return [`${repmgrConfPath} is not there`];
  if (instance.running !== undefined && instance.repmgr === undefined) {
    return ["the database repmgr with the extension repmgr is not there; other names are not supported"];
  }
  const options = optionsOf(node);
  const conninfo = parseConninfo(options.conninfo ?? "");
  const problems: string[] = [];
  const expected = { user: "repmgr", dbname: "repmgr", port: String(postmaster.port) };
  for (const [key, value] of Object.entries(expected)) {
    const found = conninfo[key] ?? (key === "port" ? "5432" : "nothing");
    if (found !== value) problems.push(`conninfo in ${repmgrConfPath} says ${key}=${found}, supported is ${value}`);
  }
  if (conninfo.host === undefined) problems.push(`conninfo in ${repmgrConfPath} names no host`);
  const secret = Object.keys(options).filter((name) => /\bpassword\s*=/i.test(options[name] ?? ""));
  if (secret.length > 0) {
    problems.push(
      `${secret.join(", ")} in ${repmgrConfPath} holds a password, which would stand in the inventory. Move it to ${node.passFilePath}`,
    );
  }
  if (options.replication_user !== undefined && options.replication_user !== "repmgr") {
    problems.push(`replication_user in ${repmgrConfPath} is ${options.replication_user}, supported is repmgr`);
  }
  const { node_id: id = "nothing", node_name: name = "" } = options;
  if (!CLUSTER_OR_NODE_NAME.pattern.test(name)) {
    problems.push(`node_name in ${repmgrConfPath} is "${name}", supported are names of ${CLUSTER_OR_NODE_NAME.rule}`);
  }
  const row = rowOf(node);
  if (row === undefined)
    problems.push(`node_id ${id} of ${repmgrConfPath} is not registered; type: repmgr standby register`);
  else if (row.name !== name) problems.push(`${repmgrConfPath} says node_name ${name}, registered is ${row.name}`);
  return problems;
}

/** The first "up" would restart it, and an adoption restarts nothing. */
function restartProblems({ instance }: FoundNode): string[] {
  const waiting = Object.entries(instance.running?.settings ?? {}).filter(([, { pendingRestart }]) => pendingRestart);
  if (waiting.length === 0) return [];
  const names = waiting.map(([name]) => name).join(", ");
  return [
    `${names} wait for a restart. Restart it when it suits you, or put the old values back and reload, then adopt again`,
  ];
}

function wholeProblems(nodes: readonly FoundNode[], isWhole: boolean): string[] {
  const problems: string[] = [];
  const primaries = nodes.filter(isPrimary);
  if (isWhole && primaries.length !== 1) {
    const list = primaries.map(({ target }) => target.name).join(", ");
    problems.push(`${primaries.length} of these hosts take writes (${list || "none"}); exactly one must`);
  }
  for (const row of (isWhole ? primaries : [])[0]?.instance.repmgr?.nodes ?? []) {
    if (nodes.some((node) => optionsOf(node).node_id === String(row.id))) continue;
    problems.push(
      `${row.name} (node ${row.id}, ${row.conninfo}) is registered and none of these hosts; name its host with --host too, ` +
        `or unregister it: repmgr ${row.type} unregister --node-id=${row.id}`,
    );
  }
  const alike: Readonly<Record<string, (node: FoundNode) => string>> = {
    version: ({ instance }) => String(instance.majorVersion),
    port: ({ postmaster }) => String(postmaster.port),
    "data directory": ({ postmaster }) => postmaster.dataDirectory,
  };
  for (const [what, of] of Object.entries(alike)) problems.push(...differing(what, nodes, of));
  const [first] = nodes;
  const keys = first === undefined ? [] : (Object.keys(layoutOf(first)) as (keyof ReturnType<typeof layoutOf>)[]);
  for (const key of keys) problems.push(...differing(key, nodes, (node) => layoutOf(node)[key] || "nothing"));
  const data = nodes.filter((node) => rowOf(node)?.type !== "witness");
  for (const name of new Set(data.flatMap(({ server }) => Object.keys(server.tablespaces)))) {
    problems.push(
      ...differing(`directory of the tablespace ${name}`, data, ({ server }) => server.tablespaces[name] ?? "nothing"),
    );
  }
  problems.push(
    ...differing("system identifier", data, ({ instance }) => instance.control?.systemIdentifier ?? "unknown"),
  );
  return problems;
}

function differing(what: string, nodes: readonly FoundNode[], of: (node: FoundNode) => string): string[] {
  if (new Set(nodes.map(of)).size <= 1) return [];
  const list = nodes.map((node) => `${node.target.name}: ${of(node)}`).join(", ");
  return [`${what} is not the same on all hosts, and an inventory has one a cluster (${list})`];
}
