#!/bin/sh
# Part of the initrd: who a guest is comes as a second disk, which is an archive. Before the policy is loaded, since nothing
# of it is the guest's own doing; so each file gets its label by hand.
[ "$1" != prereqs ] || exit 0
chroot "$rootmnt" /bin/sh -c '
/bin/tar --extract --verbose --directory / --same-owner --warning=no-timestamp | /bin/sed "s#^#/#; s#/\$##" |
  /usr/sbin/setfiles -m -F -f - /etc/selinux/default/contexts/files/file_contexts' </dev/vdb
