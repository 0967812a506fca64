import type { X509Certificate } from "node:crypto";
import type { Action } from "../../actions/action";
import { certificatesOf, privateKeyOf } from "../../config/certificate";

/** The certificate of the file that these actions make first; looks at the file, and at the key in it. */
export async function madeAt(path: string, actions: readonly Action[]): Promise<X509Certificate> {
  const [make] = actions.flatMap((action) => (action.do === "makeFile" ? [action] : []));
  expect(make).toMatchObject({ path, owner: "postgres:postgres", mode: "0600" });
  const text = (await make?.make()) ?? "";
  const [certificate] = certificatesOf(text);
  const key = privateKeyOf(text);
  if (certificate === undefined || key === undefined) throw new Error("it lacks one of both");
  expect(certificate.checkPrivateKey(key)).toBe(true);
  return certificate;
}
