import type { FirewallFact } from "../facts/firewall";
import { richRule } from "../facts/firewalld";
import type { SourceRule } from "../facts/sourceRule";
import { sh, shJoin } from "../ssh/quote";
import type { FirewallCommands } from "./firewallCommands";

const NAME = "org.fedoraproject.FirewallD1";
const OBJECT = "/org/fedoraproject/FirewallD1";

type Verb = "add" | "remove";
type Scope = "permanent" | "now";

/**
 * Straight to firewalld over D-Bus (firewalld.dbus(5)), as firewall-cmd does after 0.2 s of starting up. Never a reload:
 * it would drop what others opened until the next restart.
 */
export const firewalldCommands: FirewallCommands = {
  open(have, { port, permanent, runtime }) {
    const rich = (source: string): SourceRule => ({ source, port, by: "rich", rule: richRule(source, port) });
    return script(have, "add", permanent.map(rich), runtime.map(rich));
  },
  close: (have, { permanent, runtime }) => script(have, "remove", permanent, runtime),
  hurdle: () => undefined,
};

function script(
  { zone }: FirewallFact,
  verb: Verb,
  permanent: readonly SourceRule[],
  runtime: readonly SourceRule[],
): string {
  return `call() { busctl --system call ${NAME} "$@"; }
zone=${sh(zone)}
config=$(call ${OBJECT}/config ${NAME}.config getZoneByName s "$zone")
config=\${config#o \\"} config=\${config%\\"}
permanent() { call "$config" ${NAME}.config.zone "$@"; }
now() { call ${OBJECT} ${NAME}.zone "$@" >/dev/null; }
${[...permanent.map((r) => callOf("permanent", verb, r)), ...runtime.map((r) => callOf("now", verb, r))].join("\n")}`;
}

/** Shell: what takes or adds one rule; firewalld has a method of its own for each kind (firewalld.dbus(5)). */
function callOf(scope: Scope, verb: Verb, { by, rule }: SourceRule): string {
  const method = by === "port" ? "Port" : by === "service" ? "Service" : "RichRule";
  const words = by === "port" ? [rule, "tcp"] : [rule];
  const strings = "s".repeat(words.length);
  if (scope === "permanent") return `permanent ${verb}${method} ${strings} ${shJoin(words)}`;
  const [signature, noTimeout] = verb === "add" ? [`s${strings}i`, " 0"] : [`s${strings}`, ""];
  return `now ${verb}${method} ${signature} "$zone" ${shJoin(words)}${noTimeout}`;
}
