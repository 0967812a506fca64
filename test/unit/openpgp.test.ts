import { fingerprintsOf } from "../../config/openpgp";
import { edited, inventoryOf, problemsOf } from "./configFixture";
import { ED25519, ED25519_PRINT } from "./openpgpFixture";

// Made with gpg, whose fingerprints these are.
const RSA = `-----BEGIN PGP PUBLIC KEY BLOCK-----

mQENBGsLUFEBCADOqpOLlimAZtnnKvZkm5xYS9DYCFvixmLoldDN4n/agzGZsyiL
XHE6yi68oCsLFzQqF1HNoQ5InWtwRPiOLjiLBVmRsLbrnOiboyrUIzdeplFNz3tB
y8Aw6U+DsQvE0NlitdXj2lfXwh6Al5RZm0JNfl0FowyAkIbSoBY6+CqtBUZ/2wRS
wgazKjJ3OLE4cnne+sWSIZXuQ1l3A72d1EHQoR64BMe3Tv7ZvC5L9RSl5VDBQT5q
YAeLNAC/NEtpVPvcK0Ju/nHOwTZEhzIUbDH8oxCEijlf+nZoLg4rxVoEHYX173ZV
ru0ngV/X+yXKRLHyK2AjFySo8mko0Q/CdgQfABEBAAG0C3JzYUBleGFtcGxliQFO
BBMBCgA4FiEE0U1WIZG3pt9MKJszVqGHjgvrndMFAmsLUFECGwMFCwkIBwIGFQoJ
CAsCBBYCAwECHgECF4AACgkQVqGHjgvrndOuIQf+JKRxb7x4k/JYiAcrDQX2aVT/
T7h0ezJuogZpaKeYSD4/Jp+s41Zklx619YPYu9wjjISzgaXdowiUibhMLbrC9x5z
v3+sTkhH1DGBqnNN5UAWwkiA3wpR1aWleyAuQrpRnWAQ+b4hsDmHHtSy8obhphWt
/EFfSv8+V4bd+P8g2e81uKU4H9YNf8xV0vyMMC9tDAgJokfuTob2Ht6gdqT1qmSw
2nxHufbh5hgUL/CP6+i/KBC6Ud7aO3aAHTBf6JLy3kNvwu1oniRYV4TtCGHqwwMm
tx28JFQ5OaSRgyK/0h/pliOzpJGK4j2aLvQfHZfIY43rkUH4oninHQitM91OLw==
=PBUb
-----END PGP PUBLIC KEY BLOCK-----`;
const RSA_PRINT = "D14D562191B7A6DF4C289B3356A1878E0BEB9DD3";

test("a key has the fingerprint that gpg shows, however long its parts are", () => {
  expect(fingerprintsOf(ED25519)).toEqual([ED25519_PRINT]);
  expect(fingerprintsOf(RSA)).toEqual([RSA_PRINT]);
});

test("keys in one text are all found; what was cut or altered is another one, or none", () => {
  expect(fingerprintsOf(`${RSA}\r\n${ED25519.replaceAll("\n", "\r\n")}`)).toEqual([RSA_PRINT, ED25519_PRINT]);
  expect(fingerprintsOf("-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmDME\n-----END PGP PUBLIC KEY BLOCK-----")).toEqual(
    [],
  );
  expect(fingerprintsOf("no key")).toEqual([]);
  expect(fingerprintsOf(ED25519.replace("AHaRw8BAQdA", "AHaRw8BAQdB"))).not.toContain(ED25519_PRINT);
});

describe("the fingerprint that an inventory wants", () => {
  const inventory = (key: string, print: string): string =>
    edited([
      "ssh: { user: admin }",
      `ssh: { user: admin }
  repository:
    name: pgdg
    uri: https://apt.example/pg
    suite: trixie-pgdg
    components: [main]
    key_fingerprint: ${print}
    key: |
${key.replaceAll(/^/gm, "      ")}`,
    ]);
  const spaced = ED25519_PRINT.toLowerCase()
    .replaceAll(/(.{4})/g, "$1 ")
    .trim();

  test("may be written with spaces and small letters, and is nothing the hosts have to know", () => {
    const { hosts } = inventoryOf(inventory(ED25519, spaced));
    expect(Object.keys(hosts.get("h1")?.repository ?? {}).sort()).toEqual([
      "components",
      "key",
      "name",
      "suite",
      "uri",
    ]);
  });

  test.each([
    ["another key", RSA, `has ${RSA_PRINT}`],
    ["a second key beside it", `${ED25519}\n${RSA}`, `has ${ED25519_PRINT} and ${RSA_PRINT}`],
    ["no key", "-----BEGIN PGP PUBLIC KEY BLOCK-----", "holds no key that can be read"],
  ])("refuses %s", (_, key, is) => {
    expect(problemsOf(inventory(key, spaced))).toEqual([
      `i.yml:8: defaults.repository.key_fingerprint: the key of the repository ${is}, wanted ${ED25519_PRINT} and no other`,
    ]);
  });

  test("is 40 digits", () => {
    expect(problemsOf(inventory(ED25519, "8829A4B6"))).toEqual([expect.stringMatching(/expected the 40 hexadecimal/)]);
  });
});
