import { repmgrConfValue } from "../ssh/quote";
import { render } from "../templates/render";

/** repmgr.conf in the order given, which is the order of repmgr's own sample file. */
export function renderRepmgrConf(cluster: string, options: Readonly<Record<string, string>>): string {
  const lines = Object.entries(options).map(([name, value]) => ({ name, value: repmgrConfValue(value) }));
  return render("repmgr.conf", { cluster, options: lines });
}

/** Shell: prints the data_directory of a repmgr.conf; of several lines the last one counts. @param file a word of the shell */
export function dataDirectoryIn(file: string): string {
  return `sed -n "s/^data_directory *= *'\\(.*\\)' *$/\\1/p" ${file} | tail -n 1`;
}
