import { existsSync, mkdirSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { parseArgs } from "node:util";
import { CLUSTER_OR_NODE_NAME } from "../config/defaults";
import { HostDeriver } from "../config/deriveHosts";
import { formatProblems, loadInventory } from "../config/loadInventory";
import type { RawDefaults } from "../config/schema";
import { FactLoader } from "../facts/loader";
import { SshPool } from "../ssh/pool";
import { type AskHost, discover } from "./adopt/discover";
import type { Target } from "./adopt/found";
import { inventoryText } from "./adopt/inventoryText";
import { problemsOf } from "./adopt/problems";
import { projectRoot } from "./projectRoot";

const USAGE = `usage: npm run adopt -- --host HOST[,HOST...] [OPTION...]
Reads a repmgr cluster that was built by others and writes the inventory that describes it. Changes nothing on the hosts.
  --host HOSTS        its hosts, all of them; HOST is an address, or NAME=ADDRESS
  --name NAME         what the cluster is called in the inventory (default: main)
  --output FILE       the inventory to write (default: inventory/NAME.yml); a file that is there is not touched
  --port PORT         port of its PostgreSQL, where a host has several
  --user LOGIN        login on the hosts (default: admin); it becomes root with sudo, without a password, or is root
  --key-file FILE     private key (default: the ssh-agent)
  --known-hosts FILE  public keys of the hosts (default: ~/.ssh/known_hosts)`;

type RawSsh = NonNullable<RawDefaults["ssh"]>;

class Wrong extends Error {}

interface Options {
  readonly targets: readonly Target[];
  readonly name: string;
  readonly output: string;
  readonly port: number | undefined;
  /** The ssh dictionary of an inventory; paths are absolute or begin with ~. */
  readonly ssh: RawSsh;
}

function optionsOf(args: readonly string[]): Options {
  const text = { type: "string" } as const;
  const options = {
    host: text,
    name: text,
    output: text,
    port: text,
    user: text,
    "key-file": text,
    "known-hosts": text,
  };
  const { values } = parseArgs({ args: [...args], options });
  const targets = (values.host ?? "")
    .split(",")
    .filter((host) => host !== "")
    .map(targetOf);
  if (targets.length === 0) throw new Wrong("--host names no host");
  const { name = "main", user = "admin" } = values;
  if (!CLUSTER_OR_NODE_NAME.pattern.test(name))
    throw new Wrong(`--name ${name} is no good name: ${CLUSTER_OR_NODE_NAME.rule}`);
  const port = values.port === undefined ? undefined : Number(values.port);
  if (port !== undefined && !Number.isInteger(port)) throw new Wrong(`--port ${values.port} is no port`);
  const output = values.output ?? join("inventory", `${name}.yml`);
  if (existsSync(output))
    throw new Wrong(`${output} is there already and is not touched; name another file with --output`);
  const path = (given: string | undefined) => (given === undefined || given.startsWith("~") ? given : resolve(given));
  const ssh: RawSsh = { user, key_file: path(values["key-file"]), known_hosts: path(values["known-hosts"]) };
  return { targets, name, output, port, ssh: user === "root" ? { ...ssh, sudo: "none" } : ssh };
}

function targetOf(host: string): Target {
  const at = host.indexOf("=");
  return at < 0 ? { name: host, address: host } : { name: host.slice(0, at), address: host.slice(at + 1) };
}

async function adopt(options: Options): Promise<string> {
  const hosts = Object.fromEntries(options.targets.map(({ name, address }) => [name, { address }]));
  const connections = new HostDeriver({ defaults: { ssh: options.ssh }, hosts }, () => "").connections();
  const pool = new SshPool({ secrets: () => undefined });
  const facts = new FactLoader(pool);
  const ask: AskHost = ({ name }, probe) => {
    const connection = connections.get(name);
    if (connection === undefined) throw new Error(`the host ${name} was not named`);
    return facts.ask(connection, probe, false);
  };
  const { found, problems } = await discover(options.targets, ask, options.port).finally(() => pool.close());
  const all = [...problems, ...problemsOf(found)];
  if (all.length > 0) {
    throw new Wrong(
      `the cluster cannot be taken over as it is; nothing was changed or written:\n${all.map((p) => `  ${p}`).join("\n")}`,
    );
  }
  const schema = relative(dirname(resolve(options.output)), join(projectRoot(), "inventory", "schema.json"));
  return inventoryText(found, {
    name: options.name,
    ssh: options.ssh,
    schema: schema.startsWith(".") ? schema : `./${schema}`,
  });
}

/** Checked as every inventory is, before anybody can use it. @throws Wrong naming every problem */
function write(output: string, text: string): void {
  mkdirSync(dirname(output), { recursive: true });
  const draft = `${output}.draft`;
  writeFileSync(draft, text);
  const { problems } = loadInventory(draft, { has: () => true });
  if (problems.length > 0) {
    const said = formatProblems(problems);
    throw new Wrong(
      `what was found is no inventory this program supports; it is kept in ${draft} to look at:\n${said}`,
    );
  }
  renameSync(draft, output);
}

function next({ name, output }: Options, text: string): string {
  const secrets = [...text.matchAll(/^\s*# password_secret: (\S+)/gm)].map(([, secret]) => secret);
  const others =
    secrets.length === 0
      ? ""
      : `
To have the passwords of other roles kept, too, take the comment away from password_secret in the inventory and type
${secrets.map((secret) => `  pulumi config set --secret ${secret}`).join("\n")}`;
  return `${output} is written. Read it, above all its comments. Then type
  pulumi stack init ${name}
  pulumi config set inventory ${output}
  pulumi config set --secret ${name}_repmgr_password   # what the role repmgr has now: another would be set by "pulumi up"
  pulumi preview                                  # lists what differs from the inventory; at best nothing to change
  pulumi up${others}`;
}

async function main(args: readonly string[]): Promise<void> {
  if (args.includes("--help")) {
    console.log(USAGE);
    return;
  }
  const options = optionsOf(args);
  const text = await adopt(options);
  write(options.output, text);
  console.log(next(options, text));
}

main(process.argv.slice(2)).catch((error: unknown) => {
  const said = error instanceof Error ? error.message : String(error);
  const isUsage = error instanceof TypeError && "code" in error;
  console.error(`adopt: ${said}${isUsage ? `\n${USAGE}` : ""}`);
  process.exitCode = 1;
});
