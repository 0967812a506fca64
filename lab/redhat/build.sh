#!/bin/sh
# Turns the lab's base host into one of the RedHat family, as far as a tool over SSH can see: dnf and rpm are real and
# dpkg is gone, the kernel and everything below are Debian's. Runs in a mount namespace of its own, so that nothing stays
# mounted. $1: an empty directory. LAB_BASE: root of the base host. LAB_LAYER: what is laid over it. LAB_WORK: empty, on
# the same disk. LAB_DEBS: Debian's packages of PostgreSQL and repmgr. LAB_REPOSITORY: where the dnf repositories go.
# LAB_SOURCE: a line of sources.list. LAB_SIGNER: who signs the packages.
set -eu
root=$1
here=$(dirname "$0")

mount -t overlay overlay "$root" \
  -o "lowerdir=$LAB_BASE,upperdir=$LAB_LAYER,workdir=$LAB_WORK,index=off,metacopy=off,redirect_dir=on,xino=off"
mkdir -p "$root"/srv/debs "$root"/srv/lab "$root"/srv/repository
mount -t proc proc "$root"/proc
mount --rbind /dev "$root"/dev
mount --bind "$LAB_DEBS" "$root"/srv/debs
mount --bind "$here" "$root"/srv/lab
mount --bind "$LAB_REPOSITORY" "$root"/srv/repository
cp /etc/resolv.conf "$root"/etc/resolv.conf
printf '%s\n' "$LAB_SOURCE" >"$root"/etc/apt/sources.list
printf '#!/bin/sh\nexit 101\n' >"$root"/usr/sbin/policy-rc.d
chmod 755 "$root"/usr/sbin/policy-rc.d

install() { DEBIAN_FRONTEND=noninteractive chroot "$root" apt-get -qq -y --no-install-recommends install "$@"; }
chroot "$root" apt-get -qq update
install dnf rpm
chroot "$root" dpkg-query -W -f '${Package}\n' | sort >"$root"/srv/wanted
install createrepo-c gpg gpg-agent
chroot "$root" sh /srv/lab/packages.sh
chroot "$root" dpkg-query -W -f '${Package}\n' | sort | comm -13 "$root"/srv/wanted - | grep -v createrepo-c |
  xargs chroot "$root" apt-get -qq -y purge createrepo-c
chroot "$root" apt-get clean

# VERSION_ID decides what preflight takes it for, PRETTY_NAME tells a person the truth.
rm -f "$root"/etc/os-release
printf '%s\n' 'NAME="Rocky Linux"' 'ID="rocky"' 'ID_LIKE="rhel centos fedora"' 'VERSION_ID="9.5"' 'PLATFORM_ID="platform:el9"' \
  'PRETTY_NAME="Stand-in for Rocky Linux 9 (Debian 13 with dnf)"' >"$root"/etc/os-release
mkdir -p "$root"/etc/yum.repos.d "$root"/etc/pki/rpm-gpg
cp "$LAB_REPOSITORY"/key.asc "$root"/etc/pki/rpm-gpg/RPM-GPG-KEY-distribution
printf '%s\n' '[main]' 'gpgcheck=1' 'installonly_limit=3' 'clean_requirements_on_remove=True' 'best=True' \
  'skip_if_unavailable=False' 'module_platform_id=platform:el9' >"$root"/etc/dnf/dnf.conf
printf '%s\n' '[appstream]' 'name=AppStream' 'baseurl=file:/srv/repository/appstream' 'gpgcheck=1' \
  'gpgkey=file:///etc/pki/rpm-gpg/RPM-GPG-KEY-distribution' >"$root"/etc/yum.repos.d/appstream.repo
chroot "$root" dnf -y -q --nogpgcheck --releasever=9 install rocky-release

umount "$root"/srv/debs "$root"/srv/lab "$root"/srv/repository
rmdir "$root"/srv/debs "$root"/srv/lab
rm -rf "$root"/srv/wanted "$root"/var/cache/dnf "$root"/var/log/dnf* "$root"/var/log/hawkey.log "$root"/usr/sbin/policy-rc.d "$root"/var/lib/apt/lists "$root"/etc/apt
: >"$root"/etc/resolv.conf
# Whoever asks for them must fail here: a host of this family has none of them.
rm -f "$root"/usr/bin/apt* "$root"/usr/bin/dpkg* "$root"/usr/bin/debconf*
touch -r "$root"/usr "$root"/etc/.updated "$root"/var/.updated
