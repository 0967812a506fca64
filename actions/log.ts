import { appendFileSync, mkdirSync } from "node:fs";
import { dirname } from "node:path";

export interface LoggedAction {
  readonly resource: string;
  readonly host: string;
  readonly do: string;
  readonly why: string;
}

/**
 * One JSON line for everything that may change a host, written before it is tried: {at, resource, host, do, why}.
 * It never holds content, scripts or stdin, so it holds no secret. A run that changes nothing leaves no line.
 */
export class ActionLog {
  constructor(private readonly path: string) {}

  write(entry: LoggedAction): void {
    mkdirSync(dirname(this.path), { recursive: true });
    appendFileSync(this.path, `${JSON.stringify({ at: new Date().toISOString(), ...entry })}\n`);
  }
}
