# The replication manager's role, database and extension (SQL on stdin), then the primary's registration and its repmgrd.
cd /
runuser -u postgres -- psql -Xq -v ON_ERROR_STOP=1 -p "$PORT" postgres
said=$(runuser -u postgres -- "/usr/lib/postgresql/$VERSION/bin/repmgr" -f "/etc/repmgr/$CLUSTER/repmgr.conf" \
  primary register 2>&1) || { echo "$said" >&2; exit 1; }
systemctl start "repmgrd-$CLUSTER"
