/** Something that lets one source, or anybody, reach one TCP port. */
export interface SourceRule {
  /** As the rule spells it: "198.18.0.11/32"; where it lets in everybody, "anybody" and by what, or a network of all. */
  readonly source: string;
  readonly port: number;
  /** "rich": a source and a port, and nothing else. "ufw": a rule of ufw's file; "chain": a rule of the chain that ufw fills. "nft": ours. */
  readonly by: "rich" | "port" | "service" | "ufw" | "chain" | "nft";
  /** As the firewall spells it, to remove exactly that one: the rich rule, "5432", "postgresql", "allow from ... to ...". */
  readonly rule: string;
  /** The rule itself says that this program did not make it; absent where it cannot tell. */
  readonly isOthers?: true;
  /** Its place among the rules, where the first that fits counts. */
  readonly at?: number;
}

/** The rules that count now, and those that count after a restart of the firewall. */
export interface Sides {
  readonly runtime: readonly SourceRule[];
  readonly permanent: readonly SourceRule[];
}
