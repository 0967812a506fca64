import type { PackageManager } from "../config/types";
import { apt } from "./apt";
import { dnf } from "./dnf";
import type { Packaging } from "./packages";

const PACKAGING: Readonly<Record<PackageManager, Packaging>> = { apt, dnf };

export function packagingOf(manager: PackageManager): Packaging {
  return PACKAGING[manager];
}
