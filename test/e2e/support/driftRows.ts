import { BY_DEEDS } from "./driftByDeeds";
import { BY_FILES } from "./driftByFiles";
import type { Row } from "./driftRow";
import { DATA, psql, says, rich } from "./driftShell";

/** Rows of one group are done, shown and repaired together. */
export const GROUPS: readonly (readonly Row[])[] = [BY_FILES, ...BY_DEEDS];

/** A person's own, beside all of it: never shown, never touched. */
export const OWN = {
  host: "pg1",
  how: [
    `printf "work_mem = '5MB'\\nmax_files_per_process = 900\\n" >${DATA}/conf.d/mine.conf && chown postgres: ${DATA}/conf.d/mine.conf`,
    psql("select pg_reload_conf()"),
    `firewall-cmd -q --add-rich-rule='${rich("203.0.113.7/32", 9999)}'`,
    "printf '[Service]\\nExecStart=/bin/sleep infinity\\n' >/etc/systemd/system/mine.service && systemctl daemon-reload && systemctl start mine",
    psql("create role mine login"),
    psql("create database mine owner mine"),
  ].join(" && "),
  isThere: [
    says("show work_mem", "5MB"),
    says("select pending_restart from pg_settings where name = 'max_files_per_process'", "t"),
    `firewall-cmd --list-rich-rules | grep -qF 203.0.113.7`,
    "systemctl is-active mine",
    says("select count(*) from pg_database where datname = 'mine' and datdba = 'mine'::regrole", "1"),
  ].join(" && "),
} as const;
