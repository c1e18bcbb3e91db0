#!/usr/bin/env python3
"""Service proxies against their budgets and their peers, in network namespaces of their own.

  compare.py BIN_DIRECTORY [--runs N] [--quick]

Rows: sync (first table and one change, with two backends a service, and iptables-legacy-restore of the same rules), connect
(connections one after another with so many services there), relay (the proxy in a process, and haproxy on the same node).
Needs root and iptables; haproxy for its row. A row that cannot be measured says so."""
import argparse, json, pathlib, subprocess, sys

BUDGET = {"first_ms": 300, "change_ms": 100}  # of 10,000 services by iptables


def measure(program, *arguments):
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True)
    if done.returncode != 0:
        print(f"  {' '.join(map(str, arguments))}: not measured: {done.stderr.strip()}")
        return None
    return json.loads(done.stdout)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("binaries")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    program = pathlib.Path(arguments.binaries) / "proxy_bench"
    print("services x 2: first sync and one change, ms (of the processor), and iptables-legacy-restore")
    for plugin in ("iptables", "userspace"):
        for count in (1000, 10000) if arguments.quick else (1000, 5000, 10000, 30000):
            row = measure(program, "sync", plugin, count, arguments.runs)
            if row is None:
                continue
            text = (f"  {plugin:9} {count:6}: first {row['first_ms']:7.1f} ({row['first_processor_ms']:.1f})"
                    f"  change {row['change_ms']:6.1f} ({row['change_processor_ms']:.1f})"
                    f"  new instance {row['new_instance_ms']:7.1f}  state {row['state_ms']:.2f}")
            if "restore_first_ms" in row:
                text += f"  restore: first {row['restore_first_ms']:.1f}, one rule {row['restore_change_ms']:.1f}"
            if plugin == "iptables" and count == 10000:
                met = all(row[name] <= limit for name, limit in BUDGET.items())
                text += "  budget 300 and 100: " + ("met" if met else "not met")
            print(text, flush=True)
    print("connections one after another, microseconds each")
    for plugin, counts in (("none", (0,)), ("iptables", (1, 1000, 10000)), ("userspace", (1, 1000, 10000))):
        for count in counts:
            row = measure(program, "connect", plugin, count, arguments.runs)
            if row is not None:
                print(f"  {plugin:9} {count:6}: {row['micros_each']:.1f}", flush=True)
    print("a proxy in a process, and haproxy in TCP mode (budget: ratio 0.6)")
    row = measure(program, "relay", "userspace", arguments.runs)
    if row is not None:
        print(f"  connections/s {row['connections_per_second']} and {row['haproxy_connections_per_second']}: "
              f"{row['connections_ratio']}; MB/s {row['megabytes_per_second']} and {row['haproxy_megabytes_per_second']}: "
              f"{row['bytes_ratio']}")


if __name__ == "__main__":
    sys.exit(main())
