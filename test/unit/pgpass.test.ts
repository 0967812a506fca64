import fc from "fast-check";
import { parseConninfo } from "../../facts/conninfo";
import { parsePgpass, passwordFor } from "../../facts/pgpass";
import { conninfoValue, pgpassField } from "../../ssh/quote";

const WANTED = ["192.0.2.1", "5432", "repmgr", "repmgr"];

test.each<[string, string, string | undefined]>([
  ["a line for it", "192.0.2.1:5432:repmgr:repmgr:secret\n", "secret"],
  ["wildcards", "*:*:*:repmgr:secret\n", "secret"],
  ["the first that matches", "*:*:app:repmgr:no\n*:*:*:repmgr:first\n*:*:*:*:second\n", "first"],
  ["colons and escapes in the password", "*:*:*:repmgr:a:b\\:c\\\\d\n", "a:b:c\\d"],
  ["a comment and an empty line", "#*:*:*:*:no\n\n*:*:*:*:yes\n", "yes"],
  ["an escaped wildcard is no wildcard", "\\*:*:*:*:no\n", "no"],
  ["another port", "192.0.2.1:5433:repmgr:repmgr:secret\n", undefined],
  ["no lines", "", undefined],
])("%s", (_, text, password) => expect(passwordFor(parsePgpass(text), WANTED)).toBe(password));

test("a field reads back as it was quoted, whatever it holds", () => {
  const field = fc.string({ minLength: 1 }).filter((text) => !/[\0\n\r]/.test(text) && !/^\*$/.test(text));
  fc.assert(
    fc.property(fc.tuple(field, field, field, field, field), (fields) => {
      const [host, port, database, user, password] = fields;
      const entries = parsePgpass(`${fields.map(pgpassField).join(":")}\n`);
      expect(passwordFor(entries, [host, port, database, user])).toBe(password);
    }),
  );
});

test("a connection string reads back as it was quoted", () => {
  const value = fc.string({ minLength: 1 }).filter((text) => !text.includes("\0"));
  fc.assert(
    fc.property(value, value, (host, user) => {
      const text = `host=${conninfoValue(host)} user = ${conninfoValue(user)} dbname=repmgr`;
      expect(parseConninfo(text)).toEqual({ host, user, dbname: "repmgr" });
    }),
  );
});
