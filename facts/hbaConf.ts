import { render } from "../templates/render";

/** pg_hba.conf from its lines, in order; the first line that matches a connection decides. */
export function renderHba(cluster: string, lines: readonly string[]): string {
  return render("pg_hba.conf", { cluster, lines });
}

/** The rules of a pg_hba.conf in order, comments dropped and white space outside of quotes folded. */
export function parseHba(text: string): string[] {
  return text
    .split("\n")
    .map((line) => line.replace(/"[^"]*"|\s+/g, (part) => (part.startsWith('"') ? part : " ")).trim())
    .filter((line) => line !== "" && !line.startsWith("#"));
}
