#!/usr/bin/env bash
# deploy.sh DIRECTORY: a primary and two standbys by hand, as fast as a person could script it. The floor that the
# benchmark compares "pulumi up" with: the same packages, the same files, the same end state, no checks.
#
# DIRECTORY holds
#   ssh_config          the hosts pg1, pg2, pg3; one connection each, which all commands share (ControlMaster)
#   files/pgN/apt.tar   repository, its key, and "no cluster of your own, please"
#   files/pgN/host.tar  unit files, start guard, sudoers, repmgr.conf, password file
#   files/pgN/data.tar  postgresql.conf and pg_hba.conf
# REPMGR_PASSWORD and APP_PASSWORD come in the environment and travel on stdin only.
# The benchmark sets VERSION, CLUSTER, PORT, DATA, PRIMARY (an address) and RULES (rich rules of firewalld, a line each).
set -euo pipefail
cd "$1"
here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
primary=pg1
standbys="pg2 pg3"

# on HOST SCRIPT: runs a script of this directory as root; what comes on stdin is the script's stdin.
on() {
  local settings
  settings=$(declare -p VERSION CLUSTER PORT DATA PRIMARY RULES | sed 's/^declare -[^ ]* //')
  # The script travels as an argument, so that stdin stays free for files and passwords.
  ssh -F ssh_config "$1" "sudo bash -c $(printf '%q' "set -euo pipefail
$settings
$(cat "$here/$2")")"
}

# Everything a host can do before there is a primary.
prepare() {
  on "$1" install.sh <"files/$1/apt.tar" &
  local install=$!
  on "$1" firewall.sh </dev/null &
  local firewall=$!
  wait "$install"
  on "$1" files.sh <"files/$1/host.tar"
  wait "$firewall"
}

# What follows needs the packages, not the firewall of the others: a refused clone would show at once.
for host in $standbys; do
  prepare "$host" &
done
waiting=$(jobs -p)

prepare "$primary"
on "$primary" initdb.sh <"files/$primary/data.tar"
on "$primary" primary.sh <<SQL
create role repmgr with login superuser replication password '$REPMGR_PASSWORD';
create database repmgr owner repmgr;
\\connect repmgr
create extension repmgr;
SQL
for job in $waiting; do wait "$job"; done

followers=
for host in $standbys; do
  on "$host" standby.sh </dev/null &
  followers="$followers $!"
done
on "$primary" application.sh <<SQL
create role app with login password '$APP_PASSWORD';
create database app owner app;
SQL
for job in $followers; do wait "$job"; done
