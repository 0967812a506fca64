/** Whether a boolean of postgresql.conf says yes (PostgreSQL documentation, 20.1.1); what is not there does not. */
export function isOn(value: string | number | boolean | undefined): boolean {
  return /^(on|true|yes|1)$/i.test(String(value));
}
