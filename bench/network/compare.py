#!/usr/bin/env python3
"""Services and names against their budgets and their peers, in network namespaces and a virtual machine of their own.

  compare.py BIN_DIRECTORY [--runs N] [--quick] [--only NAME,...]

Rows: models (the pure models alone), sync (first table and one change, two backends a service, and iptables-legacy-restore
of the same rules), ipvs (the same in the virtual machine, and ipvsadm -R), connect (new connections with so many services),
relay (the proxy in a process, and haproxy on the same node), dns. Needs root and iptables; haproxy, QEMU and ipvsadm for
their rows. A row that cannot be measured says so and why."""
import argparse
import json
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
VM = HERE.parents[1] / "tests/vm/vm.py"
VM_SECONDS = 1200
CHILD_SECONDS = 600


def run(command, seconds=CHILD_SECONDS):
    """The documents that it prints, a line each; none and the reason when it fails."""
    try:
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=seconds)
    except (OSError, subprocess.TimeoutExpired) as error:
        return [], str(error)
    rows = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode != 0:
        return rows, (done.stderr.strip() or done.stdout.strip() or f"exit code {done.returncode}")[-400:]
    return rows, None


def show(command, line, seconds=CHILD_SECONDS):
    rows, reason = run(command, seconds)
    for row in rows:
        print("  " + line(row), flush=True)
    if reason is not None:
        print(f"  {' '.join(map(str, command[-4:]))}: not measured: {reason}", flush=True)


def against(value, limit):
    return f"{'met' if value <= limit else 'NOT met'} ({limit:g})"


def sync_line(row):
    text = (f"{row['plugin']:9} {row['services']:6}: first {row['first_ms']:8.1f} ({row['first_processor_ms']:.1f})"
            f"  change {row['change_ms']:6.2f} ({row['change_processor_ms']:.2f})"
            f"  new instance {row['new_instance_ms']:8.1f}  state {row['state_ms']:.2f}")
    if "restore_first_ms" in row:
        text += f"  peer: first {row['restore_first_ms']:.1f}, one more {row['restore_change_ms']:.1f}"
    if row["plugin"] == "iptables" and row["services"] == 10000:
        text += f"  budgets {against(row['first_ms'], 300)}, {against(row['change_ms'], 100)}"
    if row["plugin"] == "ipvs":
        ratio = row["first_ms"] / row["restore_first_ms"]
        text += f"  ratio {ratio:.3f}: {against(ratio, 0.5)}; change {against(row['change_ms'], 5)}"
    return text


def sync(options):
    print("services x 2: first sync and one change, ms (of the processor), and the peer's time for the same table")
    for plugin in ("iptables", "userspace"):
        for count in options.counts:
            show([options.program, "sync", plugin, count, options.runs], sync_line)


def ipvs(options):
    print("the same by IPVS in a virtual machine (software emulation), the peer is ipvsadm -R")
    loop = " && ".join(f"{options.program} sync ipvs {count} {1 if count > 10000 else min(options.runs, 3)}"
                       for count in options.counts)
    show([sys.executable, VM, "--cache", options.program.parents[1] / "vm", "--memory", 4096, "--timeout", VM_SECONDS,
          "--for", "ipvs", "--", "sh", "-c", loop], sync_line, VM_SECONDS + 60)


def connect(options):
    print("new connections with an answer: one after another, microseconds; a second by four clients")
    for plugin, counts in (("none", (0,)), ("iptables", (1, 1000, 10000)), ("userspace", (1, 1000, 10000))):
        for count in counts:
            show([options.program, "connect", plugin, count, options.runs], lambda row:
                 f"{row['plugin']:9} {row['services']:6}: p50 {row['p50_us']} p99 {row['p99_us']}  {row['per_second']}/s")


def relay(options):
    print("a proxy in a process, and haproxy in TCP mode with as many threads (budget: ratio 0.6)")
    show([options.program, "relay", "userspace", options.runs], lambda row:
         f"connections/s {row['connections_per_second']} and {row['haproxy_connections_per_second']}: "
         f"{row['connections_ratio']}; MB/s {row['megabytes_per_second']} and {row['haproxy_megabytes_per_second']}: "
         f"{row['bytes_ratio']}")


def dns(options):
    print("names of so many services (budget: 50,000 answers/s by one core, p99 1,000 us)")
    for count in (1000, 10000):
        show([options.binaries / "dns_bench", count, options.runs], lambda row:
             f"{row['services']:6}: {row['answers_per_second']}/s, {row['answers_per_processor_second']} for each second of the "
             f"processor; at {row['paced_per_second']}/s p50 {row['p50_us']} us, p99 {row['p99_us']} us (best run "
             f"{row['best_p99_us']}), lost {row['lost']}")


def models(options):
    print("the models alone")
    program = options.binaries / "network_model_bench"
    try:
        done = subprocess.run([program], capture_output=True, text=True, timeout=CHILD_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        print(f"  not measured: {error}", flush=True)
        return
    print(done.stdout.rstrip() or done.stderr.rstrip(), flush=True)


ROWS = {"models": models, "sync": sync, "ipvs": ipvs, "connect": connect, "relay": relay, "dns": dns}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binaries", type=lambda text: pathlib.Path(text).resolve())
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="1,000 and 10,000 services only")
    parser.add_argument("--only", default=",".join(ROWS), help=f"of {','.join(ROWS)}")
    options = parser.parse_args()
    unknown = set(options.only.split(",")) - set(ROWS)
    if unknown:
        parser.error(f"there is no row {', '.join(sorted(unknown))}: choose of {', '.join(ROWS)}")
    options.program = options.binaries / "proxy_bench"
    options.counts = (1000, 10000) if options.quick else (1000, 5000, 10000, 30000)
    for name in options.only.split(","):
        ROWS[name](options)


if __name__ == "__main__":
    main()
