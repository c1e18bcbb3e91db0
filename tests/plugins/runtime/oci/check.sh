#!/bin/sh
# keelson-plugin-check with a runtime whose sandboxes outlive its cases: in a process namespace, so that they end
# with it, and without their cgroups afterwards. Exits with 77 (skipped) where that cannot be had.
if [ "$(id -u)" -ne 0 ]; then echo "needs root"; exit 77; fi
if ! command -v crun >/dev/null; then echo "needs crun"; exit 77; fi
unshare --pid --fork --kill-child --mount-proc "$@"
result=$?
# The group that the check names in its requests.
find /sys/fs/cgroup -depth -type d \( -path '*/keelson-check/*' -o -name keelson-check \) -exec rmdir {} \; 2>/dev/null
exit $result
