import { dump } from "js-yaml";

/** A value in the spelling a person would use; reads back as the same text. */
export function scalar(value: string | number | boolean): string {
  if (typeof value === "string" && /^(0|-?[1-9]\d{0,14})$/.test(value)) return value;
  return dump(value, { lineWidth: -1 }).trim();
}

/** Lines of a dictionary, deeper by two spaces; nothing for an empty one. */
export function section(key: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : [`${scalar(key)}:`, ...lines.map((line) => (line === "" ? "" : `  ${line}`))];
}

export function pairs(values: Readonly<Record<string, string | number | boolean | undefined>>): string[] {
  return Object.entries(values).flatMap(([key, value]) => {
    return value === undefined ? [] : [`${scalar(key)}: ${scalar(value)}`];
  });
}

/** A comment of as many lines as it takes. */
export function comment(text: string, width = 116): string[] {
  const lines = [""];
  for (const word of text.split(" ")) {
    const line = `${lines.at(-1) ?? ""} ${word}`.trim();
    if (line.length > width && lines.at(-1) !== "") lines.push(word);
    else lines[lines.length - 1] = line;
  }
  return lines.map((line) => `# ${line}`);
}
