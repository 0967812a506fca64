/** One word of a quoted command. */
const words = (line: string): string[] => [...line.matchAll(/'([^']*)'/g)].map(([, word]) => word ?? "");

const familyOf = (source: string): 4 | 6 => (source.includes(":") ? 6 : 4);

/** Does with ufw's file and chain what ufw, iptables and iptables-restore do with them, as seen on a host with ufw 0.36.2. */
export class UfwHost {
  file: [rule: string, comment: string][] = [];
  chain: string[] = [];
  hasIpv6 = true;

  /** @param rule "[delete] allow [log] from SOURCE to any [port PORT] [proto tcp]" */
  ufw(rule: string, comment = ""): void {
    const old = /^delete (.+)$/.exec(rule)?.[1];
    if (old !== undefined) {
      if (!this.file.some(([text]) => text === old)) return;
      this.file = this.file.filter(([text]) => text !== old);
      this.refill(4);
      this.refill(6);
      return;
    }
    if (this.file.some(([text]) => text === rule)) return;
    const same = this.file.findIndex(([text]) => text.replace(/^\w+/, "") === rule.replace(/^\w+/, ""));
    if (same >= 0) throw new Error(`ufw would replace the user's rule ${String(this.file[same])}`);
    this.file.push([rule, comment]);
    this.chain.push(...linesOf(rule));
  }

  iptables(verb: "-A" | "-D", rule: string): void {
    if (verb === "-A") this.chain.push(rule);
    else if (this.chain.includes(rule)) this.chain.splice(this.chain.indexOf(rule), 1);
    else throw new Error(`iptables: no such rule: ${rule}`);
  }

  /** As an editor would: the chain stays as it is. */
  editFile(keep: (rule: string) => boolean): void {
    this.file = this.file.filter(([rule]) => keep(rule));
  }

  run(script: string): void {
    for (const line of script.split("\n").filter((text) => text !== "" && !text.startsWith("PATH=")))
      this.command(line);
  }

  private command(line: string): void {
    const restored = /^(ip6?)tables-restore -w -n <\/etc\/ufw\/user6?\.rules$/.exec(line);
    if (restored) {
      this.refill(restored[1] === "ip" ? 4 : 6);
      return;
    }
    const dropped = /^if ip6?tables -w -C (.+) 2>\/dev\/null; then ip6?tables -w -D \1; fi$/.exec(line);
    if (dropped?.[1] !== undefined) {
      const rule = words(dropped[1]).join(" ");
      if (this.chain.includes(rule)) this.iptables("-D", rule);
      return;
    }
    const [program, ...rest] = words(line);
    if (program !== "ufw" || !line.endsWith(">/dev/null")) throw new Error(`not a command of ufw's: ${line}`);
    const at = rest.indexOf("comment");
    if (at < 0) this.ufw(rest.join(" "));
    else this.ufw(rest.slice(0, at).join(" "), rest[at + 1]);
  }

  private refill(family: 4 | 6): void {
    const isOf = (line: string): boolean => line.startsWith(family === 6 ? "ufw6-" : "ufw-");
    this.chain = [
      ...this.chain.filter((line) => !isOf(line)),
      ...this.file.flatMap(([rule]) => linesOf(rule)).filter(isOf),
    ];
  }

  /** What the probe's script prints. */
  answer(): string {
    const listed = (prefix: string): string[] =>
      this.chain.filter((line) => line.startsWith(prefix)).map((line) => `-A ${line}`);
    const six = this.hasIpv6 ? ["ipv6", ...listed("ufw6-")] : [];
    return [
      ...listed("ufw-"),
      "active",
      ...six,
      ...this.file.map(([rule, comment]) => `rule ${tuple(rule, comment)}`),
      "",
    ].join("\n");
  }
}

interface Parts {
  readonly action: string;
  readonly source: string;
  readonly port: string;
  readonly protocol: string;
}

function partsOf(rule: string): Parts {
  const match = /^(\w+(?: log)?) from (\S+) to any(?: port (\S+))?(?: proto (tcp))?$/.exec(rule);
  if (match === null) throw new Error(`ufw: ${rule}`);
  const [, action = "", source = "", port = "any", protocol = "any"] = match;
  return { action, source, port, protocol };
}

/** What ufw makes of a rule in its chain; of those that refuse, nothing that the program would read. */
function linesOf(rule: string): string[] {
  const { action, source, port, protocol } = partsOf(rule);
  if (!action.startsWith("allow")) return [];
  const chain = familyOf(source) === 6 ? "ufw6-user-input" : "ufw-user-input";
  const from = source.endsWith("/0") ? "" : ` -s ${source}`;
  const line = (p: string): string => `${chain}${from} -p ${p} -m ${p} --dport ${port} -j ACCEPT`;
  return protocol === "tcp" ? [line("tcp")] : [line("tcp"), line("udp")];
}

function tuple(rule: string, comment: string): string {
  const { action, source, port, protocol } = partsOf(rule);
  const address = source.replace(/\/(32|128)$/, "");
  const everybody = familyOf(source) === 6 ? "::/0" : "0.0.0.0/0";
  const hex = comment === "" ? "" : ` comment=${Buffer.from(comment).toString("hex")}`;
  return `${action.replace(" ", "_")} ${protocol} ${port} ${everybody} any ${address} in${hex}`;
}
