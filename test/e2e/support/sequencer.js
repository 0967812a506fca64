const Sequencer = require("@jest/test-sequencer").default;

/** By name, but the suite that deploys first: what it deployed is what the other suites begin with. */
module.exports = class extends Sequencer {
  sort(tests) {
    const key = ({ path }) => (path.endsWith("/deploy.test.ts") ? `0${path}` : `1${path}`);
    return [...tests].sort((a, b) => (key(a) < key(b) ? -1 : 1));
  }
};
