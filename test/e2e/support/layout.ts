import { familyLayout } from "../../../families";
import { usualImage } from "../../../lab";

/** What the hosts of the image are that the suites run on, and where things are there. */
export const FAMILY = usualImage() === "redhat" ? "redhat" : "debian";
const layout = familyLayout(FAMILY);

export const BIN = layout.binDirectory(17);
/** PGDATA of a cluster. */
export const dataOf = (cluster: string, version = 17): string => layout.dataDirectory(version, cluster);
export const DATA = dataOf("main");
/** Where every PGDATA is below. */
export const POSTGRES_HOME = FAMILY === "redhat" ? "/var/lib/pgsql" : "/var/lib/postgresql";

/** Shell: the installed version of the server's package, as an inventory names it; and what the server makes of that. */
export const PACKAGE_VERSION =
  FAMILY === "redhat"
    ? "rpm -q --queryformat '%{VERSION}-%{RELEASE}' postgresql17-server"
    : "dpkg-query -W -f='${Version}' postgresql-17";
export const { serverVersion } = layout;
