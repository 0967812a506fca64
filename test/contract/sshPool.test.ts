import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { createServer, type AddressInfo } from "node:net";
import { writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { join } from "node:path";
import { utils } from "ssh2";
import { HostKeyChanged, HostKeyUnknown, Unreachable } from "../../ssh/errors";
import { SshPool, type SshEvent, type SshLimits } from "../../ssh/pool";
import type { HostConnection } from "../../ssh/types";
import { SshAgent } from "../support/sshAgent";
import { failureOf, newKey, SshServer, type SshServerOptions } from "../support/sshServer";

const servers: SshServer[] = [];
const pools: SshPool[] = [];

async function serve(options: SshServerOptions = {}): Promise<SshServer> {
  const server = await SshServer.start(options);
  servers.push(server);
  return server;
}

function newPool(limits: Partial<SshLimits> = {}, secrets: Record<string, string> = {}): SshPool {
  const pool = new SshPool({ secrets: (name) => secrets[name], limits: { pauseMs: 20, ...limits } });
  pools.push(pool);
  return pool;
}

afterEach(async () => {
  await Promise.all(pools.splice(0).map((pool) => pool.close()));
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

function echo(pool: SshPool, host: HostConnection, script = "echo a") {
  return pool.run(host, { what: "say a", script, deadlineMs: 10_000 });
}

describe("connections", () => {
  it("twenty runs at the same time dial once and open four sessions", async () => {
    const server = await serve();
    const events: SshEvent[] = [];
    const pool = new SshPool({ secrets: () => undefined, log: (event) => events.push(event) });
    pools.push(pool);
    const runs = Array.from({ length: 20 }, (_, i) => echo(pool, server.host(), `sleep 0.05; echo ${i}`));
    const results = await Promise.all(runs);
    expect(results.map((result) => result.stdout)).toEqual(Array.from({ length: 20 }, (_, i) => `${i}\n`));
    expect([server.connections, pool.connections.get("n1"), server.mostSessions]).toEqual([1, 1, 4]);
    expect(events.filter((event) => event.event === "connect")).toHaveLength(1);
    expect(events.filter((event) => event.event === "run" && event.what === "say a")).toHaveLength(20);
  });

  it.each([1, 2])("a server that allows %d sessions gets no more, and every run is done once", async (maxSessions) => {
    const server = await serve({ maxSessions });
    const pool = newPool();
    const log = join(server.scratch, "log");
    const runs = Array.from({ length: 12 }, (_, i) => echo(pool, server.host(), `echo ${i} >> ${log}`));
    await Promise.all(runs);
    const { stdout } = await echo(pool, server.host(), `sort -n ${log} | tr '\\n' ' '`);
    expect(stdout).toBe("0 1 2 3 4 5 6 7 8 9 10 11 ");
    expect([server.connections, server.mostSessions]).toEqual([1, maxSessions]);
  });

  it("a server that is slow to end sessions does not make us forget how many it allows", async () => {
    const server = await serve({ maxSessions: 2, lingerMs: 15 });
    const pool = newPool();
    await Promise.all(Array.from({ length: 12 }, () => echo(pool, server.host())));
    const meet = (mine: string, other: string) =>
      echo(
        pool,
        server.host(),
        `cd ${server.scratch}; : > ${mine}; until [ -e ${other} ]; do sleep 0.01; done; echo met`,
      );
    const met = await Promise.all([meet("x", "y"), meet("y", "x")]);
    expect(met.map((result) => result.stdout)).toEqual(["met\n", "met\n"]);
  });

  it("a host that goes away before it began a command fails the run", async () => {
    const server = await serve({ delayMs: 50 });
    const run = failureOf(echo(newPool(), server.host()));
    while (server.commands.length === 0) await sleep(5);
    await server.close();
    await sleep(100);
    expect(await run).toBeInstanceOf(Unreachable);
  });

  it("a server that allows no session at all is an error, in time", async () => {
    const server = await serve({ maxSessions: 0 });
    const error = await failureOf(echo(newPool({ openMs: 100 }), server.host()));
    expect(error).toMatchObject({ reason: "refused", message: expect.stringContaining("MaxSessions") });
  });

  it("a dropped first attempt is dialled again", async () => {
    const server = await serve({ dropConnections: 2 });
    expect(await echo(newPool(), server.host())).toMatchObject({ stdout: "a\n" });
    expect(server.connections).toBe(3);
  });

  it("a connection that was cut while idle is replaced", async () => {
    const server = await serve();
    const pool = newPool();
    await echo(pool, server.host());
    server.cut();
    expect(await echo(pool, server.host())).toMatchObject({ stdout: "a\n" });
    expect(pool.connections.get("n1")).toBe(2);
  });

  it("a host that fell silent while idle is noticed before anything is sent", async () => {
    const server = await serve();
    const pool = newPool({ keepaliveMs: 100, keepaliveCount: 50 });
    await echo(pool, server.host());
    server.freeze();
    await sleep(120);
    expect(await echo(pool, server.host())).toMatchObject({ stdout: "a\n" });
    expect(server.commands).toHaveLength(2);
  });

  it("close() ends them, and runs that go on end with an error", async () => {
    const server = await serve();
    const pool = newPool();
    const running = failureOf(echo(pool, server.host(), "echo began; sleep 60"));
    while (server.commands.length === 0) await sleep(5);
    await pool.close();
    await expect(echo(pool, server.host())).rejects.toThrow("closed on this side before it was possible to say a");
    expect(server.connections).toBe(1);
    expect(await running).toMatchObject({ reason: "lost", message: expect.stringContaining("closed on this side") });
  });
});

describe("an idle connection", () => {
  it("does not keep the process alive", async () => {
    const server = await serve();
    const program = `
      const { SshPool } = require("./bin/ssh/pool");
      const host = JSON.parse(process.argv[1]);
      const pool = new SshPool({ secrets: () => undefined });
      void pool.run(host, { what: "say a", script: "echo a", deadlineMs: 5000 }).then((r) => process.stdout.write(r.stdout));
    `;
    const cwd = join(__dirname, "../..");
    const args = ["-e", program, JSON.stringify(server.host())];
    const { stdout } = await promisify(execFile)(process.execPath, args, { cwd, timeout: 5000 });
    expect(stdout).toBe("a\n");
  });
});

describe("a connection lost in the middle of a run", () => {
  it("is an error that says the outcome is unknown; nothing is sent twice", async () => {
    const server = await serve({ dropAfterBytes: 100_000 });
    const log = join(server.scratch, "log");
    const error = await failureOf(
      echo(newPool(), server.host(), `echo x >> ${log}; head -c 9000000 /dev/zero; sleep 5`),
    );
    expect(error).toBeInstanceOf(Unreachable);
    expect(error).toMatchObject({ host: "n1", reason: "lost" });
    expect(error.message).toMatch(/connection was lost .* while trying to say a; the command's outcome is unknown/);
    expect(server.commands).toHaveLength(1);
  });

  it("is noticed when the host falls silent", async () => {
    const server = await serve();
    const running = echo(newPool({ keepaliveMs: 50, keepaliveCount: 3 }), server.host(), "echo half; sleep 60");
    setTimeout(() => server.freeze(), 300);
    await expect(running).rejects.toMatchObject({
      reason: "lost",
      message: expect.stringMatching(/has not answered for 150 ms.*Last line it printed: half/),
    });
  });
});

describe("a host that cannot be dialled", () => {
  it("refuses the connection", async () => {
    const server = await serve();
    const gone = await SshServer.start();
    await gone.close();
    const host = server.host({ port: gone.port });
    const error = await failureOf(echo(newPool(), host));
    expect(error).toMatchObject({ name: "Unreachable", reason: "dial", host: "n1" });
    expect(error.message).toContain(`nc -vz 127.0.0.1 ${host.port}`);
  });

  it("answers nothing, or not as an SSH server", async () => {
    const mute = createServer({ allowHalfOpen: true });
    await new Promise<void>((resolve) => mute.listen(0, "127.0.0.1", resolve));
    const server = await serve();
    const host = server.host({ port: (mute.address() as AddressInfo).port });
    await expect(echo(newPool({ handshakeMs: 200 }), host)).rejects.toMatchObject({ reason: "timeout" });
    mute.on("connection", (socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"));
    await expect(echo(newPool({ handshakeMs: 500 }), host)).rejects.toMatchObject({ reason: "refused" });
    mute.close();
  });

  it("is asked again by the next run", async () => {
    const server = await serve({ dropConnections: 1 });
    const pool = newPool({ attempts: 1 });
    await expect(echo(pool, server.host())).rejects.toBeInstanceOf(Unreachable);
    expect(await echo(pool, server.host())).toMatchObject({ stdout: "a\n" });
  });
});

describe("host keys", () => {
  it("an unknown one is refused before the login is tried", async () => {
    const server = await serve();
    const error = await failureOf(echo(newPool(), server.host({ hostKeys: [] })));
    expect(error).toBeInstanceOf(HostKeyUnknown);
    expect(server.connections).toBe(1);
    expect(server.logins).toBe(0);
  });

  it("a changed one is refused, with both fingerprints", async () => {
    const server = await serve();
    const error = await failureOf(echo(newPool(), server.host({ hostKeys: [newKey().public] })));
    expect(error).toBeInstanceOf(HostKeyChanged);
    expect(error.expected).toHaveLength(1);
    expect(error.expected).not.toContain(error.seen);
    expect([server.connections, server.logins]).toEqual([1, 0]);
  });

  it("a known one of known_hosts is accepted, by the kind that is known", async () => {
    const keys = [newKey("ed25519"), newKey("rsa"), newKey("ecdsa")];
    const server = await serve({ hostKeys: keys.map((key) => key.private) });
    for (const [index, key] of keys.entries()) {
      const host = server.host({ name: `n${index}`, hostKeys: [] });
      writeFileSync(host.knownHostsFile, `[127.0.0.1]:${host.port} ${key.public}\n`);
      expect(await echo(newPool(), host)).toMatchObject({ stdout: "a\n" });
    }
  });
});

describe("logins", () => {
  it("a refused one is not tried again and says what was tried and what the server accepts", async () => {
    const server = await serve({ refuseAuth: true });
    const error = await failureOf(echo(newPool(), server.host()));
    expect(error).toMatchObject({ reason: "auth", host: "n1" });
    expect(error.message).toContain(`Tried: the key ${server.clientKeyFile}`);
    expect(error.message).toContain("it accepts: publickey");
    expect(server.connections).toBe(1);
  });

  it("with a key from a secret", async () => {
    const server = await serve();
    const host = server.host({ keyFile: undefined, keySecret: "key" });
    expect(await echo(newPool({}, { key: server.clientKey.private }), host)).toMatchObject({ stdout: "a\n" });
    await expect(echo(newPool(), host)).rejects.toThrow("pulumi config set --secret key");
  });

  it("with an encrypted key file", async () => {
    const server = await serve();
    const locked = utils.generateKeyPairSync("ed25519", { passphrase: "opensesame", cipher: "aes256-ctr", rounds: 4 });
    server.allow(locked.public);
    const keyFile = join(server.scratch, "locked");
    writeFileSync(keyFile, locked.private);
    const host = server.host({ keyFile, passphraseSecret: "phrase" });
    expect(await echo(newPool({}, { phrase: "opensesame" }), host)).toMatchObject({ stdout: "a\n" });
    const error = await failureOf(echo(newPool({}, { phrase: "wrong-phrase" }), host));
    expect(error).toMatchObject({ reason: "auth", message: expect.stringContaining(keyFile) });
    expect(error.message).not.toContain("wrong-phrase");
    await expect(echo(newPool(), { ...host, passphraseSecret: undefined })).rejects.toMatchObject({ reason: "auth" });
  });

  it("with the agent, after the host's own key was refused", async () => {
    const server = await serve();
    const agent = await SshAgent.start(join(server.scratch, "agent"), [newKey().private, server.clientKey.private]);
    const keyFile = join(server.scratch, "other");
    writeFileSync(keyFile, newKey().private);
    const host = server.host({ agent: true, keyFile });
    process.env["SSH_AUTH_SOCK"] = agent.path;
    expect(await echo(newPool(), host)).toMatchObject({ stdout: "a\n" });
    expect(agent.signatures).toBe(1);
    delete process.env["SSH_AUTH_SOCK"];
    await agent.close();
    await expect(echo(newPool(), { ...host, keyFile: undefined })).rejects.toThrow("SSH_AUTH_SOCK is not set");
  });

  it("with nothing to log in with, or a key file that is not there", async () => {
    const server = await serve();
    await expect(echo(newPool(), server.host({ keyFile: undefined }))).rejects.toThrow("nothing to log in with");
    await expect(echo(newPool(), server.host({ keyFile: "/none" }))).rejects.toThrow("/none cannot be read (ENOENT)");
    expect(server.connections).toBe(0);
  });
});

describe("a jump host", () => {
  it("carries the connection, each with its own key check, dialled once", async () => {
    const [bastion, inner] = [await serve(), await serve()];
    const jump = bastion.host({ name: "bastion" });
    const pool = newPool();
    const hosts = [inner.host({ jump }), inner.host({ name: "n2", jump })];
    const results = await Promise.all(hosts.flatMap((host) => [echo(pool, host), echo(pool, host)]));
    expect(results.map((result) => result.stdout)).toEqual(["a\n", "a\n", "a\n", "a\n"]);
    expect([...pool.connections]).toEqual(
      expect.arrayContaining([
        ["bastion", 1],
        ["n1", 1],
        ["n2", 1],
      ]),
    );
    await expect(echo(pool, inner.host({ name: "n3", jump, hostKeys: [newKey().public] }))).rejects.toThrow(
      HostKeyChanged,
    );
  });

  it("that cannot reach the host names both", async () => {
    const bastion = await serve();
    const jump = bastion.host({ name: "bastion" });
    const promise = echo(newPool(), { ...bastion.host(), port: 1, jump });
    await expect(promise).rejects.toThrow(/n1 \(.*:1\): cannot be dialled through bastion \(/);
  });
});
