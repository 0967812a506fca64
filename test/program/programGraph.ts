import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { dump } from "js-yaml";
import type * as pulumi from "@pulumi/pulumi";
import { projectRoot } from "../../scripts/projectRoot";

/** A resource as the program asks the engine for it. Resources are named "Kind name". */
export interface Asked {
  readonly name: string;
  readonly parent: string;
  readonly dependsOn: readonly string[];
  readonly isProtected: boolean;
  /** As it goes over the wire: secrets are marked. */
  readonly inputs: Record<string, unknown>;
}

interface Request {
  getType(): string;
  getName(): string;
  getParent(): string;
  getProtect(): boolean;
  getDependenciesList(): string[];
  getObject(): { toJavaScript(): Record<string, unknown> } | undefined;
}
type Register = (request: Request, callback: (error: unknown, response: unknown) => void) => unknown;

/** The program's secrets in these tests. */
export const SECRET_WORDS = {
  app_password: "word-of-app",
  main_repmgr_password: "word-of-repmgr",
  other_repmgr_password: "word-of-other",
};

/**
 * Runs index.ts on an inventory with Pulumi's own mocks in the engine's place; no host is asked for anything.
 * Keys: "Kind name", such as "PgInstance main-n1".
 */
export async function programGraph(
  inventory: object,
  secrets: Readonly<Record<string, string>> = SECRET_WORDS,
): Promise<Map<string, Asked>> {
  const dir = mkdtempSync(join(tmpdir(), "program-"));
  const file = join(dir, "inventory.yml");
  writeFileSync(file, dump(inventory, { noRefs: true }));
  const before = process.cwd();
  process.chdir(projectRoot());
  try {
    const asked = new Map<string, Asked>();
    await jest.isolateModulesAsync(async () => {
      const sdk = require("@pulumi/pulumi") as typeof pulumi;
      const config = Object.entries({ inventory: file, ...secrets });
      sdk.runtime.setAllConfig(
        Object.fromEntries(config.map(([key, value]) => [`repmgr-pulumi:${key}`, value])),
        Object.keys(secrets).map((key) => `repmgr-pulumi:${key}`),
      );
      await sdk.runtime.setMocks({ newResource: answer, call: () => ({}) }, "repmgr-pulumi", "test");
      listen(sdk, asked);
      require("../../index");
      await drain(sdk);
    });
    return asked;
  } finally {
    process.chdir(before);
    rmSync(dir, { recursive: true });
  }
}

/** What the provider would add to the inputs. */
function answer({ name, inputs }: pulumi.runtime.MockResourceArgs): { id: string; state: object } {
  return {
    id: `${name}-id`,
    state: { ...(inputs as object), role: "standby", primary: "n1", timeline: 1, nodes: [], connectionStrings: {} },
  };
}

function listen(sdk: typeof pulumi, asked: Map<string, Asked>): void {
  const monitor = (sdk.runtime as unknown as { getMonitor(): { registerResource: Register } }).getMonitor();
  const real = monitor.registerResource.bind(monitor);
  monitor.registerResource = (request, callback) => {
    const name = `${kindOf(request.getType())} ${request.getName()}`;
    asked.set(name, {
      name,
      parent: nameOf(request.getParent()),
      isProtected: request.getProtect(),
      dependsOn: request.getDependenciesList().map(nameOf).sort(),
      inputs: request.getObject()?.toJavaScript() ?? {},
    });
    return real(request, callback);
  };
}

async function drain(sdk: typeof pulumi): Promise<void> {
  await (sdk.runtime as unknown as { awaitStackRegistrations(): Promise<void> }).awaitStackRegistrations();
  await (sdk.runtime as unknown as { disconnect(): Promise<void> }).disconnect();
}

function nameOf(urn: string): string {
  const [, , , type = "", name = ""] = urn.replace(/^urn:pulumi:/, "urn::").split("::");
  return urn === "" ? "" : `${kindOf(type)} ${name}`;
}

/** "repmgr:index:Cluster$pulumi-nodejs:dynamic/pg:PgInstance" is a PgInstance. */
function kindOf(type: string): string {
  return type.split(/[:$]/).pop() ?? "";
}
