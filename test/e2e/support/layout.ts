import { familyLayout } from "../../../families";
import { usualImage } from "../../../lab";

/** What the hosts of the image are that the suites run on, and where things are there. */
export const FAMILY = usualImage() === "redhat" ? "redhat" : "debian";
const layout = familyLayout(FAMILY);

export const BIN = layout.binDirectory(17);
export const DATA = layout.dataDirectory(17, "main");
