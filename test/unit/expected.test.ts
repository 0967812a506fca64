import { ActionFailed } from "../../actions/executor";
import { told } from "../../providers/expected";
import { Refused } from "../../providers/kind";
import { SudoRefused, Unreachable } from "../../ssh/errors";
import type { HostConnection } from "../../ssh/types";

const host = { name: "db1" } as HostConnection;
const action = { do: "run", host: "db1", why: "start it", script: "true" } as const;

/** As the SDK's server writes an error of check, diff, read and delete. */
async function shown(error: Error): Promise<{ written: string; message: string }> {
  const got: unknown = await told("read PgInstance", Promise.reject(error)).catch((e: unknown) => e);
  if (!(got instanceof Error)) throw new Error("nothing was thrown");
  return { written: `${got}: ${got.stack ?? ""}`, message: got.message };
}

test.each<[string, Error]>([
  ["a host that cannot be reached", new Unreachable(host, "timeout", "db1: no answer")],
  ["a host without sudo", new SudoRefused(host, "db1: sudo asks")],
  ["a refused change", new Refused("two primaries")],
  ["an action that failed", new ActionFailed(action, "exit status 1")],
  ["an action that failed while others were undone", new Error("and then", { cause: new ActionFailed(action, "x") })],
])("%s: the message goes to the engine, once and without a stack", async (_, error) => {
  const { written, message } = await shown(error);
  expect(message).toBe(error.message);
  expect(written).toBe("read PgInstance: see its own error");
});

test("an error nobody foresaw keeps its stack", async () => {
  const error = new TypeError("x is undefined");
  expect((await shown(error)).written).toContain("expected.test.ts");
});
