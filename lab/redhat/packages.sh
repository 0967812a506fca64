#!/bin/sh
# Builds and signs the packages of the lab's dnf repositories from Debian's: pgdg, as the PostgreSQL project has it, and
# appstream, as the distribution has it. Runs inside a root that has rpm, createrepo_c and gpg.
# /srv/debs: Debian's packages. /srv/lab: this directory. /srv/repository: where the repositories go.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export HOME=$work GNUPGHOME=$work/gpg
mkdir -m 700 "$GNUPGHOME"

build() { # $1: spec, further arguments: what it defines
  spec=$1; shift
  for define in "$@"; do set -- "$@" --define "$define"; shift; done
  rpmbuild -bb --quiet --define "_buildhost lab" --define "_topdir $work/rpm" --define "_binary_payload w1.zstdio" "$@" "/srv/lab/$spec"
}

libraries=$work/libraries
for deb in /srv/debs/lib*.deb; do
  case ${deb##*/} in libllvm* | libz3* | libext2fs* | libss2* | libsensors* | *-perl_* | *-l10n_* | *-common_*) ;;
    *) dpkg-deb -x "$deb" "$libraries" ;; esac
done
find "$libraries" -type f ! -name '*.so*' -delete
build others.spec "tree $libraries"
for major in 15 17; do
  tree=$work/postgresql-$major
  for deb in /srv/debs/postgresql-"$major"_*.deb /srv/debs/postgresql-client-"$major"_*.deb; do dpkg-deb -x "$deb" "$tree"; done
  version=$(dpkg-deb -f /srv/debs/postgresql-"$major"_*.deb Version)
  build postgresql.spec "major $major" "upstream ${version%%-*}" "tree $tree"
  tree=$work/repmgr-$major
  dpkg-deb -x /srv/debs/postgresql-"$major"-repmgr_*.deb "$tree"
  version=$(dpkg-deb -f /srv/debs/postgresql-"$major"-repmgr_*.deb Version)
  build repmgr.spec "major $major" "upstream ${version%%[-+]*}" "tree $tree"
done

export GPG_TTY=
gpg --batch --quiet --passphrase '' --quick-generate-key "$LAB_SIGNER" rsa3072 sign never
mkdir -p /srv/repository/pgdg /srv/repository/appstream
mv "$work"/rpm/RPMS/*/postgresql-server-*.rpm "$work"/rpm/RPMS/*/rocky-release-*.rpm /srv/repository/appstream
mv "$work"/rpm/RPMS/*/*.rpm /srv/repository/pgdg
rpmsign --define "_gpg_name $LAB_SIGNER" --addsign /srv/repository/*/*.rpm >/dev/null
for repository in pgdg appstream; do createrepo_c --quiet "/srv/repository/$repository"; done
modifyrepo_c /srv/lab/modules.yaml /srv/repository/appstream/repodata >/dev/null
gpg --batch --armor --export >/srv/repository/key.asc
gpgconf --kill all
