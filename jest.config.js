// Tests are TypeScript read by swc: types are checked by `npm run lint` and the build, not at every run.
const swc = [
  "@swc/jest",
  { jsc: { parser: { syntax: "typescript" }, target: "es2022" }, module: { type: "commonjs" } },
];

/** One project a suite, so that what cannot run here can be left out by name. */
function project(name, testEnvironment = "node") {
  return {
    displayName: name,
    rootDir: __dirname,
    testMatch: [`<rootDir>/test/${name}/**/*.test.ts`],
    transform: { "\\.ts$": swc },
    testEnvironment,
    modulePathIgnorePatterns: ["<rootDir>/bin/", "<rootDir>/.lab/"],
  };
}

module.exports = {
  // jest's own choice would be one less than there are processors. The e2e suites have their number in scripts/test.ts.
  maxWorkers: "100%",
  testSequencer: "<rootDir>/test/e2e/support/sequencer.js",
  projects: [
    ...["unit", "contract", "program"].map((name) => project(name)),
    project("e2e", "<rootDir>/test/e2e/support/environment.js"),
  ],
  // For all projects: unit tests that need more than this wait for something. The e2e suite sets its own in scripts/test.ts.
  testTimeout: 20_000,
};
