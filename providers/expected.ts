import { ActionFailed } from "../actions/executor";
import { Stopped } from "../actions/stop";
import { SshError } from "../ssh/errors";
import { Refused } from "./kind";

/**
 * An error that tells its reader all there is to know, as the SDK's server shows it. The server writes `${error}: ${stack}`
 * to the terminal and gives the message to the engine, which shows it with the resource; so what is written says no more
 * than where to look.
 */
class Told extends Error {
  constructor(
    private readonly what: string,
    error: Error,
  ) {
    super(error.message, { cause: error });
    this.stack = "see its own error";
  }

  override toString(): string {
    return this.what;
  }
}

/** @param what the call that failed: "read PgInstance". Errors nobody foresaw keep their stack: they are bugs. */
export async function told<T>(what: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw isExpected(error) ? new Told(what, error) : error;
  }
}

/** An action's failure may be wrapped in one that tells what was done about it. */
function isExpected(error: unknown): error is Error {
  if (!(error instanceof Error)) return false;
  return [SshError, Refused, ActionFailed, Stopped].some((kind) => error instanceof kind) || isExpected(error.cause);
}
