/** Shell: a line for everything of a cluster that is left on a host besides its data and the packages. */
export function leftovers(cluster: string, port: number): string {
  return `find /etc/repmgr/[a-z]* /etc/sudoers.d /etc/systemd/system -mindepth 1 \\( -name '*repmgr*' -o -name '*${cluster}*' \\) 2>/dev/null
ls -d /etc/repmgr/[a-z]* /etc/systemd/system/*.wants/*-${cluster}.service 2>/dev/null
systemctl list-units --all --plain --no-legend '*-${cluster}.service'
firewall-cmd --list-rich-rules | grep ${port}; firewall-cmd --permanent --list-rich-rules | grep ${port}
pgrep -a postgres; pgrep -a repmgrd; true`;
}
