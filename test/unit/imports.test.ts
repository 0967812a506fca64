import { readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";

const ROOT = join(__dirname, "..", "..");

/** Layer to the layers it may import from; types may come from the layers in the second list besides. */
const ALLOWED: Readonly<Record<string, readonly [code: readonly string[], types: readonly string[]]>> = {
  "start.ts": [[], []],
  "index.ts": [["resources"], []],
  resources: [["config", "families", "providers", "ssh", "templates"], []],
  providers: [["config", "families", "facts", "actions", "templates", "ssh"], []],
  facts: [["ssh", "templates"], ["config"]],
  actions: [["ssh"], ["facts"]],
  config: [["ssh", "families"], []],
  families: [[], ["config"]],
  templates: [[], []],
  ssh: [[], []],
};

interface Import {
  readonly from: string;
  readonly to: string;
  readonly isType: boolean;
}

function sources(path: string): string[] {
  if (statSync(path).isFile()) return [path];
  return readdirSync(path, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts"))
    .map((name) => join(path, name));
}

function importsOf(layer: string): Import[] {
  return sources(join(ROOT, layer)).flatMap((file) => {
    const found = readFileSync(file, "utf8").matchAll(
      /^(?:import|export)\s+(type\s+)?[^;]*?from\s+"([^"]+)"|require\("([^"]+)"\)/gm,
    );
    return [...found].map(([, type, from, required]) => {
      const name = from ?? required ?? "";
      const to = name.startsWith(".") ? relative(ROOT, resolve(dirname(file), name)) : name;
      return { from: relative(ROOT, file), to, isType: type !== undefined };
    });
  });
}

const isOurs = ({ to }: Import): boolean => Object.keys(ALLOWED).includes(to.split("/")[0] ?? "");

test.each(Object.keys(ALLOWED))("%s imports only from below", (layer) => {
  const [code, types] = ALLOWED[layer] ?? [[], []];
  const found = importsOf(layer);
  const wrong = found.filter(isOurs).filter(({ to, isType }) => {
    const target = to.split("/")[0] ?? "";
    return target !== layer && !code.includes(target) && !(isType && types.includes(target));
  });
  expect(wrong).toEqual([]);
  if (layer !== "families") expect(found.length).toBeGreaterThan(0);
});

test("only the program runs the Pulumi SDK; the provider process knows its types alone", () => {
  const users = Object.keys(ALLOWED)
    .flatMap((layer) => importsOf(layer))
    .filter(({ to }) => to.startsWith("@pulumi/"));
  const outside = users.filter(
    ({ from }) => !from.startsWith("resources/") && !["start.ts", "index.ts"].includes(from),
  );
  expect(outside).toEqual([{ from: "providers/main.ts", to: "@pulumi/pulumi", isType: true }]);
});

test("no layer of the program imports what is for people, tests or measurements", () => {
  const above = /^(lab|scripts|bench|test|cli|bin)\//;
  expect(
    Object.keys(ALLOWED)
      .flatMap((layer) => importsOf(layer))
      .filter(({ to }) => above.test(to)),
  ).toEqual([]);
});
