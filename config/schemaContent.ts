import { z } from "zod";
import { SECRET_NAME, SETTING_NAME, SLOT_NAME, SQL_NAME } from "./defaults";
import { named, nameOf, settingValue, textOf } from "./schemaParts";
import { publicationSchema, slotSchema } from "./schemaPublished";

const roleName = (description: string) => nameOf(SQL_NAME, description);
const ownSettings = (whom: string) =>
  named(SETTING_NAME, settingValue)
    .describe(`Settings of ${whom}'s sessions; others that it has are taken away. Default: whatever it has.`)
    .optional();

export const roleSchema = z
  .strictObject({
    login: z.boolean().default(true).describe("May log in."),
    createdb: z.boolean().default(false).describe("May create databases."),
    createrole: z.boolean().default(false).describe("May create roles."),
    superuser: z.boolean().default(false).describe("May do everything."),
    replication: z.boolean().default(false).describe("May stream the write-ahead log."),
    inherit: z
      .boolean()
      .describe("Has the rights of the roles it is a member of without SET ROLE. Default: as it is.")
      .optional(),
    bypassrls: z.boolean().describe("Row level security does not concern it. Default: as it is.").optional(),
    connection_limit: z.int().min(-1).default(-1).describe("Connections at once; -1: no limit."),
    valid_until: z
      .string()
      .regex(
        /^(infinity|\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:[0-5]\dZ)$/,
        "expected a time in UTC such as 2027-01-31T00:00:00Z, or infinity",
      )
      .describe("Its password counts until then. Default: as it is.")
      .optional(),
    member_of: z
      .array(roleName("A role."))
      .describe(
        "Roles of which it is a member, and of no others: those of 'roles' or PostgreSQL's own. Default: as it is.",
      )
      .optional(),
    settings: ownSettings("the role"),
    removed: z
      .boolean()
      .default(false)
      .describe(
        "It is dropped, when it was deployed before and nobody uses it. Needs 'allow_drop: true' of the cluster.",
      ),
    password_secret: nameOf(
      SECRET_NAME,
      "Name of the stack secret with its password; none: it has no password.",
    ).optional(),
  })
  .describe("A role of the cluster.");

const extensionName = z.string().regex(/^[a-z][a-z0-9_-]{0,62}$/, "no good name: lower-case letters, digits, _ and -");

const extensionSchema = z.union(
  [
    extensionName,
    z.strictObject({
      name: extensionName.describe("Its name."),
      version: textOf("This version and no other. Default: the one its package makes.")
        .regex(/^[A-Za-z0-9._+-]+$/, "no version of an extension, such as 1.8")
        .optional(),
      schema: roleName("The schema its objects are in. Default: where they are.").optional(),
    }),
  ],
  { error: "expected the name of an extension, or its name, version and schema" },
);

const grantShape = {
  to: roleName("Role in 'roles', or public for everybody."),
  schema: roleName(
    "Schema in 'schemas', or public. Not for the database; of default privileges, default: all.",
  ).optional(),
  privileges: z
    .array(z.string().regex(/^[a-z]+$/, "no privilege, such as select"))
    .min(1, "expected at least one privilege")
    .describe("Privileges as GRANT names them, in lower case."),
};

const grantSchema = z
  .strictObject({
    ...grantShape,
    on: z
      .enum(["database", "schema", "tables", "sequences", "functions"])
      .describe("What on: the database, the schema, or all of these that there are in the schema."),
  })
  .describe("What a role may do.");

const defaultPrivilegeSchema = z
  .strictObject({
    ...grantShape,
    made_by: roleName("Role in 'roles' that will make them."),
    on: z.enum(["tables", "sequences", "functions"]).describe("Those that the role will make."),
  })
  .describe("What a role may do with what another role will make.");

export const databaseSchema = z
  .strictObject({
    owner: textOf("Role in 'roles' that owns it. Default: postgres.").optional(),
    encoding: z
      .string()
      .regex(/^[A-Z][A-Z0-9_]*$/, "no encoding as PostgreSQL writes it, such as UTF8")
      .describe("Encoding; it cannot be changed later. Default: the instance's.")
      .optional(),
    provider: z
      .enum(["libc", "icu", "builtin"])
      .describe("Who knows the rules of 'locale'; icu from PostgreSQL 15 on, builtin from 17 on. Default: libc.")
      .optional(),
    locale: textOf("Locale, such as C.UTF-8 or de-DE; it cannot be changed later. Default: the instance's.").optional(),
    template: nameOf(
      SQL_NAME,
      "Database to copy when it is made. Default: template0 with 'encoding' or 'locale', else template1.",
    ).optional(),
    tablespace: roleName(
      "Tablespace in 'tablespaces' where its files are, or pg_default. Default: as it is; of a new one, its template's.",
    ).optional(),
    connection_limit: z.int().min(-1).describe("Connections at once; -1: no limit. Default: as it is.").optional(),
    settings: ownSettings("the database"),
    extensions: z.array(extensionSchema).default([]).describe("Extensions to create in it."),
    schemas: named(
      SQL_NAME,
      z
        .strictObject({ owner: roleName("Role in 'roles' that owns it. Default: the database's owner.").optional() })
        .describe("A schema of the database."),
    )
      .describe("Schemas to create in it, by name.")
      .optional(),
    grants: z.array(grantSchema).describe("Privileges on what there is.").optional(),
    default_privileges: z.array(defaultPrivilegeSchema).describe("Privileges on what will be made.").optional(),
    publications: named(SQL_NAME, publicationSchema).describe("Publications to make in it, by name.").optional(),
    slots: named(SLOT_NAME, slotSchema)
      .describe("Logical replication slots of it, by name. A name counts in the whole cluster.")
      .optional(),
    removed: z
      .boolean()
      .default(false)
      .describe(
        "It is dropped, when it was deployed before and nobody uses it. Needs 'allow_drop: true' of the cluster.",
      ),
    exclusive: z
      .boolean()
      .default(false)
      .describe(
        "On what 'grants' and 'default_privileges' name, nobody else may do anything: what others have is revoked.",
      ),
  })
  .describe("A database of the cluster.");
