# A standby: cloned from the primary, started, registered as soon as it streams, watched.
cd /
export PGPASSFILE="/etc/repmgr/$CLUSTER/pgpass"
repmgr() { runuser -u postgres -- "/usr/lib/postgresql/$VERSION/bin/repmgr" -f "/etc/repmgr/$CLUSTER/repmgr.conf" "$@" 2>&1; }
install -d -o postgres -g postgres -m 0755 "$(dirname "$DATA")"
said=$(repmgr -h "$PRIMARY" -p "$PORT" -U repmgr -d repmgr standby clone --fast-checkpoint) || { echo "$said" >&2; exit 1; }
systemctl start "postgresql-$CLUSTER"
tries=0
until said=$(repmgr standby register --wait-sync=30); do
  tries=$((tries + 1))
  [ $tries -lt 100 ] || { echo "$said" >&2; exit 1; }
  sleep 0.1
done
systemctl start "repmgrd-$CLUSTER"
