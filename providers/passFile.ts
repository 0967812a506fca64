import { pgpassField } from "../ssh/quote";
import type { ClusterInputs } from "./cluster";

/** libpq ignores a password file that others may read (PostgreSQL documentation, 34.16). */
export const PASS_FILE = { owner: "postgres:postgres", mode: "0600" };

/** Lines of the password file: repmgr's database and replication, for every node (repmgr documentation, "Password Management"). */
export function pgpass(inputs: ClusterInputs & { readonly repmgrPassword: string }): string {
  const password = pgpassField(inputs.repmgrPassword);
  return inputs.members
    .flatMap(({ address }) =>
      ["repmgr", "replication"].map(
        (database) => `${pgpassField(address)}:${inputs.port}:${database}:repmgr:${password}\n`,
      ),
    )
    .join("");
}
