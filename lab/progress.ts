/** Takes one line for a person to read. */
export type Progress = (line: string) => void;

/** Says what starts, and how long it took once it is done. */
export async function timed<T>(progress: Progress, what: string, work: () => Promise<T>): Promise<T> {
  const begin = Date.now();
  progress(`${what} ...`);
  const result = await work();
  progress(`${what}: ${((Date.now() - begin) / 1000).toFixed(1)} s`);
  return result;
}
