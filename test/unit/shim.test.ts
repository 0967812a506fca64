import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { execFileSync } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { shim } from "../../resources/shim";

// Loads the text the way the SDK's provider process does: as a module without a file, in the folder of Pulumi.yaml.
const LOAD = `
const requireFromString = require(process.argv[1]);
const provider = requireFromString(process.argv[2]).handler();
(async () => {
  await provider.configure({ config: { get: (key) => "value of " + key } });
  const answers = [];
  for (const [method, ...args] of JSON.parse(process.argv[3])) answers.push(await provider[method](...args));
  console.log(JSON.stringify(answers));
})();
`;
const MAIN = `
let config;
exports.configure = async (given) => { config = given; };
for (const method of ["check", "diff", "create", "read", "update", "delete"]) {
  exports[method] = async (...args) => [method, ...args, config.get("k")];
}
`;

describe("the provider text in the state", () => {
  it("is pinned: another text means an update of every resource in every state", () => {
    expect(createHash("sha256").update(shim).digest("hex")).toBe(
      "8809db12a18f110fe6cad27e4b396ed4cf4b62d2bb3d875d17ca2f5e474c8241",
    );
    expect(Buffer.byteLength(shim)).toBeLessThan(2048);
  });

  it("names one file of the program, and nothing of this machine", () => {
    expect(shim.match(/"[^"]*"/g)).toEqual(['"./bin/providers/main.js"']);
    expect(shim).not.toContain(process.cwd());
  });

  it("gives every call, with its arguments, to the code that lies in the working directory now", () => {
    const calls = [
      ["check", { a: 1 }, { a: 2 }],
      ["diff", "id", { a: 1 }, { a: 2 }],
      ["create", { a: 2 }],
      ["read", "id", { a: 1 }],
      ["update", "id", { a: 1 }, { a: 2 }],
      ["delete", "id", { a: 1 }],
    ];
    const folder = mkdtempSync(join(tmpdir(), "shim-"));
    try {
      mkdirSync(join(folder, "bin", "providers"), { recursive: true });
      writeFileSync(join(folder, "bin", "providers", "main.js"), MAIN);
      const loader = require.resolve("require-from-string", { paths: [require.resolve("@pulumi/pulumi")] });
      const args = ["-e", LOAD, loader, shim, JSON.stringify(calls)];
      const answers: unknown = JSON.parse(execFileSync(process.execPath, args, { cwd: folder, encoding: "utf8" }));
      expect(answers).toEqual(calls.map((call) => [...call, "value of k"]));
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
