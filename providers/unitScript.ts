import { createHash } from "node:crypto";
import { render } from "../templates/render";

/** A script the unit runs, or the service that a timer starts. */
export interface UnitScript {
  readonly path: string;
  /**
   * "sha256:ab12...": of its text, which is not sent through the engine a dozen times to find that nothing has changed. Where
   * a host has another text, found and wanted are the texts themselves, so that a review shows what differs.
   */
  readonly content: string;
  /** "0755" */
  readonly mode: string;
  /** "root:root" */
  readonly owner: string;
}

/** What a text is made of. */
export interface TextSource {
  /** Of templates/, without ".mustache". */
  readonly template: string;
  /** Plain JSON, each value quoted for the language of the template. */
  readonly view: object;
}

/** Path to what the text there is made of. */
export type TextSources = Readonly<Record<string, TextSource>>;

export function textOf({ template, view }: TextSource): string {
  return render(template, view);
}

/** What stands for a text. */
export function hashOf(text: string): string {
  return `sha256:${createHash("sha256").update(text).digest("hex")}`;
}

export function isHash(content: string): boolean {
  return /^sha256:[0-9a-f]{64}$/.test(content);
}

/** Whether a host's text is the wanted one. */
export function isText(text: string, { content }: UnitScript): boolean {
  return hashOf(text) === (isHash(content) ? content : hashOf(content));
}

/** A host's text as it is shown. One that reads like a hash, which stands for another text, must not be taken for it. */
export function shownText(text: string, want: UnitScript): string {
  if (isText(text, want)) return hashOf(text);
  return isHash(text) ? `${text}, as text` : text;
}

/** @throws Error when the templates are no longer those that the program read */
export function wantedText({ path, content }: UnitScript, sources: TextSources): string {
  if (!isHash(content)) return content;
  const source = sources[path];
  const text = source && textOf(source);
  if (text === undefined || hashOf(text) !== content) {
    throw new Error(`${path}: templates/ has changed since this run began; run pulumi again`);
  }
  return text;
}

/** The script that has the text made of a source. */
export function unitScript(path: string, source: TextSource, mode: string): UnitScript {
  return { path, content: hashOf(textOf(source)), mode, owner: "root:root" };
}
