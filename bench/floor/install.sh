# Repository, key and packages. stdin: a tar archive with the files below /etc.
tar -x -C / --no-same-owner
export DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=l
apt-get -qq update
apt-get -qq -y --no-install-recommends install "postgresql-$VERSION" "postgresql-$VERSION-repmgr" >/dev/null
