import { readFile } from "node:fs/promises";
import type { AnyAuthMethod, ParsedKey } from "ssh2";
import { Unreachable, where } from "./errors";
import type { HostConnection, SecretLookup } from "./types";

/** One way to log in, and how a message calls it. */
export interface Login {
  readonly label: string;
  readonly method: AnyAuthMethod;
}

/** Turns what the inventory says about a login into what ssh2 wants; each key is decrypted once. */
export class Credentials {
  private readonly keys = new Map<string, ParsedKey>();

  constructor(private readonly secrets: SecretLookup) {}

  /** A secret that a host needs. @throws Unreachable (auth) when the stack does not have it */
  secret(host: HostConnection, name: string, purpose: string): string {
    const value = this.secrets(name);
    if (value !== undefined) return value;
    const message = `${where(host)}: the ${purpose} is the stack secret "${name}", which is not set. Set it with \`pulumi config set --secret ${name}\`.`;
    throw new Unreachable(host, "auth", message);
  }

  /**
   * The ways to log in to a host, in the order they are tried. The keys come before the agent, because a server
   * gives up after a few refused keys and an agent may hold many.
   * @throws Unreachable (auth) when there is none, or a key cannot be read or decrypted
   */
  async logins(host: HostConnection): Promise<Login[]> {
    const logins: Login[] = [];
    if (host.keySecret !== undefined) {
      const text = this.secret(host, host.keySecret, "private key");
      logins.push(await this.keyLogin(host, `the key in the secret "${host.keySecret}"`, text));
    }
    if (host.keyFile !== undefined) logins.push(...(await this.keyFileLogin(host, host.keyFile)));
    const socket = process.env["SSH_AUTH_SOCK"];
    if (host.agent && socket) {
      logins.push({ label: "the ssh-agent", method: { type: "agent", username: host.user, agent: socket } });
    }
    if (logins.length > 0) return logins;
    const why = host.agent
      ? "SSH_AUTH_SOCK is not set, so there is no ssh-agent to ask"
      : "it names no key and no agent";
    const message = `${where(host)}: there is nothing to log in with: ${why}. Start one (\`eval $(ssh-agent) && ssh-add\`) or give the host a key_file in the inventory.`;
    throw new Unreachable(host, "auth", message);
  }

  private async keyFileLogin(host: HostConnection, path: string): Promise<Login[]> {
    const text = await readFile(path, "utf8").catch((error: unknown) => {
      const { code } = error as NodeJS.ErrnoException;
      const message = `${where(host)}: the key file ${path} cannot be read (${code}). Look with \`ls -l ${path}\`.`;
      throw new Unreachable(host, "auth", message);
    });
    const isLocked = host.passphraseSecret === undefined && isEncrypted(await parse(text));
    // As OpenSSH does: a locked key may be open in the agent.
    if (isLocked && host.agent && process.env["SSH_AUTH_SOCK"]) return [];
    return [await this.keyLogin(host, `the key ${path}`, text)];
  }

  private async keyLogin(host: HostConnection, label: string, text: string): Promise<Login> {
    const name = host.passphraseSecret;
    const passphrase = name === undefined ? undefined : this.secret(host, name, "key's passphrase");
    const cacheKey = `${passphrase ?? ""}\0${text}`;
    const key = this.keys.get(cacheKey) ?? (await parse(text, passphrase));
    if (key instanceof Error) {
      const next = name === undefined ? "Name the secret with its passphrase, or add it to the ssh-agent" : "Check";
      const message = `${where(host)}: ${label} cannot be used: ${key.message}. ${next}: \`ssh-keygen -y -f FILE\` shows whether the passphrase fits.`;
      throw new Unreachable(host, "auth", message);
    }
    this.keys.set(cacheKey, key);
    return { label, method: { type: "publickey", username: host.user, key } };
  }
}

async function parse(text: string, passphrase?: string): Promise<ParsedKey | Error> {
  const { utils } = await import("ssh2");
  // OpenSSH's own format comes as an array of one, which the types do not know.
  const [key] = [utils.parseKey(text, passphrase)].flat() as (ParsedKey | Error | undefined)[];
  if (key === undefined) return new Error("it holds no key");
  if (key instanceof Error || key.isPrivateKey()) return key;
  return new Error("it is a public key, the private one is wanted");
}

function isEncrypted(parsed: ParsedKey | Error): boolean {
  return parsed instanceof Error && parsed.message.includes("passphrase");
}
