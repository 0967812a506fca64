import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inflateSync } from "node:zlib";
import { ensurePackages } from "../../../lab/packages";
import { must } from "../../../lab/run";
import { seconds } from "./deadlines";

/** Debian's browser, and letters for it. */
const PACKAGES = ["chromium", "fonts-dejavu-core"];
const CHROMIUM = "/usr/bin/chromium";

/** Installs a browser where there is none. @throws Error with the end of apt-get's output */
export async function ensureBrowser(): Promise<void> {
  await ensurePackages(PACKAGES, (line) => process.stdout.write(`${line}\n`));
}

/** What the page has become in the browser, as HTML. */
export function domOf(file: string): Promise<string> {
  return chromium(file, ["--dump-dom"]);
}

/** Takes a picture of the page. @param look "light" or "dark", as the person prefers it */
export async function screenshot(file: string, picture: string, look: "light" | "dark"): Promise<void> {
  const preferred = `--blink-settings=preferredColorScheme=${look === "dark" ? 0 : 1}`;
  await chromium(file, [preferred, "--hide-scrollbars", "--window-size=1280,1600", `--screenshot=${picture}`]);
}

/** How many lines of a picture differ from the one above them: an empty page has one. */
export function distinctLines(picture: string): number {
  const png = readFileSync(picture);
  const parts: Buffer[] = [];
  // PNG: 8 bytes of signature, then chunks of length, type, data and checksum.
  for (let at = 8; at < png.length;) {
    const length = png.readUInt32BE(at);
    if (png.toString("latin1", at + 4, at + 8) === "IDAT") parts.push(png.subarray(at + 8, at + 8 + length));
    at += length + 12;
  }
  const raw = inflateSync(Buffer.concat(parts));
  const width = raw.length / png.readUInt32BE(20);
  return new Set(
    Array.from({ length: png.readUInt32BE(20) }, (_, y) => raw.toString("latin1", y * width, (y + 1) * width)),
  ).size;
}

async function chromium(file: string, options: readonly string[]): Promise<string> {
  if (!existsSync(file)) throw new Error(`there is no page ${file}`);
  const profile = mkdtempSync(join(tmpdir(), "browser-"));
  try {
    // Its sandbox refuses to work for root; the page is our own.
    const always = ["--headless", "--no-sandbox", "--disable-gpu", `--user-data-dir=${profile}`];
    return await must([CHROMIUM, ...always, ...options, `file://${file}`], { deadlineMs: seconds(60), ownGroup: true });
  } finally {
    rmSync(profile, { recursive: true, force: true });
  }
}
