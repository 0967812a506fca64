import { sqlIdentifier } from "../ssh/quote";
import type { Probe } from "./probe";

/**
 * The same question to several databases of one instance, through one psql. The answers come by database.
 * @param what begins the probe's key
 * @param psql shell that starts psql with -XAtq as postgres, ready for more options
 * @param sqlOf the question to one of them: SQL that answers with JSON on one line
 */
export function byDatabaseProbe<Q extends { readonly database: string }, A>(
  what: string,
  psql: string,
  questions: readonly Q[],
  sqlOf: (question: Q) => string,
): Probe<Readonly<Record<string, A>>> {
  const sql = questions.map((question) => `\\connect ${sqlIdentifier(question.database)}\n${sqlOf(question)}`);
  return {
    key: `${what} ${psql} ${JSON.stringify(questions)}`,
    script: `${psql} -v ON_ERROR_STOP=1 -d postgres <<'SQL'
${sql.join("\n")}
SQL`,
    parse({ code, stdout, stderr }) {
      if (code !== 0) throw new Error(stderr.trim());
      const lines = stdout.split("\n").filter((line) => line !== "");
      return Object.fromEntries(
        questions.map(({ database }, index) => [database, JSON.parse(lines[index] ?? "") as A]),
      );
    },
  };
}
