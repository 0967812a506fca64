import type { Action } from "../actions/action";
import type { Probe } from "../facts/probe";
import { rootOnce } from "../ssh/sudoRefusal";
import type { HostConnection } from "../ssh/types";
import type { Claims } from "./claims";

/** What every kind's inputs carry. `reach` says how to get to the hosts named in the inputs; it is never compared. */
export interface BaseInputs {
  readonly kind: string;
  readonly reach: Readonly<Record<string, HostConnection>>;
  /** The program writes []; a review fills in what the next up would do to this resource, and why. */
  readonly pending: readonly string[];
}

/** What a kind may do while it observes. */
export interface Ctx {
  /** @throws Unreachable, NotSeen, never a guess */
  ask<T>(host: string, probe: Probe<T>): Promise<T>;
}

export interface Projection<I, O> {
  /** The inputs as the host really has them, in the very shape the program writes them. */
  readonly inputs: I;
  readonly outputs: O;
}

/**
 * One layer of a cluster. Everything but `observe` is pure. create and update are the same: observe, plan, apply,
 * observe again; the plan must then be empty.
 */
export interface Kind<I extends BaseInputs, F, O extends object> {
  readonly name: string;
  /** The inputs that count in a diff; the others are how to reach or how to begin. */
  readonly managed: readonly (keyof I & string)[];
  /** Managed inputs that repeat outputs of other resources: one that is still to come is no change by itself. */
  readonly echoes?: readonly (keyof I & string)[];
  /** Managed inputs that are the resource's identity: a change replaces it, unless `keepsData` refuses that. */
  readonly identity: readonly (keyof I & string)[];
  /** Set where a replacement would leave data behind: how to make such a change instead. */
  readonly keepsData?: string;
  /** Of the identity, what changes without a replacement: the same data go on under the new value. */
  carries?(before: I, now: I): readonly (keyof I & string)[];
  /** An input that the program does not know and the state tells; once the resource is as wanted it is forgotten. */
  readonly memory?: { readonly key: keyof I & string; recall(before: I, now: I): unknown };
  /** Wanted inputs in the form that those of the last run or look have, where there are several for the same. */
  inTheWordsOf?(before: Partial<I>, now: I): Partial<I>;
  /** Names of its outputs, where it may be kept without a look at it: what the engine gives back does not tell them from inputs. */
  readonly outputs?: readonly (keyof O & string)[];
  id(inputs: I): string;
  /** All reasons why the inputs can never work; only fully known inputs get here. */
  validate(inputs: I): string[];
  /**
   * What is wrong on the hosts before the first write, all of it at once; asked in previews, too. Never throws for a host.
   * @param before the inputs of the last run, undefined when there was none
   */
  preflight?(ctx: Ctx, inputs: I, before?: I): Promise<string[]>;
  /** Called before a review: may ask for what the reviews of other resources will need, to save round trips. */
  anticipate?(ctx: Ctx, inputs: I): void;
  observe(ctx: Ctx, inputs: I): Promise<F>;
  /** True only on positive evidence that nothing of the resource is there. */
  isAbsent(have: F): boolean;
  /** What has to happen, each with its why; [] = converged. Throws Refused when it must not happen. */
  plan(want: I, have: F): Action[];
  /** In a preview: what up would do, where that is more than the plan can say before files are as wanted. Default: the plan. */
  foresee?(want: I, have: F): Action[];
  /** In a preview: what its owner has to see to without us, a line each. */
  remarks?(want: I, have: F): string[];
  /** What of it was not looked at because only root sees it, in words: "SELinux's rules and labels". */
  unseen?(inputs: I, have: F): string[];
  /** The last resource of its cluster: in a preview it tells what was foreseen for all of them. Returns who is primary now. */
  sumUp?(inputs: I, have: F): string;
  /** When a plan failed: what to wait for before it is made anew, because what it was made for has gone; [] = it has failed. */
  retryAfter?(inputs: I, have: F, error: unknown): Action[];
  project(inputs: I, have: F): Projection<I, O>;
  /** Its peers know of it: what they keep of it goes, too, when its own host is lost. */
  readonly isKnownToPeers?: true;
  /** @param claims today's inventory: what another node in it has taken over is left alone */
  planDelete(have: F, inputs: I, claims: Claims): Action[];
}

/** Asked for what only a host can tell that is there, and the inventory says that this one is gone for good. */
export class HostLost extends Error {
  constructor(host: string, question: string) {
    super(`${host} is marked as lost, so "${question}" cannot be answered`);
    this.name = "HostLost";
  }
}

/** Asked for what only root sees, of a login that may become postgres only. */
export class NotSeen extends Error {
  /** @param what in words: "the firewall" */
  constructor(
    readonly host: string,
    readonly what: string,
  ) {
    super(`${what} of ${host} is seen by root only, and the login may become postgres only. ${rootOnce(host)}`);
    this.name = "NotSeen";
  }
}

/** A change that would risk data or fight a failover; the message says what to do instead. */
export class Refused extends Error {
  /** @param besides what is planned all the same, and done before; for previews */
  constructor(
    message: string,
    readonly besides: readonly Action[] = [],
  ) {
    super(message);
    this.name = "Refused";
  }
}
