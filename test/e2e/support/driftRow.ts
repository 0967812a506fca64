/** Something that somebody did by hand, and how a review has to show it. */
export interface Row {
  /** As an incident. */
  readonly what: string;
  readonly host: string;
  /** Shell, as root. */
  readonly how: string;
  /** "PgInstance pg1/5432" */
  readonly resource: string;
  /** Property to what the review shows there; a function judges values that hold more. Nothing else may be shown. */
  readonly shows: Readonly<Record<string, unknown>>;
  /** Part of what the preview says that `up` will do; for what it names among all else. */
  readonly will?: string;
  /** Acts besides, because the repair is its work. */
  readonly alsoActs?: string;
  /** Shell that succeeds once it is as it was. */
  readonly repaired: string;
}
