import { hasBooted } from "../../lab/bootState";

const WAITS = `starting
110 repmgrd-main.service              start waiting
  2 multi-user.target                 start waiting
 87 postgresql-main.service           start running`;

test.each([
  ["that is over", "running", true],
  ["that is over, with a unit that failed", "degraded", true],
  ["in which only PostgreSQL waits for its peers", WAITS, true],
  ["in which something else is still at work", `${WAITS}\n 90 ssh.service start running`, false],
  ["that has just begun", "starting", false],
  ["of a host that goes down", "stopping\n 87 postgresql-main.service stop running", false],
  ["of which nothing is known yet", "", false],
])("a boot %s", (_, text, expected) => expect(hasBooted(text)).toBe(expected));
