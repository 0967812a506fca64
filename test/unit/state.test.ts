import { check, diff, read, update } from "../../providers/main";
import { Refused } from "../../providers/kind";
import { HEALTHY_NODE } from "../../providers/repmgrNode";
import { STAMP, STATE_VERSION, upToDate, withoutStamp } from "../../providers/state";

const node = { kind: "RepmgrNode", host: "pg1", cluster: "main", state: "down: was standby" };

test("properties of before there were versions get what was not looked at then, and keep what was", () => {
  expect(upToDate("pg1/main", node)).toEqual({ ...HEALTHY_NODE, ...node });
  expect(upToDate("pg1/main", { kind: "FirewallRule", port: 5432 })).toEqual({ kind: "FirewallRule", port: 5432 });
});

test("what was an output and has become an input with another meaning does not keep its old value", () => {
  expect(upToDate("pg1/5432", { kind: "PgInstance", checksums: false })).toMatchObject({
    checksums: "as wanted",
    wantsChecksums: false,
  });
  expect(upToDate("x", { kind: "PgPackages", versions: { "postgresql-17": "17.12" } })).toEqual({
    ...{ kind: "PgPackages", siblings: [], versions: "as on the other nodes" },
  });
});

test("properties of this version are left alone", () => {
  const kept = { ...node, ...STAMP };
  expect(upToDate("pg1/main", kept)).toBe(kept);
  expect(withoutStamp(kept)).toEqual(node);
});

test("those of a newer version are refused, with the release to install", () => {
  const newer = { ...node, stateVersion: STATE_VERSION + 1, stateSince: "0.9.0" };
  expect(() => upToDate("pg1/main", newer)).toThrow(Refused);
  expect(() => upToDate("pg1/main", newer)).toThrow(
    `the state of RepmgrNode pg1/main has version ${STATE_VERSION + 1}, and this program, repmgr-pulumi 0.1.0, understands ` +
      `versions up to ${STATE_VERSION}. It was left alone. Use repmgr-pulumi 0.9.0 or later: git checkout v0.9.0 && ` +
      "npm install --ignore-scripts && npm run build",
  );
});

test.each(["2", -1, 1.5, null, {}])("a version that no release writes (%p) is refused as well", (stateVersion) => {
  const odd = { ...node, stateVersion, stateSince: "$(reboot)" };
  expect(() => upToDate("x", odd)).toThrow(/as new as the one that wrote it/);
});

test("the door is before everything that is told properties of the state, even for a kind that only the newer one has", async () => {
  const newer = { kind: "PgPooler", stateVersion: STATE_VERSION + 1, stateSince: "0.9.0" };
  await expect(read("x", newer)).rejects.toThrow(`understands versions up to ${STATE_VERSION}`);
  await expect(diff("x", newer, newer)).rejects.toThrow(`understands versions up to ${STATE_VERSION}`);
  const { delete: remove } = await import("../../providers/main");
  await expect(remove("x", newer)).rejects.toThrow(`understands versions up to ${STATE_VERSION}`);
  await expect(update("x", newer, newer)).rejects.toThrow(`understands versions up to ${STATE_VERSION}`);
  await expect(check({}, { kind: "PgPooler" })).rejects.toThrow(/does not know the kind "PgPooler"/);
});
