# A node as a DBA builds it by hand on Debian: the distribution's cluster 17/main, its files in /etc/postgresql, repmgr's
# beside it, repmgrd by the package's own service. Run as root; stdin: repmgr's password.
# Set before: NAME ID ADDRESS SUITE PRIMARY (the primary's address) PEERS (all addresses) CLIENT (a network).
set -eu
IFS= read -r password
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
cd /
as_postgres() { runuser -u postgres -- "$@"; }

echo "deb [trusted=yes] file:/srv/repository $SUITE main" >/etc/apt/sources.list.d/local.list
apt-get -qq update 2>/dev/null
get() { apt-get -qq -y --no-install-recommends install "$@" >/tmp/apt.log 2>&1 || { cat /tmp/apt.log >&2; exit 1; }; }
get postgresql-17 postgresql-17-repmgr
for source in $PEERS $CLIENT; do
  firewall-cmd -q --permanent --add-rich-rule="rule family=ipv4 source address=$source port port=5432 protocol=tcp accept"
done
firewall-cmd -q --reload

etc=/etc/postgresql/17/main
cat >$etc/conf.d/10-site.conf <<'CONF'
work_mem = 6MB
CONF
cat >>$etc/postgresql.conf <<CONF

# Added by hand
listen_addresses = '*'
max_connections = 150
shared_preload_libraries = 'repmgr'
wal_log_hints = on
wal_keep_size = 512MB   # MB
log_min_duration_statement = 2s
cluster_name = '$NAME'
CONF
cat >$etc/pg_hba.conf <<'CONF'
# TYPE  DATABASE        USER            ADDRESS                 METHOD
local   all             postgres                                peer
local   all             all                                     peer
host    all             all             127.0.0.1/32            scram-sha-256
CONF
for address in $PEERS; do
  printf 'host    repmgr          repmgr          %s/32         scram-sha-256\n' "$address"
  printf 'host    replication     repmgr          %s/32         scram-sha-256\n' "$address"
done >>$etc/pg_hba.conf
echo "host    shop    shop,report     $CLIENT   scram-sha-256" >>$etc/pg_hba.conf

umask 077
printf '*:*:*:repmgr:%s\n' "$(printf %s "$password" | sed 's/[:\\]/\\&/g')" >/var/lib/postgresql/.pgpass
chown postgres:postgres /var/lib/postgresql/.pgpass
umask 022
cat >/etc/repmgr.conf <<CONF
# repmgr of this node
node_id=$ID
node_name='$NAME'
conninfo='host=$ADDRESS user=repmgr dbname=repmgr connect_timeout=2'
data_directory='/var/lib/postgresql/17/main'
pg_bindir='/usr/lib/postgresql/17/bin'
use_replication_slots=yes

failover=automatic
promote_command='/usr/bin/repmgr standby promote -f /etc/repmgr.conf --log-to-file'
follow_command='/usr/bin/repmgr standby follow -f /etc/repmgr.conf --log-to-file --upstream-node-id=%n'
monitor_interval_secs=1
reconnect_attempts=5
reconnect_interval=1
primary_visibility_consensus=true
service_start_command='sudo /usr/bin/pg_ctlcluster 17 main start'
service_stop_command='sudo /usr/bin/pg_ctlcluster 17 main stop'
service_restart_command='sudo /usr/bin/pg_ctlcluster 17 main restart'
service_reload_command='sudo /usr/bin/pg_ctlcluster 17 main reload'
CONF
echo 'postgres ALL=(root) NOPASSWD: /usr/bin/pg_ctlcluster 17 main *' >/etc/sudoers.d/postgres
chmod 0440 /etc/sudoers.d/postgres

if [ "$ADDRESS" = "$PRIMARY" ]; then
  pg_ctlcluster 17 main restart
  export password # not an argument: the other lab's first deployment looks at every command line of the machine
  as_postgres psql -Xq -v ON_ERROR_STOP=1 <<'SQL'
\getenv password password
create role repmgr superuser login password :'password';
create database repmgr owner repmgr;
create role shop login password 'sold';
create role report login connection limit 3;
create database shop owner shop;
\connect repmgr
create extension repmgr;
\connect shop
create extension pgcrypto;
SQL
  as_postgres repmgr primary register >/tmp/register.log 2>&1 || { cat /tmp/register.log >&2; exit 1; }
else
  pg_ctlcluster 17 main stop
  rm -rf /var/lib/postgresql/17/main
  tries=0
  until said=$(as_postgres psql -XAtqc 'select 1 from repmgr.nodes where active' "host=$PRIMARY user=repmgr dbname=repmgr" 2>&1) && [ "$said" = 1 ]; do
    tries=$((tries + 1))
    [ $tries -lt 300 ] || { echo "no primary at $PRIMARY yet: $said" >&2; exit 1; }
    sleep 0.2
  done
  as_postgres repmgr -h "$PRIMARY" -U repmgr -d repmgr standby clone --fast-checkpoint >/tmp/clone.log 2>&1 || { cat /tmp/clone.log >&2; exit 1; }
  pg_ctlcluster 17 main start
  # repmgr refuses a standby that still catches up.
  tries=0
  until as_postgres repmgr standby register --wait-sync=120 >/tmp/register.log 2>&1; do
    tries=$((tries + 1))
    [ $tries -lt 30 ] || { cat /tmp/register.log >&2; exit 1; }
    sleep 1
  done
fi

sed -i -e 's/^.*REPMGRD_ENABLED=.*/REPMGRD_ENABLED=yes/' -e 's|^.*REPMGRD_CONF=.*|REPMGRD_CONF="/etc/repmgr.conf"|' /etc/default/repmgrd
systemctl -q restart repmgrd
