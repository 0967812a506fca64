const { TestEnvironment } = require("jest-environment-node");

/** Each of jest's workers has a lab of its own; named here, where process.env is the worker's and what it starts inherits it. */
module.exports = class extends TestEnvironment {
  constructor(config, context) {
    const labs = JSON.parse(process.env.REPMGR_PULUMI_LABS ?? "[]");
    const lab = labs[Number(process.env.JEST_WORKER_ID) - 1];
    if (lab !== undefined) process.env.REPMGR_PULUMI_LAB = lab;
    super(config, context);
  }
};
