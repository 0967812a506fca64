#!/bin/sh
# Turns a fresh Debian root into the lab's base host. Run by mmdebstrap on the control machine, before it cleans the
# package lists. $1: the root. LAB_POOL: where the packages for the lab's repository go. LAB_PACKAGES: their names.
# LAB_FORMER_SOURCE, LAB_FORMER_PACKAGES: a line of sources.list, and what comes from there; both may be empty.
# LAB_OPS_PASSWORD_FILE: holds the sudo password of the login "ops".
set -eu
root=$1

# Only what a host lacks goes into the repository: the rest is installed already.
chroot "$root" apt-get clean
# shellcheck disable=SC2086
chroot "$root" apt-get -qq -y --download-only -o APT::Install-Recommends=true install $LAB_PACKAGES
if [ -n "$LAB_FORMER_PACKAGES" ]; then
  # The release before has other versions of everything: only what this one lacks may come from there.
  printf '%s\n' "$LAB_FORMER_SOURCE" >"$root"/etc/apt/sources.list.d/former.list
  chroot "$root" apt-get -qq update
  # shellcheck disable=SC2086
  chroot "$root" apt-get -qq -y --download-only --no-install-recommends install $LAB_FORMER_PACKAGES
fi
mkdir -p "$LAB_POOL"
mv "$root"/var/cache/apt/archives/*.deb "$LAB_POOL"/

# A host has no package source until the program gives it one; nothing in the lab may reach for the network.
rm -f "$root"/etc/apt/sources.list "$root"/etc/apt/sources.list.d/* "$root"/etc/apt/apt.conf.d/99mmdebstrap
: >"$root"/etc/apt/sources.list
printf 'Acquire::Languages "none";\n' >"$root"/etc/apt/apt.conf.d/90lab
printf '%s\n' force-unsafe-io 'path-exclude=/usr/share/man/*' 'path-exclude=/usr/share/doc/*' \
  'path-exclude=/usr/share/locale/*' >"$root"/etc/dpkg/dpkg.cfg.d/90lab
: >"$root"/etc/resolv.conf

for login in admin ops; do
  chroot "$root" useradd --create-home --shell /bin/bash "$login"
  mkdir -m 700 "$root/home/$login/.ssh"
  chroot "$root" chown "$login:$login" "/home/$login/.ssh"
done
# Few rounds: sudo asks for it at every session of the tests, and the default hash took an eighth of two processors.
printf 'ops:%s\n' "$(cat "$LAB_OPS_PASSWORD_FILE")" | chroot "$root" chpasswd -c SHA512 -s 1000
printf 'admin ALL=(ALL:ALL) NOPASSWD: ALL\n' >"$root"/etc/sudoers.d/admin
printf 'ops ALL=(ALL:ALL) ALL\n' >"$root"/etc/sudoers.d/ops
chmod 440 "$root"/etc/sudoers.d/admin "$root"/etc/sudoers.d/ops

# Host keys come from the control machine, one set a host. The lab knocks at port 22 until a host is up, which sshd
# would punish: the control machines' addresses are exempt.
rm -f "$root"/etc/ssh/ssh_host_*
printf '%s\n' 'HostKey /etc/ssh/ssh_host_ed25519_key' 'PasswordAuthentication no' >"$root"/etc/ssh/sshd_config.d/lab.conf
# OpenSSH before 9.8 knows no penalties.
if grep -qai persourcepenaltyexemptlist "$root"/usr/sbin/sshd; then
  printf 'PerSourcePenaltyExemptList %s\n' "$(seq -f '198.18.%g.1' -s , 0 255)" >>"$root"/etc/ssh/sshd_config.d/lab.conf
fi

chroot "$root" systemctl -q enable systemd-networkd ssh firewalld
chroot "$root" systemctl -q mask console-getty.service getty.target systemd-udevd.service
chroot "$root" systemctl -q disable tuned.service
chroot "$root" systemctl -q disable apt-daily.timer apt-daily-upgrade.timer || true

# Not a first boot: nothing to generate, nothing to ask.
rm -f "$root"/etc/machine-id "$root"/var/lib/dbus/machine-id "$root"/etc/hostname
touch -r "$root"/usr "$root"/etc/.updated "$root"/var/.updated
