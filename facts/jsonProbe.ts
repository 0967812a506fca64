import type { Probe } from "./probe";

/**
 * A question to a running server that it answers with one JSON object.
 * @param psql shell that starts psql with -XAtq as postgres, ready for more options
 * @param sql a query without a semicolon
 */
export function jsonProbe<T>(what: string, psql: string, sql: string): Probe<T> {
  return {
    key: `${what} ${psql}`,
    script: `${psql} -v ON_ERROR_STOP=1 -d postgres <<'SQL'
${sql};
SQL`,
    parse({ code, stdout, stderr }) {
      if (code !== 0) throw new Error(stderr.trim());
      return JSON.parse(stdout) as T;
    },
  };
}
