/** Shell: what hasBooted has to know. */
export const BOOT_STATE = "systemctl is-system-running; systemctl list-jobs --no-legend --plain";

/**
 * Whether a boot is over, but for clusters whose PostgreSQL waits for its peers: what else has a job waits for those.
 * @param text what BOOT_STATE printed
 */
export function hasBooted(text: string): boolean {
  const [state = "", ...jobs] = text.trim().split("\n");
  if (/^(running|degraded)$/.test(state)) return true;
  const running = jobs.filter((job) => /\srunning\s*$/.test(job));
  return state === "starting" && running.length > 0 && running.every((job) => /\spostgresql-\S+\.service\s/.test(job));
}
