#!/bin/sh
# Turns the lab's base host into the disk of a guest of QEMU with a kernel of its own, whose SELinux enforces. Runs in a
# mount namespace of its own, so that nothing stays mounted. $1: an empty directory. LAB_BASE: root of the base host.
# LAB_LAYER: what is laid over it. LAB_WORK: empty, on the same disk. LAB_REPOSITORY: the packages that a host of the lab
# can have. LAB_SOURCE: a line of sources.list, and LAB_REPOSITORY_SOURCE: one for these packages. LAB_DISK: where disk,
# kernel and initrd go.
set -eu
root=$1
here=$(dirname "$0")

mount -t overlay overlay "$root" \
  -o "lowerdir=$LAB_BASE,upperdir=$LAB_LAYER,workdir=$LAB_WORK,index=off,metacopy=off,redirect_dir=on,xino=off"
mount -t proc proc "$root"/proc
mount --rbind /dev "$root"/dev
cp /etc/resolv.conf "$root"/etc/resolv.conf
printf '%s\n' "$LAB_SOURCE" >"$root"/etc/apt/sources.list
printf '#!/bin/sh\nexit 101\n' >"$root"/usr/sbin/policy-rc.d
chmod 755 "$root"/usr/sbin/policy-rc.d
# What a guest needs before its root is there; everything else would only be unpacked at every boot.
mkdir -p "$root"/etc/initramfs-tools/conf.d
printf 'MODULES=list\nCOMPRESS=lz4\n' >"$root"/etc/initramfs-tools/conf.d/lab
printf '%s\n' virtio_pci virtio_blk ext4 >"$root"/etc/initramfs-tools/modules
install -D -m 755 "$here"/identity.sh "$root"/etc/initramfs-tools/scripts/init-bottom/lab-identity

get() { DEBIAN_FRONTEND=noninteractive chroot "$root" apt-get -qq -y --no-install-recommends install "$@"; }
chroot "$root" apt-get -qq update
get initramfs-tools lz4 udev kmod
get selinux-policy-default policycoreutils policycoreutils-python-utils selinux-utils linux-image-cloud-amd64
# What the server and repmgr need of others takes minutes to install there; these two themselves are left to the program.
cp -r "$LAB_REPOSITORY" "$root"/srv/repository
printf '%s\n' "$LAB_REPOSITORY_SOURCE" >"$root"/etc/apt/sources.list
chroot "$root" apt-get -qq update
needed=$(chroot "$root" apt-get -s install postgresql-17 postgresql-17-repmgr |
  sed -n 's/^Inst \([^ ]*\) .*/\1/p' | grep -vx 'postgresql-17\|postgresql-17-repmgr')
# shellcheck disable=SC2086
get $needed
chroot "$root" apt-get clean
sed -i 's/^SELINUX=.*/SELINUX=enforcing/; s/^SELINUXTYPE=.*/SELINUXTYPE=default/' "$root"/etc/selinux/config

# A manager of its own for each login takes seconds there; this way there is one for all of a login's sessions.
mkdir -p "$root"/var/lib/systemd/linger
touch "$root"/var/lib/systemd/linger/admin "$root"/var/lib/systemd/linger/ops

chroot "$root" systemctl -q unmask systemd-udevd.service
# Its start takes a quarter of a minute there, and it is tested elsewhere.
chroot "$root" systemctl -q disable firewalld
install -D -m 644 "$here"/host0.link "$root"/etc/systemd/network/10-lab.link

umount -l "$root"/dev
umount "$root"/proc
rm -rf "$root"/usr/sbin/policy-rc.d "$root"/var/lib/apt/lists/*
: >"$root"/etc/apt/sources.list
: >"$root"/etc/resolv.conf
mv "$(readlink -f "$root"/boot/vmlinuz-*)" "$LAB_DISK"/vmlinuz
mv "$(readlink -f "$root"/boot/initrd.img-*)" "$LAB_DISK"/initrd
touch -r "$root"/usr "$root"/etc/.updated "$root"/var/.updated

# The kernel of this machine keeps labels like any other attribute.
chroot "$root" setfiles -m -F /etc/selinux/default/contexts/files/file_contexts /
mke2fs -q -t ext4 -d "$root" "$LAB_DISK"/root.img 6G
