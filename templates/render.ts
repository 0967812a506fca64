import { readFileSync } from "node:fs";
import { join } from "node:path";
import Mustache from "mustache";

const texts = new Map<string, string>();

/**
 * A file of this folder filled in. Nothing is escaped: these are not web pages, and every value comes already quoted
 * for the language of its file (ssh/quote.ts). The program and its provider both run in the project's folder.
 * A "{{> name}}" in it stands for another file of this folder.
 * @param name file name without ".mustache"
 */
export function render(name: string, view: object): string {
  return Mustache.render(read(name), view, read, { escape: (value) => String(value) });
}

/** The same for a web page: every value is escaped for HTML text and double-quoted attributes. */
export function renderHtml(name: string, view: object): string {
  return Mustache.render(read(name), view);
}

function read(name: string): string {
  let text = texts.get(name);
  if (text === undefined) {
    text = readFileSync(join(process.cwd(), "templates", `${name}.mustache`), "utf8");
    texts.set(name, text);
  }
  return text;
}
