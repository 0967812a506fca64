import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { promote } from "../../resources/scripts";
import type { Edit } from "./configFixture";
import { type Options, OURS, type Ran, run } from "./failoverFixture";

const standby = `standby ${OURS} 1 @ 1 60 1000`;
const seconds = (count: number): Edit => ["options: {", `options: { primary_notification_timeout: ${count},`];

/** What was done, in its order, beside what came of it. */
function promoted(options: Options): Ran & { readonly done: string[] } {
  const ran = run(promote, { own: "t", n2: standby, n3: standby }, options);
  const done = join(ran.dir, "done");
  return { ...ran, done: existsSync(done) ? readFileSync(done, "utf8").trim().split("\n") : [] };
}

/** A repmgr that fails so often with a status of its own; then the node is primary. */
const failing = (times: number, status = 8): string =>
  `echo "promote $*" >>done; [ $(grep -c promote done) -gt ${times} ] || exit ${status}; echo f >promoted`;
const agreeing = "echo validated $1 >>done";
const PROMOTE = "promote standby promote -f /etc/repmgr/main/repmgr.conf --log-to-file";

test("a promotion that succeeds is one call of repmgr", () => {
  expect(promoted({ repmgr: failing(0), validation: agreeing })).toMatchObject({
    status: 0,
    done: [PROMOTE],
    said: "",
  });
});

test("one that fails is tried again, and each time the others are asked first", () => {
  const { status, done, said } = promoted({ repmgr: failing(2), validation: agreeing });
  expect({ status, done }).toEqual({ status: 0, done: [PROMOTE, "validated 1", PROMOTE, "validated 1", PROMOTE] });
  expect(said).toMatch(/^the promotion failed with exit status 8; it is tried again for up to 60 s$/m);
});

test("who is not allowed to is not promoted until he is", () => {
  const { status, done } = promoted({
    repmgr: failing(1),
    validation: "echo refused >>done; [ $(grep -c refused done) -gt 2 ] || exit 1",
  });
  expect({ status, done }).toEqual({ status: 0, done: [PROMOTE, "refused", "refused", "refused", PROMOTE] });
});

test("while others forbid it, it ends with the status of repmgr, and is no primary", () => {
  const { status, done, said } = promoted({
    repmgr: failing(1, 6),
    validation: "echo refused >>done; exit 1",
    edits: [seconds(3)],
  });
  expect(status).toBe(6);
  expect(done.filter((line) => line === PROMOTE)).toHaveLength(1);
  expect(said).toMatch(/not promoted within 3 s$/);
});

test("a node that is primary although repmgr failed is not promoted again: repmgrd tells the others", () => {
  const repmgr = `echo "promote $*" >>done; echo f >promoted; exit 7`;
  expect(promoted({ repmgr, validation: agreeing })).toMatchObject({ status: 7, done: [PROMOTE] });
});
