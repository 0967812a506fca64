import type { Family, RepositorySpec } from "../config/types";
import { fileProbe, type FileFact } from "../facts/file";
import type { PackagesFact } from "../facts/packages";
import { packagingOf } from "../facts/packaging";
import { familyLayout } from "../families";
import type { BaseInputs, Kind } from "./kind";
import { type FetchedKey, fetchedKey, repositoryWith, shownRepository } from "./repositoryKey";
import { behind, offPin, planPackages, planPackagesDelete } from "./pgPackagesPlan";

export interface PgPackagesInputs extends BaseInputs {
  readonly host: string;
  readonly family: Family;
  /** Major version of PostgreSQL. */
  readonly version: number;
  /** None: the packages come from what the host has already. */
  readonly repository?: RepositorySpec;
  readonly packages: readonly string[];
  /** Exact version of those that are the server's. */
  readonly pinned?: string;
  /** The other hosts of the clusters that use them: a standby must not run another minor version than its primary for long. */
  readonly siblings: readonly string[];
  /** What a host shows whose packages are as new as those of its siblings; the program always writes AS_THE_OTHERS. */
  readonly versions: string;
  /** The distribution makes a cluster "main" of its own with every new version; true where all clusters were built by others. */
  readonly createMainCluster: boolean;
  /** How a module of the distribution hides the packages; the program always writes NONE_HIDES, where there are modules. */
  readonly module?: string;
}

export const NONE_HIDES = "none hides them";
export const AS_THE_OTHERS = "as on the other nodes";

export interface PgPackagesFacts {
  readonly packages: PackagesFact;
  /** By host. */
  readonly siblings: Readonly<Record<string, PackagesFact>>;
  readonly key: FileFact | undefined;
  /** Only of a repository whose key is fetched: with that key, or why there is none. */
  readonly fetched?: FetchedKey;
  readonly source: FileFact | undefined;
  readonly createCluster: FileFact | undefined;
}

export interface PgPackagesOutputs {
  /** By package name. */
  readonly installed: Readonly<Record<string, string>>;
}

/** PostgreSQL and repmgr of one major version on one host, and where they come from. */
export const pgPackagesKind: Kind<PgPackagesInputs, PgPackagesFacts, PgPackagesOutputs> = {
  name: "PgPackages",
  managed: [
    "host",
    "version",
    "repository",
    "packages",
    "pinned",
    "siblings",
    "versions",
    "createMainCluster",
    "module",
  ],
  identity: ["host", "version"],
  id: ({ host, version }) => `${host}/postgresql-${version}`,

  validate({ host, packages, repository }) {
    const problems = packages
      .filter((name) => !/^[a-z0-9][a-z0-9+._-]+$/.test(name))
      .map((name) => `${host}: "${name}" is no name of a package`);
    if (repository !== undefined && !/^[a-z0-9][a-z0-9-]*$/.test(repository.name)) {
      problems.push(`${host}: the repository's name "${repository.name}" becomes a file name: use a-z, 0-9 and "-"`);
    }
    return problems;
  },

  async observe(ctx, { host, family, packages, siblings, repository }) {
    const { packagesProbe, repositoryFiles, createCluster: ours } = packagingOf(familyLayout(family).packageManager);
    const files = repository && repositoryFiles({ ...repository, key: "" });
    const [found, createCluster, key, source] = await Promise.all([
      ctx.ask(host, packagesProbe(packages)),
      ours && ctx.ask(host, fileProbe(ours.path)),
      files && ctx.ask(host, fileProbe(files.key.path)),
      files && ctx.ask(host, fileProbe(files.source.path)),
    ]);
    const others = await Promise.all(
      siblings.map(async (h) => [h, await ctx.ask(h, packagesProbe(packages))] as const),
    );
    const fetched = repository?.keyUrl === undefined ? {} : { fetched: await fetchedKey(repository, key?.content) };
    return { packages: found, siblings: Object.fromEntries(others), createCluster, key, source, ...fetched };
  },

  isAbsent: ({ packages, key, source, createCluster }) =>
    packages.packages.every(({ state }) => state === "absent") &&
    [key, source, createCluster].every((file) => file === undefined),

  plan: planPackages,

  project(inputs, have) {
    const installed = have.packages.packages.filter(({ state }) => state === "installed");
    const { foundRepository, createCluster } = packagingOf(familyLayout(inputs.family).packageManager);
    const keyedOne = repositoryWith(inputs.repository, have.fetched);
    const seen = keyedOne && foundRepository(keyedOne, have.source, have.key);
    const repository = seen && shownRepository(seen, inputs.repository, have.key?.content);
    const makesItsOwn = createCluster !== undefined && have.createCluster?.content !== createCluster.content;
    const { repository: _, ...others } = inputs;
    return {
      inputs: {
        ...others,
        ...(repository === undefined ? {} : { repository }),
        packages: installed.map(({ name }) => name),
        versions:
          behind(inputs, have)
            .map(({ name, have: version, newest, on }) => `${name} ${version}, ${on} has ${newest}`)
            .concat(
              offPin(inputs, have).map(({ name, version }) => `${name} ${version}, wanted ${inputs.pinned ?? ""}`),
            )
            .join("; ") || AS_THE_OTHERS,
        createMainCluster: inputs.createMainCluster || makesItsOwn,
        ...(inputs.module === undefined ? {} : { module: have.packages.hiding ?? NONE_HIDES }),
      },
      outputs: { installed: Object.fromEntries(installed.map(({ name, version }) => [name, version])) },
    };
  },

  planDelete: planPackagesDelete,
};
