import { sh } from "../ssh/quote";
import type { Probe } from "./probe";

export interface CertificatesFact {
  /** PEM, without the key that stands beside it; "" where the file is not there. */
  readonly presented: string;
  readonly authorities: string;
}

/** What a node presents to the others, and whom it trusts. */
export function certificatesProbe(certificate: string, authorities: string): Probe<CertificatesFact> {
  const SEPARATOR = "=== authorities";
  return {
    key: `certificates ${certificate} ${authorities}`,
    nothing: { presented: "", authorities: "" },
    script: `sed -n '/-BEGIN CERTIFICATE-/,/-END CERTIFICATE-/p' ${sh(certificate)} 2>/dev/null
echo '${SEPARATOR}'
cat ${sh(authorities)} 2>/dev/null || true`,
    parse({ code, stdout, stderr }) {
      const [presented, known] = stdout.split(`${SEPARATOR}\n`);
      if (code !== 0 || presented === undefined || known === undefined) throw new Error(stderr.trim() || "no answer");
      return { presented, authorities: known };
    },
  };
}
