# A node as a plain playbook builds it: PGDATA with its configuration in a place of its own, another port, units written
# by hand, no slots. Run as root; stdin: repmgr's password.
# Set before: NAME ID ADDRESS SUITE PRIMARY (the primary's address) PEERS (all addresses) CLIENT (a network).
set -eu
IFS= read -r password
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
cd /
bin=/usr/lib/postgresql/17/bin
data=/srv/postgres/shop
as_postgres() { runuser -u postgres -- env PGPORT=5433 PGPASSFILE=/srv/postgres/pgpass "$@"; }

echo "deb [trusted=yes] file:/srv/repository $SUITE main" >/etc/apt/sources.list.d/local.list
mkdir -p /etc/postgresql-common
echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf
apt-get -qq update 2>/dev/null
get() { apt-get -qq -y --no-install-recommends install "$@" >/tmp/apt.log 2>&1 || { cat /tmp/apt.log >&2; exit 1; }; }
get postgresql-17 postgresql-17-repmgr
firewall-cmd -q --permanent --add-port=5433/tcp
firewall-cmd -q --reload

install -d -o postgres -g postgres -m 0750 /srv/postgres
umask 077
printf '*:5433:*:repmgr:%s\n' "$(printf %s "$password" | sed 's/[:\\]/\\&/g')" >/srv/postgres/pgpass
chown postgres:postgres /srv/postgres/pgpass
umask 022
install -d /etc/repmgr/17
cat >/etc/repmgr/17/repmgr.conf <<CONF
node_id = $ID
node_name = $NAME
conninfo = 'host=$ADDRESS port=5433 user=repmgr dbname=repmgr passfile=/srv/postgres/pgpass'
data_directory = '$data'
pg_bindir = '$bin'
passfile = '/srv/postgres/pgpass'
failover = 'automatic'
priority = $((100 - ID * 10))
promote_command = '$bin/repmgr -f /etc/repmgr/17/repmgr.conf standby promote'
follow_command = '$bin/repmgr -f /etc/repmgr/17/repmgr.conf standby follow -W --upstream-node-id=%n'
service_start_command = 'sudo systemctl start shop-db'
service_stop_command = 'sudo systemctl stop shop-db'
service_restart_command = 'sudo systemctl restart shop-db'
service_reload_command = 'sudo systemctl reload shop-db'
CONF
echo 'postgres ALL = NOPASSWD: /usr/bin/systemctl * shop-db' >/etc/sudoers.d/shop-db
chmod 0440 /etc/sudoers.d/shop-db
cat >/etc/systemd/system/shop-db.service <<UNIT
[Unit]
Description=The shop's database
After=network-online.target
[Service]
Type=notify
User=postgres
ExecStart=$bin/postgres -D $data
ExecReload=/bin/kill -HUP \$MAINPID
KillMode=mixed
KillSignal=SIGINT
TimeoutSec=infinity
[Install]
WantedBy=multi-user.target
UNIT
cat >/etc/systemd/system/shop-repmgrd.service <<UNIT
[Unit]
Description=repmgrd of the shop's database
After=shop-db.service
[Service]
User=postgres
ExecStart=$bin/repmgrd -f /etc/repmgr/17/repmgr.conf --daemonize=false --no-pid-file
Restart=always
RestartSec=5
[Install]
WantedBy=multi-user.target
UNIT
systemctl daemon-reload

if [ "$ADDRESS" = "$PRIMARY" ]; then
  as_postgres $bin/initdb -D $data --data-checksums --allow-group-access --auth-local=peer --auth-host=scram-sha-256 >/dev/null
  cat >>$data/postgresql.conf <<'CONF'
listen_addresses = '*'
port = 5433
shared_preload_libraries = 'repmgr'
hot_standby = on
max_wal_senders = 12
wal_keep_size = 256MB
password_encryption = scram-sha-256
unix_socket_directories = '/tmp'
logging_collector = on
CONF
  for address in $PEERS; do
    echo "host repmgr,replication repmgr $address/32 scram-sha-256"
  done >>$data/pg_hba.conf
  systemctl -q enable --now shop-db
  export password # not an argument: the other lab's first deployment looks at every command line of the machine
  as_postgres psql -Xq -v ON_ERROR_STOP=1 -h /tmp <<'SQL'
\getenv password password
create role repmgr superuser login replication password :'password';
create database repmgr owner repmgr;
create database shop;
alter system set work_mem = '8MB';
alter system set max_wal_senders = 12;
\connect repmgr
create extension repmgr;
SQL
  as_postgres $bin/repmgr -f /etc/repmgr/17/repmgr.conf primary register >/tmp/register.log 2>&1 || { cat /tmp/register.log >&2; exit 1; }
else
  tries=0
  until said=$(as_postgres psql -XAtqc 'select 1 from repmgr.nodes where active' "host=$PRIMARY user=repmgr dbname=repmgr" 2>&1) && [ "$said" = 1 ]; do
    tries=$((tries + 1))
    [ $tries -lt 300 ] || { echo "no primary at $PRIMARY yet: $said" >&2; exit 1; }
    sleep 0.2
  done
  as_postgres $bin/repmgr -f /etc/repmgr/17/repmgr.conf -h "$PRIMARY" -U repmgr -d repmgr standby clone --fast-checkpoint >/tmp/clone.log 2>&1 || { cat /tmp/clone.log >&2; exit 1; }
  systemctl -q enable --now shop-db
  # repmgr refuses a standby that still catches up.
  tries=0
  until as_postgres $bin/repmgr -f /etc/repmgr/17/repmgr.conf standby register --wait-sync=120 >/tmp/register.log 2>&1; do
    tries=$((tries + 1))
    [ $tries -lt 30 ] || { cat /tmp/register.log >&2; exit 1; }
    sleep 1
  done
fi
systemctl -q enable --now shop-repmgrd
