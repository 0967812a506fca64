import type { Checked } from "./check";
import { unknownName } from "./nearest";
import type { RawCluster } from "./schema";

type RawGrant = NonNullable<RawCluster["databases"][string]["grants"]>[number];

/** What there is to grant on each kind of object (PostgreSQL documentation, "Privileges"). */
const PRIVILEGES: Readonly<Record<RawGrant["on"], readonly string[]>> = {
  database: ["connect", "create", "temporary"],
  schema: ["usage", "create"],
  tables: ["select", "insert", "update", "delete", "truncate", "references", "trigger", "maintain"],
  sequences: ["usage", "select", "update"],
  functions: ["execute"],
};
const MAINTAIN_SINCE = 17;

/** Who may do what in a database: privileges that are none, and roles and schemas that are not there. */
export function checkGrants(checked: Checked, here: string[], cluster: RawCluster, roles: readonly string[]): void {
  const own = cluster.databases[here.at(-1) ?? ""];
  if (own === undefined) return;
  const schemas = [...Object.keys(own.schemas ?? {}), "public"];
  const isGrant = (path: (string | number)[], grant: RawGrant, isDefault: boolean): void => {
    const known = PRIVILEGES[grant.on].filter((p) => p !== "maintain" || cluster.version >= MAINTAIN_SINCE);
    grant.privileges.forEach((privilege, index) => {
      if (known.includes(privilege)) return;
      checked.report([...path, "privileges", index], unknownName(`privilege on ${grant.on}`, privilege, known));
    });
    if (grant.to !== "public" && !roles.includes(grant.to)) {
      checked.report([...path, "to"], unknownName("role", grant.to, [...roles, "public"]));
    }
    const wantsSchema = grant.on !== "database" && !isDefault;
    if (grant.schema === undefined) {
      if (wantsSchema) checked.report(path, `a grant on ${grant.on} needs 'schema', the one that is meant`);
    } else if (grant.on === "database") checked.report([...path, "schema"], "a grant on the database has no schema");
    else if (!schemas.includes(grant.schema)) {
      checked.report([...path, "schema"], unknownName("schema", grant.schema, schemas));
    }
  };
  own.grants?.forEach((grant, index) => isGrant([...here, "grants", index], grant, false));
  own.default_privileges?.forEach((grant, index) => {
    const path = [...here, "default_privileges", index];
    isGrant(path, grant, true);
    if (!roles.includes(grant.made_by)) checked.report([...path, "made_by"], unknownName("role", grant.made_by, roles));
  });
  if (own.exclusive && own.grants === undefined && own.default_privileges === undefined) {
    checked.report(
      [...here, "exclusive"],
      "it needs 'grants' or 'default_privileges', beside which nobody may do more",
    );
  }
}
