import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { dateNow } from "../../providers/commands";
import { pgInstanceKind, type PgInstanceInputs } from "../../providers/pgInstance";

test("only files dated into the future are dated now, and one that is not there is no error", () => {
  const directory = mkdtempSync(join(tmpdir(), "dates-"));
  const [past, future, absent] = ["it's past", "$future", "absent"].map((name) => join(directory, name)) as [
    string,
    string,
    string,
  ];
  const now = Date.now() / 1000;
  for (const [path, at] of [
    [past, now - 600],
    [future, now + 600],
  ] as const) {
    writeFileSync(path, "");
    utimesSync(path, at, at);
  }
  execFileSync("/bin/sh", ["-ec", dateNow([past, future, absent])]);
  expect(statSync(past).mtimeMs / 1000).toBeCloseTo(now - 600, 1);
  expect(Math.abs(statSync(future).mtimeMs / 1000 - now)).toBeLessThan(60);
  rmSync(directory, { recursive: true });
});

test.each([
  ["", "is empty"],
  ["two\nlines", "holds a line break or a NUL"],
  ["with\0nul", "holds a line break or a NUL"],
])("a password of repmgr that no password file can hold is refused: %j", (repmgrPassword, problem) => {
  const inputs = { cluster: "main", repmgrPassword } as PgInstanceInputs;
  expect(pgInstanceKind.validate(inputs)).toEqual([
    `cluster main: the password of the role repmgr ${problem}, which no password file can hold. Set another one: ` +
      `pulumi config set --secret main_repmgr_password, or the secret that repmgr.password_secret names`,
  ]);
});

test("any other password is none of its business", () => {
  expect(pgInstanceKind.validate({ cluster: "main", repmgrPassword: "a'b: \\\"é" } as PgInstanceInputs)).toEqual([]);
});
