import { NFTABLES_CHAIN, NFTABLES_RULES, NFTABLES_UNIT, spell } from "../facts/nftables";
import { unitPath } from "../families";
import { sh } from "../ssh/quote";
import { render } from "../templates/render";
import type { FirewallCommands } from "./firewallCommands";

const SCRIPT = "/etc/repmgr-pulumi/nftables-open";
/** Past which chains ours were, while they are taken out. */
const PAST = "/run/repmgr-pulumi-nftables";
const LOCK_SECONDS = 30;

/**
 * A rule lifts a drop only in the chain that drops, so ours are in a chain that theirs ask first. A load of nftables.service
 * throws it away with everything that is not in its file, which is somebody's own: a unit that systemd starts and
 * reloads after that one brings it back. The clusters of a host share the file of who is let in.
 */
export const nftablesCommands: FirewallCommands = {
  open({ chains }, { port, cluster, permanent, runtime }) {
    const lines = [...new Set([...permanent, ...runtime])].map((source) => `open ${source} ${port} ${cluster}`);
    const head = [
      "# Written by repmgr-pulumi: past which chains, and who is let in to which port of which cluster.",
      ...chains.map((chain) => `chain ${spell(chain)}`),
    ];
    return `${LOCKED}
${put(SCRIPT, "0755", render("nftables-open.sh", { rules: NFTABLES_RULES, chain: NFTABLES_CHAIN }))}
${put(unitPath(NFTABLES_UNIT), "0644", render("nftables.service", { script: SCRIPT }))}
kept=$(grep '^open ' ${NFTABLES_RULES} 2>/dev/null || true)
${replaceRules(`printf '%s\\n' ${head.map(sh).join(" ")}
printf '%s\\n' "$kept" ${lines.map(sh).join(" ")} | sed '/^$/d' | sort -u`)}
${LOADED}`;
  },

  close({ chains }, { permanent }) {
    const words = permanent.map(({ rule }) => `/^open ${rule.replaceAll("/", "\\/")} /d`).join(";");
    const left = `sed ${sh(words)} ${NFTABLES_RULES} 2>/dev/null`;
    const past = chains.map((chain) => sh(`chain ${spell(chain)}`)).join(" ");
    return `${LOCKED}
if ${left} | grep -q '^open '; then
${replaceRules(left)}
${LOADED}
else
  # The last cluster of the host. What a look finds goes last: a cut before that leaves it to the next run.
  systemctl disable -q --now ${NFTABLES_UNIT} 2>/dev/null || true
  rm -f ${[NFTABLES_RULES, SCRIPT, unitPath(NFTABLES_UNIT)].map((path) => `${path} ${path}.new`).join(" ")}
  rmdir --ignore-fail-on-non-empty /etc/repmgr-pulumi
  systemctl daemon-reload
  printf '%s\\n' ${past} >${PAST}
  sh -c ${sh(render("nftables-open.sh", { rules: PAST, chain: NFTABLES_CHAIN }))} nftables-open close
  rm ${PAST}
fi`;
  },

  hurdle: () => undefined,
};

/** The clusters of a host are opened at the same time. */
const LOCKED = `mkdir -p /etc/repmgr-pulumi
exec 9>/run/lock/repmgr-pulumi-nftables
flock -w ${LOCK_SECONDS} 9`;

const LOADED = `systemctl daemon-reload
systemctl enable -q ${NFTABLES_UNIT}
systemctl restart ${NFTABLES_UNIT}`;

/** Shell: a file as a whole or not at all. */
function put(path: string, mode: string, text: string): string {
  return `printf %s ${sh(text)} >${path}.new
chmod ${mode} ${path}.new
mv ${path}.new ${path}`;
}

/** Shell: the file of who is let in, as the commands print it. */
function replaceRules(commands: string): string {
  return `{
${commands}
} >${NFTABLES_RULES}.new
mv ${NFTABLES_RULES}.new ${NFTABLES_RULES}`;
}
