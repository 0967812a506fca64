import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Lab } from "../lab";
import { lastLine, runChild } from "../scripts/childProcess";
import { projectRoot } from "../scripts/projectRoot";
import { CLUSTER, DATA, FILES, HOSTS, must, VERSION } from "./hosts";
import { timed } from "./measure";

const DEADLINE_MS = 300_000;
const PORT = 5432;

/** What floor/deploy.sh needs: made once, from hosts that `pulumi up` has deployed, so that both write the same files. */
export class Floor {
  private constructor(
    private readonly dir: string,
    private readonly env: Readonly<Record<string, string>>,
  ) {}

  /** Takes the files from deployed hosts. */
  static async prepare(lab: Lab, dir: string, passwords: { repmgr: string; app: string }): Promise<Floor> {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    for (const host of HOSTS) {
      mkdirSync(join(dir, "files", host), { recursive: true });
      for (const [name, files] of Object.entries(FILES)) {
        const archive = await must(lab, host, `cd / && tar -c ${files.map((file) => `.${file}`).join(" ")} | base64`);
        writeFileSync(join(dir, "files", host, `${name}.tar`), Buffer.from(archive, "base64"), { mode: 0o600 });
      }
    }
    writeFileSync(join(dir, "ssh_config"), sshConfig(lab));
    const rules = await must(lab, HOSTS[0], "firewall-cmd --list-rich-rules");
    return new Floor(dir, {
      VERSION: String(VERSION),
      CLUSTER,
      PORT: String(PORT),
      DATA,
      PRIMARY: lab.host(HOSTS[0]).address,
      RULES: rules.trim(),
      REPMGR_PASSWORD: passwords.repmgr,
      APP_PASSWORD: passwords.app,
    });
  }

  /** Deploys bare hosts by the script, over connections that are open before the clock starts. Milliseconds. */
  async run(): Promise<number> {
    await this.ssh("-N", "-f");
    try {
      return await timed(() =>
        this.must("floor/deploy.sh", [join(projectRoot(), "bench", "floor", "deploy.sh"), this.dir]),
      );
    } finally {
      await this.ssh("-O", "exit");
    }
  }

  private async ssh(...options: string[]): Promise<void> {
    const command = HOSTS.map((host) => `ssh -F ssh_config ${options.join(" ")} ${host} >/dev/null 2>&1`).join("\n");
    await this.must(`ssh ${options.join(" ")}`, ["-ec", `cd "$0"\n${command}`, this.dir]);
  }

  private async must(what: string, args: readonly string[]): Promise<void> {
    const env = { ...process.env, ...this.env };
    const { code, output } = await runChild({ what, command: "bash", args, env, deadlineMs: DEADLINE_MS });
    if (code !== 0) throw new Error(`${what}: exit status ${code}: ${output.trim().slice(-1_000) || lastLine(output)}`);
  }
}

/** The socket's path is short on purpose: the system allows 108 characters. */
function sshConfig(lab: Lab): string {
  const hosts = HOSTS.map((host) => `Host ${host}\n  HostName ${lab.host(host).address}\n`).join("");
  return `${hosts}Host *
  User admin
  IdentityFile ${lab.keyFile}
  IdentitiesOnly yes
  UserKnownHostsFile ${lab.knownHosts}
  StrictHostKeyChecking yes
  BatchMode yes
  ControlMaster auto
  ControlPath /tmp/repmgr-floor-%C
  ControlPersist 300
  LogLevel ERROR
`;
}
