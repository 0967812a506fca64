export { ensureBase } from "./base";
export { CONTROL } from "./faults";
export { type ExecOptions, Lab, type LabHost, type UpOptions } from "./lab";
export { ensureLabPackages } from "./packages";
export { labProblem } from "./problem";
export type { Progress } from "./progress";
