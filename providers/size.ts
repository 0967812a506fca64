export function mib(kib: number): string {
  return `${Math.ceil(kib / 1024)} MiB`;
}
