#!/bin/bash
# The second half of the start: the file systems that programs expect, then the command. It is bash because that
# waits for orphans too. What to do lies in /run/vm/job, which the host has written; the exit code goes to
# /run/vm/job/status.
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mkdir -p /dev/pts /dev/shm
mount -t devpts -o gid=5,mode=620,ptmxmode=666 devpts /dev/pts
mount -t tmpfs shm /dev/shm
ln -sfn /proc/self/fd /dev/fd
ln -sfn fd/0 /dev/stdin
ln -sfn fd/1 /dev/stdout
ln -sfn fd/2 /dev/stderr
mount -t cgroup2 -o nsdelegate,memory_recursiveprot cgroup2 /sys/fs/cgroup
for controller in $(cat /sys/fs/cgroup/cgroup.controllers); do
    echo "+$controller" >/sys/fs/cgroup/cgroup.subtree_control
done
mkdir -p /run/lock /sys/fs/bpf
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8
export KEELSON_VM=1 KEELSON_VM_RESULTS=/run/vm
hostname keelson-vm
ip link set lo up 2>/dev/null || busybox ip link set lo up

finish() {
    echo "$1" >/run/vm/job/status
    # Port 0xf4 ends QEMU at once; all that is to be kept lies on the host already.
    printf '\0' | dd of=/dev/port bs=1 seek=$((0xf4)) count=1 conv=notrunc 2>/dev/null
    echo o >/proc/sysrq-trigger
    sleep 60
}

output=$(echo /dev/vport*p1)
exec </dev/null
while read -r module; do
    if ! modprobe "$module"; then
        echo "vm: the kernel has no module $module" >"$output"
        finish 126
    fi
done </run/vm/job/modules
# Words end with a null byte, so that they may hold anything else.
mapfile -d '' -t words </run/vm/job/command
mapfile -d '' -t variables </run/vm/job/environment
for variable in "${variables[@]}"; do export "${variable?}"; done
cd "$(cat /run/vm/job/directory)" || finish 126
# What hangs is seen on the console shortly before the time is over.
seconds=$(cat /run/vm/job/seconds)
if ((seconds > 60)); then
    (
        sleep $((seconds - 40))
        ps --ppid 2 -p 2 --deselect -f >/dev/console
        echo w >/proc/sysrq-trigger
    ) &
fi
echo yes >/run/vm/job/begun
"${words[@]}" >"$output" 2>&1 &
wait $!
finish $?
