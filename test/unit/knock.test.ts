import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { knockProbe } from "../../facts/host";

const HOST = "127.0.0.1";

/** Nothing is accepted while a test waits for its script, so only as many get in as the kernel lets wait. */
let server: Server;
let port: number;
const bin = mkdtempSync(join(tmpdir(), "knock-"));
beforeEach(async () => {
  server = createServer();
  await new Promise<void>((resolve) => server.listen({ host: HOST, port: 0, backlog: 1 }, resolve));
  port = (server.address() as AddressInfo).port;
});
afterEach(() => new Promise<void>((resolve) => server.close(() => resolve())));
afterAll(() => rmSync(bin, { recursive: true }));

/** @param before shell that comes before it on the host */
function knock(to: number, before = ""): string {
  const probe = knockProbe(HOST, to);
  const { status, stdout, stderr } = spawnSync("/bin/sh", ["-s"], {
    input: `${before}\n${probe.script}`,
    encoding: "utf8",
    env: { PATH: `${bin}:/usr/bin:/bin` },
    timeout: 15_000,
  });
  return probe.parse({ code: status ?? -1, stdout, stderr }, { from: 0, to: 0 });
}

test("a port that takes the connection, and one that refuses it, can be reached", async () => {
  expect(knock(port)).toBe("");
  const closed = port;
  await new Promise<void>((resolve) => server.close(() => resolve()));
  expect(knock(closed)).toBe("");
});

test("one from which nothing comes back cannot", () => {
  const others = Array.from(
    { length: 4 },
    () => `timeout 10 bash -c 'exec 3<>/dev/tcp/${HOST}/${port}; sleep 9' >/dev/null 2>&1 &`,
  );
  const begun = Date.now();
  expect(knock(port, `${others.join("\n")}\nsleep 1`)).toBe(`unreachable=${HOST} no answer within 2 s\n`);
  expect(Date.now() - begun).toBeLessThan(8_000);
});

test("on a host that is so busy that a shell takes seconds to start, that is not taken for a silent port", () => {
  writeFileSync(join(bin, "bash"), '#!/bin/sh\nsleep 3\nexec /bin/bash "$@"\n');
  chmodSync(join(bin, "bash"), 0o755);
  expect(knock(port)).toBe("");
});
