import { createHmac } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { HostKeyChanged, HostKeyUnknown } from "../../ssh/errors";
import { fingerprint, knownHostsKeys, knownKeys, offeredAlgorithms, refusalOf } from "../../ssh/hostKeys";
import type { HostConnection } from "../../ssh/types";
import { newKey } from "../support/sshServer";

// Made by OpenSSH 9.2: a key, its fingerprint (ssh-keygen -lf), and known_hosts lines for db1.example and
// [db1.example]:2222 (ssh-keygen -H).
const RECORDED = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICCoeHbzlfm06nq0x5kokUSTOtaGfqzDVWGczfRY6NTE";
const RECORDED_FINGERPRINT = "SHA256:8A5fieMMnoA2zI8+SYSZ3ndXRz0vfc1rTXiYU2wFlWY";
const HASHED = `|1|bjFscz0e0HqAHfi95zrXmAzzzEc=|A8Ws+RyIHbABw01roWV7dTqVAbE= ${RECORDED}
|1|e2e7q3uOubd43tyCMBls7bxcxCw=|IhdE/fUcD9kGxU/Ajxtr8WYrp3k= ${RECORDED}
`;

const ed25519 = newKey().public;
const other = newKey().public;
const rsa = newKey("rsa").public;
const blobOf = (line: string) => Buffer.from(line.split(" ")[1] ?? "", "base64");
const dir = mkdtempSync(join(tmpdir(), "host-keys-"));
afterAll(() => rmSync(dir, { recursive: true }));

function host(over: Partial<HostConnection> = {}): HostConnection {
  const knownHostsFile = join(dir, "known_hosts");
  const base = { name: "n1", address: "db1.example", port: 22, user: "admin", agent: false, sudo: "nopasswd" } as const;
  return { ...base, hostKeys: [], knownHostsFile, ...over };
}

function accepted(text: string, name: string): string[] {
  return knownHostsKeys(text, name).accepted.map((key) => `${key.type} ${key.blob.toString("base64")}`);
}

function hashed(name: string): string {
  const salt = Buffer.from("0123456789abcdef0123");
  return `|1|${salt.toString("base64")}|${createHmac("sha1", salt).update(name).digest("base64")}`;
}

describe("known_hosts", () => {
  it.each([
    ["a plain name", "db1.example"],
    ["a list", "10.0.0.1,db1.example,db1"],
    ["a wildcard", "*.example"],
    ["a question mark", "db?.example"],
    ["another case", "DB1.Example"],
    ["a hash", hashed("db1.example")],
    ["a negation of another", "!db2.example,*.example"],
  ])("finds a key under %s", (_what, field) => {
    expect(accepted(`# comment\n\n${field} ${ed25519} a comment\n`, "db1.example")).toEqual([ed25519]);
  });

  it.each([
    ["another name", "db2.example"],
    ["a name that only looks like a pattern", "db1xexample"],
    ["a negation", "!db1.example,*.example"],
    ["another hash", hashed("db2.example")],
    ["another port", "[db1.example]:2222"],
    ["a broken hash", "|1|x"],
    ["a comment", "#db1.example"],
    ["a certificate authority, which is not verified here", "@cert-authority db1.example"],
  ])("finds none under %s", (_what, field) => {
    expect(accepted(`${field} ${ed25519}\n`, "db1.example")).toEqual([]);
  });

  it("skips lines whose key is not what they say", () => {
    expect(accepted(`db1.example ssh-rsa ${ed25519.split(" ")[1]}\ndb1.example ssh-ed25519\n`, "db1.example")).toEqual(
      [],
    );
  });

  it("reads what ssh-keygen -H makes of it", () => {
    expect([accepted(HASHED, "db1.example"), accepted(HASHED, "DB1.example")]).toEqual([[RECORDED], [RECORDED]]);
    expect(accepted(HASHED, "[db1.example]:2222")).toEqual([RECORDED]);
    expect([accepted(HASHED, "db2.example"), accepted(HASHED, "[db1.example]:22")]).toEqual([[], []]);
  });

  it("prefers the entry with the port, and falls back to the one without", async () => {
    const at2222 = host({ port: 2222 });
    writeFileSync(at2222.knownHostsFile, `db1.example ${ed25519}\n`);
    expect((await knownKeys(at2222)).accepted.map((key) => key.type)).toEqual(["ssh-ed25519"]);
    writeFileSync(at2222.knownHostsFile, `db1.example ${ed25519}\n[db1.example]:2222 ${rsa}\n`);
    expect((await knownKeys(at2222)).accepted.map((key) => key.type)).toEqual(["ssh-rsa"]);
  });
});

describe("the decision about a key", () => {
  it("accepts one of several known keys, and asks the server for a kind it knows", async () => {
    const known = await knownKeys(host({ hostKeys: [rsa, `${ed25519} comment`] }));
    expect(refusalOf(host(), known, blobOf(ed25519))).toBeUndefined();
    expect(offeredAlgorithms(await knownKeys(host({ hostKeys: [rsa] })))[0]).toBe("rsa-sha2-512");
  });

  it("refuses an unknown key, with its fingerprint as ssh-keygen shows it and what to do", async () => {
    const unknown = host({ port: 2222, knownHostsFile: join(dir, "none") });
    const refusal = refusalOf(unknown, await knownKeys(unknown), blobOf(RECORDED));
    expect(refusal).toBeInstanceOf(HostKeyUnknown);
    expect(refusal).toMatchObject({ host: "n1", reason: "hostkey", seen: RECORDED_FINGERPRINT });
    expect(refusal?.message).toContain("ssh-keyscan -p 2222 db1.example | ssh-keygen -lf -");
    expect(refusal?.message).toContain(RECORDED);
    expect(refusal?.message).toContain(join(dir, "none"));
  });

  it("refuses a changed key and names both", async () => {
    const pinned = host({ hostKeys: [ed25519] });
    const refusal = refusalOf(pinned, await knownKeys(pinned), blobOf(other));
    expect(refusal).toBeInstanceOf(HostKeyChanged);
    expect(refusal?.message).toContain(fingerprint(blobOf(other)));
    expect(refusal?.message).toContain(`the inventory expects ssh-ed25519 ${fingerprint(blobOf(ed25519))}`);
  });

  it("refuses a revoked key even where another line accepts it", async () => {
    const revoking = host({ knownHostsFile: join(dir, "revoked") });
    writeFileSync(revoking.knownHostsFile, `db1.example ${ed25519}\n@revoked * ${ed25519}\n`);
    const refusal = refusalOf(revoking, await knownKeys(revoking), blobOf(ed25519));
    expect(refusal).toBeInstanceOf(HostKeyChanged);
    expect(refusal?.message).toContain("revoked");
  });

  it("does not fall back to known_hosts when the inventory gives keys", async () => {
    const pinned = host({ hostKeys: [rsa] });
    writeFileSync(pinned.knownHostsFile, `db1.example ${ed25519}\n`);
    expect(refusalOf(pinned, await knownKeys(pinned), blobOf(ed25519))).toBeInstanceOf(HostKeyChanged);
  });
});
