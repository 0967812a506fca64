# The files that need the user postgres, which came with the packages. stdin: a tar archive of them.
tar -x -C / --same-owner -p
visudo -cqf "/etc/sudoers.d/repmgr-$CLUSTER"
systemctl daemon-reload
systemctl -q enable "postgresql-$CLUSTER" "repmgrd-$CLUSTER"
