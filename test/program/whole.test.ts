import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { projectRoot } from "../../scripts/projectRoot";

/** A program of which nothing keeps Node alive but what is tested here; its one resource takes a while. */
function program(end: string): ReturnType<typeof spawnSync> {
  const script = `
const pulumi = require("@pulumi/pulumi");
const { stayUntil } = require(${JSON.stringify(join(projectRoot(), "bin", "resources", "whole.js"))});
(async () => {
  await pulumi.runtime.setMocks({ newResource: () => ({ id: "x", state: {} }), call: () => ({}) });
  const registered = new Promise((resolve) => setTimeout(resolve, 400).unref());
  stayUntil(pulumi.output(registered.then(() => console.log("registered"))));
  ${end}
})();`;
  return spawnSync(process.execPath, ["-e", script], { cwd: projectRoot(), encoding: "utf8", timeout: 20_000 });
}

test("the program lives until its last resource is registered, though nothing else keeps Node alive", () => {
  expect(program("")).toMatchObject({ status: 0, stdout: "registered\n" });
});

test("and ends at once when a registration has failed, so that the SDK can say so", () => {
  const { status, stdout } = program(
    'process.on("unhandledRejection", () => undefined); Promise.reject(new Error("no"));',
  );
  expect({ status, stdout }).toEqual({ status: 0, stdout: "" });
});
