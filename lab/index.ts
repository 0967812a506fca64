export { CONTROL } from "./faults";
export { imageNamed, type ImageName, usualImage } from "./image";
export { ensureImage } from "./images";
export { type ExecOptions, Lab, type LabHost, type UpOptions } from "./lab";
export { ensureLabPackages } from "./packages";
export { labProblem } from "./problem";
export type { Progress } from "./progress";
export { labHome } from "./project";
