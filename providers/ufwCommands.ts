import { covers, isSameNetwork } from "../config/network";
import { UFW_COMMENT, type UfwDenial } from "../facts/ufw";
import type { SourceRule } from "../facts/sourceRule";
import { shJoin } from "../ssh/quote";
import type { FirewallCommands } from "./firewallCommands";

/**
 * ufw writes a rule into its file and into its chain, and fills its chains from the files again with each deletion. What
 * one side lacks is made without ufw: it takes a rule of the file for one of the chain. Never "ufw reload": that disables
 * ufw for a moment, and for good when it is cut then (ufw/frontend.py).
 */
export const ufwCommands: FirewallCommands = {
  open({ runtime: chain }, { port, cluster, permanent, runtime }) {
    const comment = `${UFW_COMMENT} ${cluster}`;
    const isToCome = (source: string): boolean => permanent.some((other) => isSameNetwork(source, other));
    // ufw appends to the chain without looking at it.
    const again = chain.filter((rule) => rule.port === port && isToCome(rule.source));
    const allow = (source: string): string =>
      ufw(["allow", "from", source, "to", "any", "port", `${port}`, "proto", "tcp", "comment", comment]);
    const refilled = new Set(runtime.filter((source) => !isToCome(source)).map(familyOf));
    return [...again.map(drop), ...permanent.map(allow), ...[...refilled].map(refill)].join("\n");
  },

  close(_, { permanent, runtime }) {
    const goes = ({ source }: SourceRule): boolean => permanent.some((rule) => isSameNetwork(rule.source, source));
    const only = runtime.filter((rule) => !goes(rule));
    return [...only.map(drop), ...permanent.map(({ rule }) => ufw(["delete", ...rule.split(" ")]))].join("\n");
  },

  hurdle({ permanent, denials, hasIpv6 }, source, port) {
    if (familyOf(source) === 6 && !hasIpv6)
      return `${source}: ufw has IPV6=no in /etc/default/ufw; set it to yes there, then "sudo ufw reload"`;
    const ours = permanent.find((rule) => rule.port === port && isSameNetwork(rule.source, source));
    const denial = denials.find((other) => isInTheWay(other, source, port, ours));
    return denial && `${source}: ufw's rule "${denial.rule}" comes first; "sudo ufw delete ${denial.rule}" removes it`;
  },
};

function familyOf(source: string): 4 | 6 {
  return source.includes(":") ? 6 : 4;
}

function ufw(words: readonly string[]): string {
  return `${shJoin(["ufw", ...words])} >/dev/null`;
}

/** Shell: takes one rule out of the chain, if it is still there. */
function drop({ rule, source }: SourceRule): string {
  const words = shJoin(rule.split(" "));
  const iptables = familyOf(source) === 6 ? "ip6tables" : "iptables";
  return `if ${iptables} -w -C ${words} 2>/dev/null; then ${iptables} -w -D ${words}; fi`;
}

/** Shell: the chains as the file has them, in one step and in its order, as ufw itself does (_reload_user_rules). */
function refill(family: 4 | 6): string {
  return family === 6 ? "ip6tables-restore -w -n </etc/ufw/user6.rules" : "iptables-restore -w -n </etc/ufw/user.rules";
}

/** A limit is in the way only where ufw would replace it by our rule: both are about the same. */
function isInTheWay(denial: UfwDenial, source: string, port: number, ours?: SourceRule): boolean {
  if (denial.isLimit) return ours === undefined && denial.ports === `${port}` && isSameNetwork(denial.source, source);
  return (ours?.at ?? Infinity) > denial.at && isAmong(port, denial.ports) && covers(denial.source, source);
}

/** @param ports as ufw spells them: "any", "5432", "5430:5440", "80,443" */
function isAmong(port: number, ports: string): boolean {
  return ports.split(",").some((part) => {
    const [first = "", last = first] = part.split(":");
    return part === "any" || (Number(first) <= port && port <= Number(last));
  });
}
