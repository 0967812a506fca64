# A new database with checksums, then its configuration. stdin: a tar archive with postgresql.conf and pg_hba.conf.
cd /
install -d -o postgres -g postgres -m 0755 "$(dirname "$DATA")"
runuser -u postgres -- "/usr/lib/postgresql/$VERSION/bin/initdb" -D "$DATA" --data-checksums --auth-local=peer \
  --auth-host=scram-sha-256 --encoding=UTF8 --locale=C.UTF-8 >/dev/null
install -d -o postgres -g postgres -m 0700 "$DATA/conf.d"
tar -x -C / --same-owner -p
systemctl start "postgresql-$CLUSTER"
