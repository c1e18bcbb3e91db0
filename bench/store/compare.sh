#!/bin/sh
# Measures durable writes of the store and of Debian's etcd (over gRPC) one after the other on the same disk, and
# prints one table row.
#
#     compare.sh BIN_DIRECTORY [WORK_DIRECTORY] [SECONDS]
#
# Needs store_bench and etcd_bench in BIN_DIRECTORY and etcd in the PATH.
set -eu
bin=${1:?usage: compare.sh BIN_DIRECTORY [WORK_DIRECTORY] [SECONDS]}
parent=${2:-/var/tmp}
seconds=${3:-8}
work=$(mktemp -d "$parent/keelson-bench-XXXXXX")
etcd_pid=
finish() {
    if [ -n "$etcd_pid" ]; then
        kill "$etcd_pid" 2>/dev/null || true
        wait "$etcd_pid" 2>/dev/null || true
    fi
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 1' INT TERM

rate() { sed -n 's/^puts_per_second \([0-9]*\).*/\1/p' "$1"; }

"$bin/store_bench" "$work/store" --puts-only --seconds "$seconds" >"$work/ours"
ours=$(rate "$work/ours")
rm -rf "$work/store"

peer=absent
if command -v etcd >/dev/null && [ -x "$bin/etcd_bench" ]; then
    etcd --data-dir "$work/etcd" --listen-client-urls http://127.0.0.1:22379 \
        --advertise-client-urls http://127.0.0.1:22379 --listen-peer-urls http://127.0.0.1:22380 \
        --initial-advertise-peer-urls http://127.0.0.1:22380 --initial-cluster default=http://127.0.0.1:22380 \
        --log-level error >"$work/etcd.log" 2>&1 &
    etcd_pid=$!
    "$bin/etcd_bench" 127.0.0.1:22379 --seconds "$seconds" >"$work/peer" || { cat "$work/etcd.log" >&2; exit 1; }
    peer=$(rate "$work/peer")
fi

echo "| what | ours | peer (etcd over gRPC) | ratio |"
echo "|---|---|---|---|"
if [ "$peer" = absent ]; then
    echo "| durable writes/s, 1 KB, 64 writers | $ours | absent: install etcd-server, libgrpc++-dev, protobuf-compiler-grpc | - |"
else
    ratio=$(awk "BEGIN { printf \"%.1f\", $ours / $peer }")
    echo "| durable writes/s, 1 KB, 64 writers | $ours | $peer | $ratio |"
fi
