import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { z } from "zod";
import { makeAuthority } from "../actions/certificates";
import { resolvePath } from "../config/deriveHosts";
import { caKeySecret } from "../config/deriveTls";
import { nodeAt, toPlain } from "../config/located";
import { formatProblems } from "../config/loadInventory";
import { readInventory } from "../config/readInventory";
import { runCommand } from "./clusterSession";
import { lastLine } from "./childProcess";
import { CommandError, runOnStack, STACK_OPTIONS, type StackChoice, stackChoice } from "./ownStack";
import { stackSettings } from "./stackSettings";

const DEADLINE_MS = 60_000;
const USAGE = `usage: npm run ca -- CLUSTER [--secret NAME] [--stack NAME] [--config-file FILE]
Makes an authority for the TLS of a cluster: its certificate goes into the file that the inventory names (tls.ca_file), its
private key into the stack's secret that it names (tls.ca_key_secret, else CLUSTER_ca_key), and nowhere else.
--secret makes another one beside an authority that is there, to replace it later: its certificate is added to the file.`;

const tlsPart = z.object({ ca_file: z.string(), ca_key_secret: z.string().optional() });

async function main(args: readonly string[]): Promise<number> {
  const options = { ...STACK_OPTIONS, secret: { type: "string" } } as const;
  const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true });
  const [cluster] = positionals;
  if (cluster === undefined || positionals.length > 1) throw new CommandError(`name one cluster\n${USAGE}`);
  const choice = stackChoice(values);
  const settings = await stackSettings(choice, "hidden");
  const { file, secret } = placesOf(cluster, settings.get("inventory"));
  const name = values.secret ?? secret;
  if (settings.has(name)) {
    if (values.secret === undefined && !existsSync(file))
      throw new CommandError(
        `the stack has the secret ${name}, but ${file} is not there: this command was cut, or the file was not checked out. ` +
          `If no copy of it is left and no host has a certificate of it: pulumi config rm ${name}, then this command again`,
      );
    throw new CommandError(
      `the stack has the secret ${name} already; to make an authority that will replace the one that is there: --secret ANOTHER_NAME`,
    );
  }
  const before = existsSync(file) ? readFileSync(file, "utf8") : "";
  if (before !== "" && values.secret === undefined) {
    throw new CommandError(
      `${file} is there already, and its private key is not in the stack. If you have it: pulumi config set --secret ${name} <KEY_FILE; ` +
        `to add an authority of your own: --secret ANOTHER_NAME`,
    );
  }
  const { certificate, key } = await makeAuthority(`${cluster} ${new Date().toISOString().slice(0, 10)}`);
  // Its other half is of no use without the key: nobody has to trust what nobody can sign with.
  await setSecret(choice, name, key);
  writeFileSync(file, `${before}${before === "" || before.endsWith("\n") ? "" : "\n"}${certificate}`);
  console.log(`${file} holds the certificate of the authority, the stack's secret ${name} its private key`);
  return 0;
}

/** The inventory need not be whole yet: it lacks what is made here. */
function placesOf(cluster: string, path: string | undefined): { file: string; secret: string } {
  if (path === undefined)
    throw new CommandError('the stack names no inventory: type "pulumi config set inventory FILE"');
  const { root, problems } = readInventory(path);
  if (root === undefined) throw new CommandError(formatProblems(problems));
  const at = ["postgresql_clusters", cluster, "tls"];
  const written = nodeAt(root, at);
  const found = tlsPart.safeParse(written && toPlain(written));
  if (!found.success) {
    throw new CommandError(
      `the inventory does not say where the certificate goes: write "tls: { ca_file: ${cluster}-ca.crt }" into ${at.slice(0, 2).join(".")}`,
    );
  }
  const { ca_file: file } = found.data;
  return {
    file: resolvePath(file, nodeAt(root, [...at, "ca_file"])?.file ?? path),
    secret: caKeySecret(cluster, found.data),
  };
}

/** Through stdin: a command line can be read by every user of this machine. */
async function setSecret(choice: StackChoice, name: string, value: string): Promise<void> {
  const { code, output } = await runOnStack(choice, ["config", "set", "--secret", name], DEADLINE_MS, {}, value);
  if (code !== 0) throw new CommandError(`pulumi config set --secret ${name}: ${lastLine(output)}`);
}

runCommand("ca", USAGE, main);
