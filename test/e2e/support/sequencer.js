const Sequencer = require("@jest/test-sequencer").default;

/** What takes minutes, so that at the end no lab waits for the other's last suite. */
const LONG = [
  ...["incidentsPrimary", "contract", "incidentsVaried", "incidentsOthers", "manyClusters"],
  ...["topology", "fencing", "majorUpgrade", "redhat", "selinux", "debian12", "replicationCertificates"],
];

/** The suite that deploys comes first: what it deployed is what the other suites begin with. */
const ORDER = ["deploy", ...LONG];

/** The others by name. */
module.exports = class extends Sequencer {
  sort(tests) {
    const place = ({ path }) => {
      const at = ORDER.findIndex((suite) => path.endsWith(`/e2e/${suite}.test.ts`));
      return at < 0 ? ORDER.length : at;
    };
    return [...tests].sort((a, b) => place(a) - place(b) || (a.path < b.path ? -1 : 1));
  }
};
