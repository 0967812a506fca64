import { z } from "zod";
import { textOf } from "./schemaParts";

const path = (description: string) =>
  textOf(description).regex(/^\/[A-Za-z0-9@._/+-]+$/, "expected an absolute path of letters, digits and @ . _ / + -");

const unit = (description: string) =>
  z
    .string()
    .regex(/^[A-Za-z0-9@:._-]+\.service$/, "expected the name of a service, such as postgresql@17-main.service")
    .describe(description);

/** Where the parts of a cluster lie that this program has not built. "npm run adopt" writes it. */
export const layoutSchema = z
  .strictObject({
    config_file: path("The postgresql.conf."),
    hba_file: path("The pg_hba.conf."),
    postgresql_unit: unit("The unit that runs PostgreSQL."),
    repmgr_conf: path("The repmgr.conf."),
    repmgrd_unit: unit("The unit that runs repmgrd."),
    pass_file: path("The password file of the user postgres, with the password of repmgr's role."),
    socket_directory: path("Where the socket is."),
    log_directory: path("Where PostgreSQL's log is."),
  })
  .describe(
    "Of a cluster that was built by others, written by 'npm run adopt': where its parts lie, the same on every host. They " +
      "stay there. Nothing is added to settings, hba_lines and repmgr.options of such a cluster: they are the whole files.",
  );

export type RawLayout = z.infer<typeof layoutSchema>;
