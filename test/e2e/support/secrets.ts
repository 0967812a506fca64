/**
 * Passwords with everything that quoting gets wrong. Each holds a word of plain letters, so that it is found in
 * whatever escaped form it leaks.
 */
export const SECRETS = {
  app_password: `a'p"p :w\\o$(r)d-é漢-Kanarienvogel`,
  main_repmgr_password: `r'"e:p\\m$g r;-ü-Nachtigall`,
  ops_sudo_password: `o'p"s:\\$u-d o-Zaunkoenig`,
} as const;

/** The new values where a test rotates a password. */
export const ROTATED = {
  app_password: `n'e"w :w\\o$(r)d-Rotkehlchen`,
  main_repmgr_password: `n'"e:p\\w$g r;-Goldammer`,
} as const;

/** What must never be seen anywhere. */
export const CANARIES = ["Kanarienvogel", "Nachtigall", "Zaunkoenig", "Rotkehlchen", "Goldammer"];
