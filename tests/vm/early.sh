#!/bin/busybox sh
# The first process of the virtual machine: puts the host's files under a layer of memory and goes on in them.
export PATH=/bin
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t devtmpfs dev /dev
for module in /modules/*; do insmod "$module" || echo "vm: cannot load $module"; done
options=trans=virtio,version=9p2000.L,msize=512000
mount -t 9p -o "$options,cache=loose,ro" host /lower || echo "vm: the host's files cannot be mounted"
mount -t tmpfs -o size=75% memory /over
mkdir /over/upper /over/work
mount -t overlay -o lowerdir=/lower,upperdir=/over/upper,workdir=/over/work overlay /root
mount -t tmpfs -o mode=755 run /root/run
mkdir /root/run/vm
mount -t 9p -o "$options,cache=none" results /root/run/vm || echo "vm: the results cannot be mounted"
release=$(uname -r)
mkdir -p "/root/lib/modules/$release"
mount --bind "/root$(cat /root/run/vm/job/kernel)/lib/modules/$release" "/root/lib/modules/$release"
umount /proc
mount --move /dev /root/dev
exec switch_root /root /bin/bash "$(cat /root/run/vm/job/guest)"
