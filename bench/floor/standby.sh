# A standby: cloned from the primary, started, registered, watched.
cd /
export PGPASSFILE="/etc/repmgr/$CLUSTER/pgpass"
repmgr() {
  local said
  said=$(runuser -u postgres -- "/usr/lib/postgresql/$VERSION/bin/repmgr" -f "/etc/repmgr/$CLUSTER/repmgr.conf" "$@" 2>&1) ||
    { echo "$said" >&2; exit 1; }
}
install -d -o postgres -g postgres -m 0755 "$(dirname "$DATA")"
repmgr -h "$PRIMARY" -p "$PORT" -U repmgr -d repmgr standby clone --fast-checkpoint
systemctl start "postgresql-$CLUSTER"
repmgr standby register --wait-sync=30
systemctl start "repmgrd-$CLUSTER"
