export { projectRoot } from "../lab/project";
