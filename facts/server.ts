import { jsonProbe } from "./jsonProbe";
import type { Probe } from "./probe";

/** Where a running server has its files, and what it has that not every server has. */
export interface ServerFact {
  readonly configFile: string;
  readonly hbaFile: string;
  /** Absolute. */
  readonly logDirectory: string;
  /** Name to directory, which may be another one on every node. */
  readonly tablespaces: Readonly<Record<string, string>>;
}

const SQL = `select json_build_object('configFile', current_setting('config_file'), 'hbaFile', current_setting('hba_file'),
  'logDirectory', case when current_setting('logging_collector') = 'off' then '/var/log/postgresql'
    when current_setting('log_directory') like '/%' then current_setting('log_directory')
    else current_setting('data_directory') || '/' || current_setting('log_directory') end,
  'tablespaces', (select coalesce(json_object_agg(spcname, pg_tablespace_location(oid) order by spcname), '{}') from pg_tablespace where spcname !~ '^pg_'))`;

/** @param psql shell that starts psql with -XAtq as postgres, ready for more options */
export function serverProbe(psql: string): Probe<ServerFact> {
  return jsonProbe("server", psql, SQL);
}

/** The repmgr.conf of every node, as they were when it was registered; absent without the extension. */
export function registeredConfProbe(psql: string): Probe<Readonly<Record<string, string>> | undefined> {
  return {
    key: `registered repmgr.conf ${psql}`,
    script: `${psql} -v ON_ERROR_STOP=1 -d repmgr -c "select json_object_agg(node_id, config_file) from repmgr.nodes"`,
    parse: ({ code, stdout }) =>
      code === 0 && stdout.trim() !== "" ? (JSON.parse(stdout) as Record<string, string>) : undefined,
  };
}
