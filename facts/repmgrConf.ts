import { repmgrConfValue } from "../ssh/quote";
import { render } from "../templates/render";

/** repmgr.conf in the order given, which is the order of repmgr's own sample file. */
export function renderRepmgrConf(cluster: string, options: Readonly<Record<string, string>>): string {
  const lines = Object.entries(options).map(([name, value]) => ({ name, value: repmgrConfValue(value) }));
  return render("repmgr.conf", { cluster, options: lines });
}
