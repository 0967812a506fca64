import fc from "fast-check";
import { editConf } from "../../facts/editConf";
import { parsePostgresConf } from "../../facts/postgresConf";
import { postgresConfValue } from "../../ssh/quote";

const BEFORE = `# a person's file
max_connections = 100   # enough
work_mem '4MB'
work_mem = 8MB
include_dir = 'conf.d'
Shared_Buffers=128MB
`;

const edit = (want: Record<string, string>): string => editConf(BEFORE, want, postgresConfValue);
const AS_IT_IS = { max_connections: "100", work_mem: "8MB", shared_buffers: "128MB" };

test.each<[string, Record<string, string>, string]>([
  ["nothing is changed", AS_IT_IS, BEFORE],
  [
    "a value changes where it stands, and its comment stays",
    { ...AS_IT_IS, max_connections: "200" },
    BEFORE.replace("= 100 ", "= '200' "),
  ],
  [
    "of a setting that stands twice the line that counts is changed",
    { ...AS_IT_IS, work_mem: "$1" },
    BEFORE.replace("work_mem = 8MB", () => "work_mem = '$1'"),
  ],
  [
    "what is not wanted any more becomes a comment, each line of it",
    { max_connections: "100", shared_buffers: "128MB" },
    BEFORE.replace("work_mem '4MB'\nwork_mem = 8MB", "#work_mem '4MB'\n#work_mem = 8MB"),
  ],
  ["a new setting goes to the end", { ...AS_IT_IS, fsync: "on" }, `${BEFORE}fsync = 'on'\n`],
])("%s", (_, want, after) => expect(edit(want)).toBe(after));

test("whatever was there and whatever is wanted: the file then says what is wanted, and is not edited again", () => {
  const value = fc.string().filter((text) => !text.includes("\0"));
  const settings = fc.dictionary(fc.stringMatching(/^[a-z_]{1,4}$/), value, { maxKeys: 5 });
  fc.assert(
    fc.property(settings, settings, (before, want) => {
      const lines = Object.entries(before).map(([name, text]) => `${name} = ${postgresConfValue(text)} # old`);
      const after = editConf(lines.join("\n"), want, postgresConfValue);
      expect(parsePostgresConf(after)).toEqual(want);
      expect(editConf(after, want, postgresConfValue)).toBe(after);
    }),
  );
});
